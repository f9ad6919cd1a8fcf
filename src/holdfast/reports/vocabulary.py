"""Words that several reports use: states, operations, types; and the parts that all of them have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from holdfast.reports.document import Chart, Figure, Section, Series, Tongue
from holdfast.reports.figures import Counts, DayFigures, Kept
from holdfast.runtime.translation import N_

STATES: dict[str, str] = {
    "queued": N_("waiting to start"),
    "running": N_("running"),
    "succeeded": N_("done"),
    "partial": N_("something missing"),
    "failed": N_("failed"),
    "cancelled": N_("cancelled"),
    "lost": N_("broke off"),
    "missed": N_("not made"),
}
OPERATIONS: dict[str, str] = {
    "create": N_("backup"),
    "restore": N_("restore"),
    "verify": N_("verification"),
    "rotate": N_("retention"),
    "cleanup": N_("retention by age"),
    "delete": N_("deletion"),
    "hold": N_("hold"),
    "release": N_("release"),
    "export": N_("download"),
    "drill": N_("rehearsal"),
}
TYPES: dict[str, str] = {
    "full": N_("full"),
    "database": N_("database"),
    "storage": N_("files"),
    "config": N_("configuration"),
    "incremental": N_("incremental"),
}


def word(table: Mapping[str, str], key: str, tongue: Tongue) -> str:
    """The word for a key; what has none is shown as it is."""
    return tongue.say(table[key]) if key in table else tongue.name(key)


def count_figures(counts: Counts, tongue: Tongue) -> tuple[Figure, ...]:
    """How many runs there were, and what became of them; states that did not occur are left out."""
    rows = [
        (N_("Runs"), counts.total, True),
        (N_("Done"), counts.succeeded, True),
        (N_("With something missing"), counts.partial, False),
        (N_("Failed"), counts.failed, True),
        (N_("Broke off"), counts.lost, False),
        (N_("Not made"), counts.missed, False),
        (N_("Cancelled"), counts.cancelled, False),
        (N_("Not ended yet"), counts.unfinished, False),
    ]
    return tuple(
        Figure(label=tongue.say(label), value=tongue.number(value)) for label, value, always in rows if value or always
    )


def day_chart(title: str, days: Sequence[DayFigures], tongue: Tongue) -> Chart | None:
    """Good and bad runs by day; none without days."""
    if not days:
        return None
    return outcome_chart(title, [(day.day.isoformat(), day.counts) for day in days], tongue)


def outcome_chart(title: str, columns: Sequence[tuple[str, Counts]], tongue: Tongue) -> Chart:
    """Good and bad runs in columns."""
    return Chart(
        title=tongue.say(title),
        labels=tuple(tongue.plain(label) for label, _counts in columns),
        series=(
            Series(name=tongue.say(N_("Done")), values=tuple(float(c.good) for _label, c in columns), tone="good"),
            Series(name=tongue.say(N_("Not good")), values=tuple(float(c.bad) for _label, c in columns), tone="bad"),
        ),
        totals=tuple(tongue.number(counts.good + counts.bad) for _label, counts in columns),
    )


def size_chart(title: str, days: Sequence[DayFigures], tongue: Tongue) -> Chart | None:
    """Bytes stored by day; none if nothing was."""
    if not any(day.stored_bytes for day in days):
        return None
    return Chart(
        title=tongue.say(title),
        labels=tuple(tongue.plain(day.day.isoformat()) for day in days),
        series=(Series(name=tongue.say(N_("Stored")), values=tuple(float(day.stored_bytes) for day in days)),),
        totals=tuple(tongue.size(day.stored_bytes) for day in days),
    )


def kept_section(kept: Kept, tongue: Tongue) -> Section:
    """What the targets keep now."""
    rows = [
        (N_("Backups"), tongue.number(kept.backups)),
        (N_("Copies"), tongue.number(kept.copies)),
        (N_("Size of all copies"), tongue.size(kept.stored_bytes)),
        (N_("Mean size"), tongue.size(kept.average_bytes)),
        (N_("Oldest"), tongue.moment(kept.oldest_at)),
        (N_("Newest"), tongue.moment(kept.newest_at)),
        (N_("Held"), tongue.number(kept.held)),
        (N_("Damaged"), tongue.number(kept.damaged)),
    ]
    figures = tuple(Figure(label=tongue.say(label), value=value) for label, value in rows)
    return Section(title=tongue.say(N_("Kept now")), figures=figures)
