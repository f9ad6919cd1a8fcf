"""The steps of a backup, from looking at everything to retention."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec

from holdfast import __version__
from holdfast.errors import HookFailed, NoBase, Phrase, TargetError
from holdfast.model.backup import BackupType, Manifest, backup_id
from holdfast.model.component import Problem
from holdfast.model.event import Progress
from holdfast.operations import space
from holdfast.operations.base import Base, choose_base
from holdfast.operations.context import AppContext
from holdfast.operations.create_report import create_report, is_missing, outcome_of
from holdfast.operations.destinations import Destination, end, ensure_one, everywhere
from holdfast.operations.emptied import refuse_emptied
from holdfast.operations.hooks import problem_of
from holdfast.operations.lanes import Lane
from holdfast.operations.read_source import SourceReader
from holdfast.operations.reports import CreateReport, RetentionResult
from holdfast.operations.requests import CreateRequest
from holdfast.operations.retention import retain
from holdfast.operations.scratch import part, scratch_base, scratch_directory
from holdfast.operations.shrink import shrunk
from holdfast.protocols.source import Source
from holdfast.protocols.target import Target
from holdfast.runtime import host
from holdfast.runtime.memory import return_freed_memory


class CreateRun:
    """One backup. The caller holds the application's lock.

    Args:
        sources: in the order in which they are read.
        after: runs the hooks after a backup, once; what failed.
    """

    def __init__(
        self,
        context: AppContext,
        request: CreateRequest,
        sources: Sequence[Source],
        targets: Sequence[Target],
        after: Callable[[], Sequence[HookFailed]],
    ) -> None:
        self._context = context
        self._request = request
        self._sources = sources
        self._after = after
        self._kind = request.type
        cancelled = context.cancel.raise_if_cancelled
        self._destinations = [Destination(target, Lane(target, context.stall_s, cancelled)) for target in targets]
        self._estimated: dict[str, int] = {}
        self._problems: list[Problem] = []
        self._seconds: dict[str, float] = {}
        self._created_at = context.now().replace(microsecond=0)
        self._id = self._base_id = ""

    def run(self) -> CreateReport:
        """All steps. Nothing is listed anywhere if this raises, unless a target committed before it was cancelled."""
        try:
            with scratch_directory(self._context) as scratch:
                self._look()
                with part(scratch, "base") as states:
                    self._read(scratch, self._base(states))
            self._commit()
            with self._stage("hooks"):
                hooks_failed = self._after()
                self._problems += [problem_of(error) for error in hooks_failed]
            self._verify()
            return create_report(
                request=self._request,
                manifest=self._manifest(),
                destinations=self._destinations,
                problems=self._problems,
                retention=self._retain(),
                hooks_failed=hooks_failed,
                seconds=self._seconds,
                estimated_bytes=sum(self._estimated.values()),
            )
        finally:
            end(self._destinations)

    @contextmanager
    def _stage(self, name: str) -> Generator[None]:
        self._context.cancel.raise_if_cancelled()
        self._context.listener(Progress(phase=name))
        began = self._context.clock.monotonic()
        try:
            yield
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + self._context.clock.monotonic() - began

    def _look(self) -> None:
        """Finds out before anything is written whether this can work, and which id is free everywhere."""
        with self._stage("preflight"):
            for source in self._sources:
                self._context.cancel.raise_if_cancelled()
                source.preflight()
            self._estimated = space.estimates(self._sources)
            space.check_scratch_space(scratch_base(self._context), self._sources)
            everywhere(self._destinations, lambda destination: destination.prepare)
            for destination in self._alive():
                self._check_space(destination)
            ensure_one(self._destinations)
        taken = {stored.backup_id for destination in self._destinations for stored in destination.former}
        self._id = backup_id(self._created_at, taken)

    def _check_space(self, destination: Destination) -> None:
        target = destination.target
        needed = space.needed_in_target(
            self._kind, self._estimated, destination.former, deduplicates=not target.keeps_changes
        )
        try:
            space.check_target_space(target.name, needed, destination.free_bytes)
        except TargetError as error:
            destination.lane.fail(error)

    def _alive(self) -> list[Destination]:
        return [destination for destination in self._destinations if destination.alive]

    def _base(self, states: Path) -> Base | None:
        """What an incremental backup is compared with; None where nothing needs to be."""
        keeping = [destination for destination in self._alive() if destination.target.keeps_changes]
        if self._kind is not BackupType.INCREMENTAL or not keeping:
            return None
        try:
            return choose_base(
                [destination.target for destination in keeping],
                {destination.target.name: destination.former for destination in keeping},
                self._sources,
                self._request.since,
                states,
            )
        except NoBase as error:
            if not self._request.fallback:
                raise
            self._full_instead(error)
            return None

    def _full_instead(self, error: NoBase) -> None:
        self._kind = BackupType.FULL
        self._problems.append(Problem(code="full-instead", subject=self._id, detail=error.phrase))

    def _read(self, scratch: Path, base: Base | None) -> None:
        try:
            self._read_all(scratch, base)
        except NoBase as error:
            # The base is there, but changes from it cannot be told. What was begun is dropped; the id stays free.
            self._full_instead(error)
            everywhere(self._destinations, lambda destination: destination.abort)
            self._read_all(scratch, None)

    def _read_all(self, scratch: Path, base: Base | None) -> None:
        # Whoever asks for an incremental backup and gets a full one will ask again.
        keep_state = self._context.keep_state or self._request.type is BackupType.INCREMENTAL
        self._begin(base)
        for number, source in enumerate(self._sources):
            with self._stage(f"read {source.name}"), part(scratch, f"source-{number}") as room:
                reader = SourceReader(self._context, self._kind, self._destinations, base, keep_state=keep_state)
                reader.read(source, room)
                self._refuse_emptied(source)
            # What one source needed is not held while the next one needs something else.
            return_freed_memory()

    def _refuse_emptied(self, source: Source) -> None:
        alive = self._alive()
        components = [each.components[source.name] for each in alive if source.name in each.components]
        former = [stored.manifest for each in alive for stored in each.former]
        refuse_emptied(components, former, self._request.accept_empty)

    def _begin(self, base: Base | None) -> None:
        plain = self._manifest()
        based = self._manifest(base.backup_id if base is not None else "")
        verified = self._context.verify_after
        with self._stage("begin"):
            everywhere(
                self._destinations,
                lambda each: partial(each.begin, based if each.target.keeps_changes else plain, verified=verified),
            )
        self._base_id = based.base_id

    def _manifest(self, base_id: str = "") -> Manifest:
        return Manifest(
            backup_id=self._id,
            app=self._context.app,
            type=self._kind,
            created_at=self._created_at,
            finished_at=self._context.now(),
            components={},
            base_id=base_id,
            since=self._request.since if self._kind is BackupType.INCREMENTAL else None,
            host=self._context.host or host.hostname(),
            program=self._context.program or f"holdfast {__version__}",
        )

    def _commit(self) -> None:
        """INVARIANT: everything was read and reconciled, in every target that is alive, before any target commits."""
        with self._stage("commit"):
            everywhere(self._destinations, lambda destination: partial(destination.commit, self._whole(destination)))
        for destination in self._destinations:
            if destination.stored is not None:
                found = [p for c in destination.stored.manifest.components.values() for p in c.problems]
                self._problems += [problem for problem in found if problem not in self._problems]

    def _whole(self, destination: Destination) -> Manifest:
        manifest = self._manifest(self._base_id if destination.target.keeps_changes else "")
        components = dict(destination.components)
        return msgspec.structs.replace(manifest, components=components, outcome=outcome_of(components.values()))

    def _verify(self) -> None:
        if not self._context.verify_after:
            return
        with self._stage("verify"):
            listener, now = self._context.listener, self._context.now
            stored = [destination for destination in self._destinations if destination.stored is not None]
            # The backup is listed by now: whatever goes wrong from here on is reported, not raised.
            everywhere(stored, lambda destination: partial(destination.verify, listener, now), one_must_be_left=False)

    def _retain(self) -> tuple[RetentionResult, ...]:
        """SAFETY: nothing is removed after a run that did not succeed everywhere, or that found suddenly less."""
        if not self._request.retention:
            return ()
        reason = self._reason_to_keep_everything()
        if reason:
            return tuple(RetentionResult(target=each.target.name, skipped=reason) for each in self._destinations)
        with self._stage("retention"):
            results: Mapping[str, RetentionResult] = everywhere(
                self._destinations, lambda each: partial(self._retain_in, each), one_must_be_left=False
            )
        return tuple(results.values())

    def _reason_to_keep_everything(self) -> str:
        if any(not destination.alive or destination.stored is None for destination in self._destinations):
            return Phrase("not every target has the new backup", {})
        if any(is_missing(problem) for problem in self._problems):
            return Phrase("something is missing in the new backup", {})
        smaller: list[Problem] = []
        for destination in self._destinations:
            assert destination.stored is not None
            found = shrunk(destination.stored.manifest, [stored.manifest for stored in destination.former])
            smaller += [problem for problem in found if problem not in smaller]
        for problem in smaller:
            self._problems.append(problem)
        return Phrase("the new backup is much smaller than former ones", {}) if smaller else ""

    def _retain_in(self, destination: Destination) -> RetentionResult:
        name = destination.target.name
        rules = self._request.keep or self._context.keep_by_target.get(name, self._context.keep)
        return retain(destination.target, rules, self._context.now(), kind=self._kind)
