"""The steps of a restore: prove, make room, stop, load, check, start."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager

from holdfast.errors import BackupNotFound, DamageError, HoldfastError, TargetError
from holdfast.model.component import Problem
from holdfast.model.event import Progress
from holdfast.operations.context import AppContext
from holdfast.operations.due_hooks import RESTORE, OwedHooks
from holdfast.operations.hooks import problem_of
from holdfast.operations.journal import Journal, JournalEntry, JournalRecord
from holdfast.operations.judging import judge
from holdfast.operations.proof import prove
from holdfast.operations.reports import PlannedComponent, RestoredComponent, RestorePlan, RestoreReport
from holdfast.operations.restore_plan import Copy, check_space, contents, load_request, needed_space, plan_components
from holdfast.operations.scratch import part, scratch_directory
from holdfast.protocols.source import LoadReport


class RestoreRun:
    """One restore. The caller holds the application's lock."""

    def __init__(self, context: AppContext, plan: RestorePlan) -> None:
        self._context = context
        self._plan = plan
        self._request = plan.request
        self._left = [plan.backup.target, *plan.others]
        self._copy = Copy(stored=plan.backup, backups=())
        self._components = plan.components
        self._done: list[RestoredComponent] = []
        self._problems: list[Problem] = list(plan.problems)
        self._seconds: dict[str, float] = {}
        self._journal: Journal | None = None
        self._failure: HoldfastError | None = None

    def run(self) -> RestoreReport:
        """All steps; raises only as long as nothing was changed."""
        self._next_copy(None)
        check_space(needed_space(self._components))
        journal = self._journal = Journal(self._context.state_dir, self._record())
        told = {"BACKUP": self._plan.backup.backup_id}
        hooks = OwedHooks(self._context, RESTORE, self._plan.before, self._plan.after, told)
        try:
            try:
                with self._stage("hooks"):
                    hooks.begin()
                self._load_all()
            finally:
                # The hook before may have stopped the application: it must come back whatever happened.
                failed = hooks.finish()
                self._problems += [problem_of(error) for error in failed]
            if failed and self._failure is None:
                self._failure = failed[0]
        except HoldfastError as error:
            self._failure = error
            raise
        finally:
            self._close(journal)
        return self._report()

    def _close(self, journal: Journal) -> None:
        failure = f"{self._failure.code}: {self._failure}" if self._failure is not None else ""
        try:
            journal.finish(self._context.now(), failure)
        except TargetError as error:
            self._problems.append(Problem(code="journal-failed", subject=str(journal.path), detail=error.phrase))

    def _next_copy(self, error: TargetError | None) -> None:
        """Goes on with the nearest copy that is left and whole.

        Raises:
            TargetError: no copy is left; the first one's error.
        """
        first = error
        while self._left:
            name = self._left.pop(0)
            try:
                self._take(name)
            except TargetError as problem:
                first = first or problem
                self._problems.append(Problem(code=problem.code, subject=name, detail=problem.phrase))
            else:
                return
        raise first or BackupNotFound(backup=self._plan.backup.backup_id, target="any target")

    def _take(self, name: str) -> None:
        """Takes a copy if it is still there and, unless that is not wanted, whole in all that will be loaded."""
        backups = tuple(self._context.targets[name].backups())
        wanted = self._plan.backup.backup_id
        stored = next((stored for stored in backups if stored.backup_id == wanted), None)
        if stored is None:
            raise BackupNotFound(backup=wanted, target=name)
        copy = Copy(stored=stored, backups=backups)
        if name != self._plan.backup.target:
            self._components = plan_components(self._context, self._request, copy, self._plan.stamp)
        if self._request.verify:
            with self._stage("verify"):
                self._prove(copy)
        self._copy = copy

    def _prove(self, copy: Copy) -> None:
        asked = load_request(self._context, self._request, self._plan.stamp, self._context.state_dir)
        for planned in self._components:
            chain = contents(self._context, copy, planned.source)
            # Changes to a tree name what exists in a file of their own, which a selection of paths leaves out.
            paths = asked.paths if len(chain) == 1 else ()
            for content in chain:
                prove(
                    content,
                    copy.stored,
                    paths=paths,
                    listener=self._context.listener,
                    cancelled=self._context.cancel.raise_if_cancelled,
                )

    def _load_all(self) -> None:
        with scratch_directory(self._context) as scratch:
            number = 0
            while number < len(self._components):
                planned = self._components[number]
                try:
                    with self._stage(f"load {planned.source}"), part(scratch, f"load-{number}") as room:
                        proved = self._request.verify
                        chain = contents(self._context, self._copy, planned.source, proved=proved)
                        asked = load_request(self._context, self._request, self._plan.stamp, room)
                        self._begin(planned)
                        load = self._context.sources[planned.source].load(chain, asked)
                    self._finish(planned, load)
                except DamageError as error:
                    if self._done or not self._left:
                        self._fail(planned, error)
                        return
                    # INVARIANT: a source whose content is damaged leaves its destination as it was.
                    self._problems.append(
                        Problem(code=error.code, subject=self._copy.stored.target, detail=error.phrase)
                    )
                    self._next_copy(error)
                except HoldfastError as error:
                    self._fail(planned, error)
                    return
                else:
                    if self._failure is not None:
                        return
                    number += 1

    def _begin(self, planned: PlannedComponent) -> None:
        """Nothing is replaced before it is written down where what is replaced will be kept."""
        assert self._journal is not None
        self._journal.note(_entry(planned, "loading", planned.load.safety_copies))

    def _finish(self, planned: PlannedComponent, load: LoadReport) -> None:
        """Judges what is there now."""
        error: HoldfastError | None = None
        try:
            with self._stage("check"):
                judge(planned, load, self._request)
        except HoldfastError as mismatch:
            error = self._failure = mismatch
        self._done.append(RestoredComponent(source=planned.source, load=load, error=error))
        self._write(planned, "failed" if error else "done", load.safety_copies, load.undo)

    def _fail(self, planned: PlannedComponent, error: HoldfastError) -> None:
        self._failure = error
        # SAFETY: what fails after something was replaced must not take the name of its safety copy with it.
        kept = tuple(name for name in planned.load.safety_copies if os.path.lexists(name))
        load = LoadReport(destination=planned.load.destination, safety_copies=kept) if kept else None
        self._done.append(RestoredComponent(source=planned.source, load=load, error=error))
        self._write(planned, "failed", kept, "")

    def _write(self, planned: PlannedComponent, state: str, copies: tuple[str, ...], undo: str) -> None:
        """A journal that takes no more must not hide what has become of the application: the report tells it too."""
        assert self._journal is not None
        error = str(self._failure) if state == "failed" else ""
        try:
            self._journal.note(_entry(planned, state, copies, undo, error))
        except TargetError as problem:
            self._problems.append(Problem(code="journal-failed", subject=planned.source, detail=problem.phrase))

    def _record(self) -> JournalRecord:
        return JournalRecord(
            stamp=self._plan.stamp,
            backup_id=self._plan.backup.backup_id,
            target=self._copy.stored.target,
            started_at=self._context.now(),
            components=tuple(
                JournalEntry(source=planned.source, state="planned", destination=planned.load.destination)
                for planned in self._components
            ),
        )

    def _report(self) -> RestoreReport:
        done = {component.source for component in self._done}
        return RestoreReport(
            backup_id=self._plan.backup.backup_id,
            target=self._copy.stored.target,
            components=tuple(self._done),
            not_reached=tuple(planned.source for planned in self._components if planned.source not in done),
            problems=tuple(self._problems),
            seconds=self._seconds,
            journal=str(self._journal.path) if self._journal is not None else "",
            verified=self._request.verify,
            failure=self._failure,
        )

    @contextmanager
    def _stage(self, name: str) -> Generator[None]:
        self._context.cancel.raise_if_cancelled()
        self._context.listener(Progress(phase=name))
        began = self._context.clock.monotonic()
        try:
            yield
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + self._context.clock.monotonic() - began


def _entry(
    planned: PlannedComponent, state: str, copies: tuple[str, ...], undo: str = "", error: str = ""
) -> JournalEntry:
    return JournalEntry(
        source=planned.source,
        state=state,
        destination=planned.load.destination,
        safety_copies=copies,
        undo=undo,
        error=error,
    )
