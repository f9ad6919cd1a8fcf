"""`holdfast schedule show` and `holdfast schedule status`."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

import click
import msgspec

from holdfast.cli import values
from holdfast.cli.app_output import age, moment
from holdfast.cli.app_session import AppSession, app_command, pass_session
from holdfast.cli.text import N_, _
from holdfast.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.catalog import Catalog
    from holdfast.model.run import Run
    from holdfast.policy.planned import PlannedPolicy

policy_option = click.option("--policy", "names", multiple=True, metavar="NAME", help="Only this policy; repeatable.")


WORDS = {
    "disabled": N_("disabled"),
    "new": N_("new"),
    "overdue": N_("overdue"),
    "queued": N_("queued"),
    "running": N_("running"),
    "succeeded": N_("succeeded"),
    "partial": N_("partial"),
    "failed": N_("failed"),
    "cancelled": N_("cancelled"),
    "lost": N_("lost"),
    "missed": N_("missed"),
}
"""What can be said of a policy, collected for translation."""


@app_command("show", help="Show when each policy ran last and is due next.")
@policy_option
@click.option("--count", type=click.IntRange(1, 1000), default=1, help="How many of the next due times to show.")
@pass_session
def show(session: AppSession, names: tuple[str, ...], count: int) -> None:
    """Prints a line for each due time, in the application's time zone."""
    from holdfast.cli.schedule.policies import catalog_of, planned

    app, printer = session.app(), session.printer
    now = app.context.now()
    with catalog_of(app) as catalog:
        policies = planned(app, names, catalog)
        last = {name: None if catalog is None else catalog.runs.last(app.name, policy=name) for name in policies}
    coming = {name: list(islice(_coming(policy, now), count)) for name, policy in policies.items()}
    printer.document(
        [
            {"policy": name, "schedule": policy.schedule, "type": policy.type.value, "enabled": policy.enabled,
             "last": _plain(last[name]), "next": [due.isoformat() for due in coming[name]]}
            for name, policy in policies.items()
        ]
    )  # fmt: skip
    rows = [
        [
            values.name(name),
            values.name(policy.schedule),
            policy.type.value,
            _last(last[name], app.zone),
            "\n".join(moment(due, app.zone) for due in coming[name]) if policy.enabled else _("disabled"),
        ]
        for name, policy in policies.items()
    ]
    printer.table([_("Policy"), _("Schedule"), _("Type"), _("Last run"), _("Next due")], rows)


def _coming(policy: PlannedPolicy, now: datetime) -> Iterator[datetime]:
    while policy.enabled:
        now = policy.due.next_after(now)
        yield now


def _last(run: Run | None, zone: object) -> str:
    from datetime import tzinfo

    assert isinstance(zone, tzinfo)
    return "-" if run is None else f"{moment(run.started_at or run.due_at, zone)} {_(WORDS[run.state.value])}"


def _plain(run: Run | None) -> object:
    if run is None:
        return None
    return {"run_id": run.run_id, "state": run.state.value, "due_at": run.due_at, "started_at": run.started_at,
            "duration_s": run.duration_s}  # fmt: skip


@app_command("status", help="Say who runs the policies and what went wrong.")
@policy_option
@pass_session
def status(session: AppSession, names: tuple[str, ...]) -> int:
    """Prints a line for each policy; the exit status is 5 if one of them is in trouble."""
    from holdfast.cli.schedule.policies import catalog_of, planned

    app, printer = session.app(), session.printer
    now = app.context.now()
    with catalog_of(app) as catalog:
        policies = planned(app, names, catalog)
        lease = None if catalog is None else catalog.leases.holder(f"scheduler:{app.name}", now)
        found = {name: _state(catalog, app.name, policy, now) for name, policy in policies.items()}
    holder = "" if lease is None else lease.holder
    printer.document({"scheduler": holder, "policies": found})
    if catalog is None:
        printer.note("There is no catalog yet: no scheduler has run here.")
    elif holder:
        printer.note("A scheduler runs: {holder}", holder=holder)
    else:
        printer.note("No scheduler runs. Start `holdfast serve`, or see `holdfast schedule install`.")
    rows = [
        [
            values.name(name),
            _(WORDS[str(one["word"])]),
            _(WORDS.get(str(one["last"]), "-")),
            age(_seconds(one["age_s"])),
        ]
        for name, one in found.items()
    ]
    printer.table([_("Policy"), _("State"), _("Last run"), _("Last success")], rows)
    troubled = any(one["word"] in ("overdue", "failed") for one in found.values())
    return ExitCode.OBJECTIVE_MISSED if troubled else ExitCode.DONE


def _seconds(value: object) -> float | None:
    return value if isinstance(value, float) else None


def _state(catalog: Catalog | None, app: str, policy: PlannedPolicy, now: datetime) -> dict[str, object]:
    """What became of a policy; `word` is `disabled`, `new`, `overdue`, or the state of its last run."""
    from holdfast.model.run import RunState
    from holdfast.scheduler.memory import memory_key, read_memory

    run = good = memory = None
    if catalog is not None:
        run = catalog.runs.last(app, policy=policy.name)
        good = catalog.runs.last(app, policy=policy.name, states=(RunState.SUCCEEDED,))
        memory = read_memory(catalog.settings.get(memory_key(app, policy.name)))
    word = "new" if run is None else run.state.value
    if memory is not None and memory.trouble is not None:
        word = "overdue"
    finished = good.finished_at if good is not None else None
    return {
        "word": "disabled" if not policy.enabled else word,
        "last": "-" if run is None else run.state.value,
        "age_s": None if finished is None else (now - finished).total_seconds(),
        "run": None if run is None else msgspec.to_builtins(run),
    }
