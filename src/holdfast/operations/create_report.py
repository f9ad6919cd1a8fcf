"""What a backup run comes to: outcome, failure, report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from holdfast.errors import BackupPartial, HoldfastError, HookFailed, TargetsFailed
from holdfast.model.backup import Manifest, Outcome
from holdfast.model.component import Component, Problem
from holdfast.operations.destinations import Destination
from holdfast.operations.reports import CopyReport, CreateReport, RetentionResult
from holdfast.operations.requests import CreateRequest

REMARKS = frozenset({"full-instead", "hook-failed", "missing-accepted", "not-archived", "not-transactional", "shrunk"})
"""Codes of problems that people should know of and that leave a backup whole."""


def is_missing(problem: Problem) -> bool:
    """Whether a problem means that something is not in the backup."""
    return problem.code not in REMARKS


def outcome_of(components: Iterable[Component]) -> Outcome:
    """Partial if anything is missing from any component."""
    missing = any(is_missing(problem) for component in components for problem in component.problems)
    return Outcome.PARTIAL if missing else Outcome.COMPLETE


def create_report(
    *,
    request: CreateRequest,
    manifest: Manifest,
    destinations: Sequence[Destination],
    problems: Sequence[Problem],
    retention: Sequence[RetentionResult],
    hooks_failed: Sequence[HookFailed],
    seconds: Mapping[str, float],
    estimated_bytes: int,
) -> CreateReport:
    """The report of a run in which at least one target committed."""
    copies = tuple(destination.report() for destination in destinations)
    components = next(tuple(each.components.values()) for each in destinations if each.stored is not None)
    return CreateReport(
        backup_id=manifest.backup_id,
        type=manifest.type,
        outcome=_worst(copies),
        copies=copies,
        components=components,
        problems=tuple(problems),
        retention=tuple(retention),
        seconds=dict(seconds),
        content_bytes=sum(component.content_bytes for component in components),
        stored_bytes=sum(copy.stored.manifest.total_size for copy in copies if copy.stored is not None),
        estimated_bytes=estimated_bytes,
        dry_run=request.dry_run,
        failure=_failure(manifest.backup_id, copies, problems, retention, hooks_failed),
    )


def _worst(copies: Sequence[CopyReport]) -> Outcome:
    """A target may have found, while it wrote, that something could not be kept whole."""
    stored = [copy.stored.manifest.outcome for copy in copies if copy.stored is not None]
    return Outcome.PARTIAL if Outcome.PARTIAL in stored else Outcome.COMPLETE


def _failure(
    backup_id: str,
    copies: Sequence[CopyReport],
    problems: Sequence[Problem],
    retention: Sequence[RetentionResult],
    hooks_failed: Sequence[HookFailed],
) -> HoldfastError | None:
    """The worst thing first."""
    errors = {copy.target: copy.error for copy in copies if copy.error is not None}
    if errors and len(errors) == len(copies):
        return next(iter(errors.values()))
    if errors:
        reason = "; ".join(f"{target}: {error}" for target, error in errors.items())
        return TargetsFailed(backup=backup_id, reason=reason)
    missing = [problem for problem in problems if is_missing(problem)]
    if missing:
        return BackupPartial(backup=backup_id, count=len(missing))
    if hooks_failed:
        return hooks_failed[0]
    return next((result.error for result in retention if result.error is not None), None)
