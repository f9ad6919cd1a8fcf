"""Looks for what will make the next backup or restore fail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from holdfast.errors import AppBusy, HoldfastError, Phrase
from holdfast.model.backup import BackupType, StoredBackup
from holdfast.operations import doctor_machine, space
from holdfast.operations.context import AppContext
from holdfast.operations.doctor_report import DoctorReport, Finding
from holdfast.operations.list_backups import unreadable
from holdfast.operations.lock import run_lock
from holdfast.operations.log import amount
from holdfast.operations.opening import is_local
from holdfast.operations.scratch import clear_scratch, scratch_base
from holdfast.protocols.source import Source
from holdfast.protocols.target import Target

_DAY_S = 86_400
_UNVERIFIED_DAYS = 7


def examine(context: AppContext) -> DoctorReport:
    """Looks at everything a backup or restore needs; what one part is like keeps nothing else from being looked at."""
    findings: list[Finding] = [*doctor_machine.examine_machine(context)]
    for source in context.sources.values():
        context.cancel.raise_if_cancelled()
        findings += _source(source)
    estimated = _estimated(context.sources.values())
    findings += _told(
        Phrase("scratch", {}), lambda: space.check_scratch_space(scratch_base(context), [*context.sources.values()])
    )
    with_lock, busy = _writable(context)
    findings += busy
    for target in context.targets.values():
        context.cancel.raise_if_cancelled()
        findings += with_lock.get(target.name, [])
        findings += _target(context, target, estimated)
    findings += _copies(context)
    return DoctorReport(findings=tuple(findings))


def _told(subject: str, check: Callable[[], object], ok: str = "") -> list[Finding]:
    """What a check that raises comes to."""
    try:
        check()
    except HoldfastError as error:
        return [problem_of(error, subject)]
    return [Finding(level="ok", code="ok", subject=subject, detail=ok)]


def problem_of(error: HoldfastError, subject: str) -> Finding:
    """An error as a finding."""
    hint = Phrase(error.hint, error.context)
    return Finding(level="error", code=error.code, subject=subject, detail=error.phrase, hint=hint)


def _subject(target: str) -> Phrase:
    return Phrase("target {name}", {"name": target})


def _source(source: Source) -> list[Finding]:
    """Tools, versions and access are for the source itself to know."""
    return _told(Phrase("source {name}", {"name": source.name}), source.preflight, "can be read")


def _estimated(sources: Iterable[Source]) -> dict[str, int]:
    try:
        return space.estimates(list(sources))
    except HoldfastError:
        return {}  # the source's own finding says why


def _writable(context: AppContext) -> tuple[dict[str, list[Finding]], list[Finding]]:
    """Proves that targets can be written to, which is done under the lock: it clears away what killed runs left."""
    try:
        with run_lock(context):
            clear_scratch(context)
            found = {
                target.name: _told(_subject(target.name), target.prepare, "can be written to")
                for target in context.targets.values()
            }
            return found, []
    except AppBusy as error:
        detail = Phrase("{reason}; whether targets can be written to was not tried", {"reason": error.phrase})
        return {}, [Finding(level="note", code=error.code, subject=Phrase("lock", {}), detail=detail)]
    except HoldfastError as error:
        return {}, [problem_of(error, Phrase("state directory", {}))]


def _target(context: AppContext, target: Target, estimated: dict[str, int]) -> list[Finding]:
    subject = _subject(target.name)
    try:
        backups = sorted(target.backups(), key=lambda stored: stored.manifest.created_at, reverse=True)
        free_bytes = target.free_bytes()
        needed = space.needed_in_target(BackupType.FULL, estimated, backups, deduplicates=not target.keeps_changes)
        space.check_target_space(target.name, needed, free_bytes)
    except HoldfastError as error:
        return [problem_of(error, subject)]
    detail = Phrase("{count} backups", {"count": len(backups)})
    if free_bytes is not None:
        values = {"backups": detail, "free": amount(free_bytes), "needed": amount(needed)}
        detail = Phrase("{backups}; {free} free, a full backup needs about {needed}", values)
    found = [Finding(level="ok", code="reachable", subject=subject, detail=detail)]
    for problem in unreadable(context, [target]):
        detail = Phrase("{subject}: {detail}", {"subject": problem.subject, "detail": problem.detail})
        hint = "Look at the file; it may be what is left of a backup."
        found.append(_warning(problem.code, subject, detail, hint))
    return [*found, *_backups(context, subject, backups)]


def _backups(context: AppContext, subject: str, backups: Sequence[StoredBackup]) -> list[Finding]:
    if not backups:
        hint = "Run `holdfast create`."
        return [Finding(level="warning", code="no-backup", subject=subject, detail="it has no backup", hint=hint)]
    found: list[Finding] = []
    now, newest = context.now(), backups[0]
    if newest.manifest.created_at > now:
        detail = Phrase(
            "{backup_id} lies in the future: the clock is or was wrong, and retention removes nothing",
            {"backup_id": newest.backup_id},
        )
        found.append(_warning("clock", subject, detail, "Set the clock of this machine, then look at the backup."))
    for stored in backups:
        if stored.marks.damaged_at is not None:
            detail = Phrase(
                "{backup_id} is damaged: {damage}", {"backup_id": stored.backup_id, "damage": stored.marks.damage}
            )
            hint = "Restore from another copy; make a new backup and delete this one."
            found.append(Finding(level="error", code="backup-damaged", subject=subject, detail=detail, hint=hint))
    verified = [stored for stored in backups if stored.marks.verified_at is not None]
    age_s = (now - newest.manifest.created_at).total_seconds()
    if not verified and age_s > _UNVERIFIED_DAYS * _DAY_S:
        found.append(_unverified(subject, backups))
    return found


def _unverified(subject: str, backups: Sequence[StoredBackup]) -> Finding:
    if any(stored.marks.checked_only for stored in backups):
        detail = "no backup in it was opened: only checksums were compared"
        return _warning("not-opened", subject, detail, "Run `holdfast verify --all` where the key to read them is.")
    return _warning("not-verified", subject, "no backup in it was verified", "Run `holdfast verify --all`.")


def _copies(context: AppContext) -> list[Finding]:
    """Three copies, two places, one of them elsewhere: what no single target can be blamed for."""
    found: list[Finding] = []
    if context.targets and all(is_local(target) for target in context.targets.values()):
        detail = "every copy is on this machine"
        hint = "Add a target elsewhere, such as s3:// or sftp://, to holdfast.toml."
        found.append(_warning("no-copy-elsewhere", Phrase("targets", {}), detail, hint))
    for name in context.targets:
        if context.keep_by_target.get(name, context.keep).empty:
            detail = "no rule says what to keep, so nothing is ever removed"
            found.append(Finding(level="note", code="no-retention", subject=_subject(name), detail=detail))
    return found


def _warning(code: str, subject: str, detail: str, hint: str) -> Finding:
    return Finding(level="warning", code=code, subject=subject, detail=detail, hint=hint)
