"""What a run does with its targets, each in its lane; what goes wrong with one concerns no other."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import TypeVar

import msgspec

from holdfast.errors import BackupDamaged, HoldfastError
from holdfast.model.backup import Manifest, Marks, StoredBackup
from holdfast.model.component import Component
from holdfast.model.event import Listener
from holdfast.operations.checking import damage_of, looks_inside, noted
from holdfast.operations.lanes import Lane, gather
from holdfast.operations.reports import CopyReport
from holdfast.protocols.target import BackupWriter, ProvesItself, Target

T = TypeVar("T")

_ABORT_S = 30.0


class Destination:
    """One target of a run.

    Attributes:
        former: backups that were there before, newest first.
        free_bytes: None where nobody can tell.
        components: what was written into it, by name.
        stored: the backup once it is committed.
    """

    def __init__(self, target: Target, lane: Lane) -> None:
        self.target = target
        self.lane = lane
        self.former: list[StoredBackup] = []
        self.free_bytes: int | None = None
        self.writer: BackupWriter | None = None
        self.components: dict[str, Component] = {}
        self.stored: StoredBackup | None = None
        self._is_proved = False

    @property
    def alive(self) -> bool:
        """Whether nothing went wrong so far."""
        return self.lane.error is None

    def prepare(self) -> None:
        """Looks at the target; runs in its lane."""
        self.target.prepare()
        self.former = sorted(self.target.backups(), key=lambda stored: stored.manifest.created_at, reverse=True)
        self.free_bytes = self.target.free_bytes()

    def begin(self, manifest: Manifest, *, verified: bool) -> None:
        """Begins the backup, which will be verified or not; runs in its lane."""
        self.components = {}
        self.writer = self.target.begin(manifest)
        if verified and isinstance(self.writer, ProvesItself):
            self.writer.prove_beside()

    def abort(self) -> None:
        """Forgets what was begun; runs in its lane, also after an error."""
        writer, self.writer = self.writer, None
        if writer is not None and self.stored is None:
            writer.abort()

    def commit(self, manifest: Manifest) -> None:
        """Makes the backup listed; runs in its lane."""
        assert self.writer is not None
        self.stored = self.writer.commit(manifest)
        self._is_proved = isinstance(self.writer, ProvesItself) and self.writer.is_proved

    def verify(self, listener: Listener, now: Callable[[], datetime]) -> None:
        """Reads the backup again, unless its commit did, and notes how it is; runs in its lane.

        Raises:
            BackupDamaged: it is not what was written.
        """
        stored = self.stored
        assert stored is not None
        if stored.marks.verified_at is not None:
            return
        opened = self._is_proved or looks_inside(self.target, stored)
        problems = [] if self._is_proved else self.target.verify(stored, self.lane.heard(listener))
        self._mark(noted(stored.marks, problems, now(), opened=opened))
        if problems:
            raise BackupDamaged(backup=stored.backup_id, target=self.target.name, reason=damage_of(problems))

    def _mark(self, marks: Marks) -> None:
        assert self.stored is not None
        self.target.mark(self.stored, marks)
        self.stored = msgspec.structs.replace(self.stored, marks=marks)

    def report(self) -> CopyReport:
        """What became of the backup here."""
        return CopyReport(target=self.target.name, stored=self.stored, error=self.lane.error)


def everywhere(
    destinations: Sequence[Destination],
    function: Callable[[Destination], Callable[[], T]],
    *,
    one_must_be_left: bool = True,
) -> dict[str, T]:
    """Does something with every target that is alive, at the same time; results by target's name.

    Raises:
        TargetError: no target is left, and one must be; the first one's error.
        Interrupted: while waiting.
    """
    answers: dict[Lane, Future[T]] = {}
    for destination in destinations:
        if destination.alive:
            answers[destination.lane] = destination.lane.ask(function(destination))
    results = gather(answers)
    if one_must_be_left:
        ensure_one(destinations)
    return {lane.target.name: result for lane, result in results.items()}


def ensure_one(destinations: Sequence[Destination]) -> None:
    """Raises the first target's error if none is left."""
    errors = [destination.lane.error for destination in destinations if destination.lane.error is not None]
    if errors and len(errors) == len(destinations):
        raise errors[0]


def end(destinations: Sequence[Destination], grace_s: float = _ABORT_S) -> None:
    """Aborts what was begun and not committed, and ends the threads. One that does not come back is left behind."""
    aborting = {destination.lane: destination.lane.always(destination.abort) for destination in destinations}
    for lane, answer in aborting.items():
        # An abort that fails leaves files that are not listed; the next `prepare` removes them.
        with contextlib.suppress(HoldfastError, TimeoutError):
            answer.result(timeout=0.0 if lane.given_up else grace_s)
    for destination in destinations:
        destination.lane.close(0.0 if destination.lane.given_up else 1.0)
