"""What several commands of an application print: tables of backups, decisions of retention, what could not be asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, cast

from holdfast.cli import values
from holdfast.cli.output import Printer, count
from holdfast.cli.text import _, translate_error, translated
from holdfast.errors import Phrase

if TYPE_CHECKING:
    from holdfast.errors import HoldfastError
    from holdfast.model.backup import StoredBackup
    from holdfast.model.component import Problem
    from holdfast.operations.reports import CopyReport, ListedBackup
    from holdfast.policy.backup_retention import BackupRetentionPlan


def print_summary(printer: Printer, report: object, **more: object) -> None:
    """Prints the last of several JSON documents: how it went."""
    from holdfast.operations.reports import plain

    fields = cast(dict[str, object], plain(report))
    printer.document({"message_type": "summary", **more, **fields})


def moment(at: datetime | None, zone: tzinfo) -> str:
    """A time on the application's clock, to the second; a dash for none."""
    return "-" if at is None else at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def age(seconds: float | None) -> str:
    """How long ago, in its two largest units, as in `3d 4h`; a dash for never."""
    if seconds is None:
        return "-"
    left, parts = max(0, int(seconds)), list[str]()
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        number, left = divmod(left, length)
        if number or (unit == "s" and not parts):
            parts.append(f"{number}{unit}")
    return " ".join(parts[:2])


def state(copies: Iterable[StoredBackup]) -> str:
    """What is noted about the copies of a backup, in a few words."""
    words: list[str] = []
    for copy in copies:
        marks = copy.marks
        words += [_("held")] if marks.held else []
        words += [_("damaged")] if marks.damaged_at is not None else []
        words += [_("verified")] if marks.verified_at is not None and marks.damaged_at is None else []
        words += [_("checksums only")] if marks.checked_only else []
        words += [_("partial")] if copy.manifest.outcome.value == "partial" else []
    return ", ".join(dict.fromkeys(words))


def print_backups(printer: Printer, backups: Sequence[ListedBackup], zone: tzinfo) -> None:
    """A line for each backup, and how many there are."""
    rows = [
        [
            backup.backup_id,
            moment(backup.created_at, zone),
            backup.type.value,
            values.size(max((copy.manifest.total_size for copy in backup.copies), default=0)),
            ", ".join(values.name(copy.target) for copy in backup.copies),
            state(backup.copies),
        ]
        for backup in backups
    ]
    printer.table([_("ID"), _("Created"), _("Type"), _("Size"), _("Targets"), _("State")], rows, right=(3,))
    printer.line(count(len(rows), "{count} backup", "{count} backups"))


def warn_copies(printer: Printer, copies: Iterable[CopyReport]) -> None:
    """Says which targets failed, and why."""
    for copy in copies:
        if copy.error is not None:
            printer.warn("target {target}: {detail}", target=copy.target, detail=sentence(copy.error))


def sentence(error: HoldfastError) -> str:
    """What an error says, in the person's language."""
    message, hint = translate_error(error)
    return f"{message}. {hint}".rstrip()


def warn_problems(printer: Printer, problems: Iterable[Problem], *, where: str = "") -> None:
    """Says what is missing, thing by thing."""
    for problem in problems:
        subject = where or problem.subject
        if where and problem.subject:
            subject = Phrase("{where}: {subject}", {"where": where, "subject": problem.subject})
        printer.warn("{subject}: {detail}", subject=subject or problem.code, detail=problem.detail or problem.code)


def print_retention(printer: Printer, target: str, plan: BackupRetentionPlan, *, dry_run: bool) -> None:
    """What stays and what goes in a target, with the reason for each."""
    if plan.refused:
        printer.warn("target {target}: nothing is removed: {reason}", target=target, reason=plan.refused)
        return
    printer.note("Target {target}:", target=target)
    if printer.quiet:
        return
    rows = [
        [row.backup_id, word, ", ".join(map(translated, row.reasons))]
        for word, decisions in ((_("keep"), plan.keep), (_("remove"), plan.remove))
        for row in decisions
    ]
    printer.table([_("ID"), _("Decision"), _("Reasons")], sorted(rows, reverse=True))
    if dry_run:
        printer.line(count(len(plan.remove), "{count} backup would be removed.", "{count} backups would be removed."))
