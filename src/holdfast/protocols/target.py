"""What keeps backups."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from holdfast.model.backup import Manifest, Marks, StoredBackup
from holdfast.model.buffer import Buffer
from holdfast.model.component import Component, Form, Problem, Role
from holdfast.model.event import Listener
from holdfast.protocols.content import Entry, StoredContent


class ComponentWriter(Protocol):
    """Takes the entries of one component. All methods but `wants` are called from one thread."""

    def wants(self, entry: Entry) -> bool:
        """Whether the content of a regular file is needed; called from the reading thread, in the order of entries."""
        ...

    def begin(self, entry: Entry) -> None:
        """The next entry. For a regular file whose content is wanted, `write` and `end` or `spoil` follow."""
        ...

    def write(self, block: Buffer) -> None:
        """More of the current file."""
        ...

    def end(self, sha256: bytes, size_bytes: int) -> None:
        """The current file is whole."""
        ...

    def spoil(self) -> None:
        """The current file could not be read to its end; the source's problem is noted in the component."""
        ...

    def finish(self, state: Path | None = None) -> None:
        """All entries were given; `state` is kept beside them."""
        ...


@runtime_checkable
class TakesFiles(Protocol):
    """A `ComponentWriter` that may take a file over as it is, where that saves writing its content a second time."""

    def begin_with(self, entry: Entry, file: Path) -> bool:
        """The next entry, a regular file whose content is wanted and lies in a file of the run's own.

        Returns:
            True if the file itself is now what will be kept: its content is not written. False if `write` follows as
            after `begin`. In both cases `end` or `spoil` follows.
        """
        ...

    def settle(self) -> None:
        """Makes durable what was taken over, while its content is still being hashed."""
        ...


@runtime_checkable
class MakesItself(Protocol):
    """A `Target` that the first backup makes."""

    @property
    def is_to_be_made(self) -> bool:
        """Whether there was nothing at its place so far, as far as this machine knows, and `prepare` may make it."""
        ...


@runtime_checkable
class MayNotOpen(Protocol):
    """A `Target` that may keep what this machine cannot open, such as files that are encrypted to somebody else."""

    def opens(self, backup: StoredBackup) -> bool:
        """Whether `verify` looks into what is stored of a backup; without, it compares the files' checksums alone."""
        ...


class BackupWriter(Protocol):
    """One backup on its way into a target: not listed until `commit` returned."""

    def component(self, component: Component) -> ComponentWriter:
        """Begins a component; the counts in it are not known yet."""
        ...

    def commit(self, manifest: Manifest) -> StoredBackup:
        """Makes the backup durable and listed, in one step, after everything it needs; checks what was stored.

        Args:
            manifest: with all counts and digests; the target fills in its own files and sizes.
        """
        ...

    def abort(self) -> None:
        """Leaves nothing that is listed; does nothing after `commit`."""
        ...


@runtime_checkable
class ProvesItself(Protocol):
    """A `BackupWriter` whose `commit` may have proved everything that `Target.verify` would.

    Attributes:
        is_proved: after `commit`, whether it did.
    """

    @property
    def is_proved(self) -> bool: ...

    def prove_beside(self) -> None:
        """Says, before the first component, that somebody will verify: what can be proved while writing, should be."""
        ...


class Target(Protocol):
    """A place that keeps backups. Errors are `TargetError`s; none is ever a warning."""

    @property
    def name(self) -> str:
        """The operator's name for it."""
        ...

    @property
    def kind(self) -> str:
        """`archive` or `repository`."""
        ...

    @property
    def url(self) -> str:
        """Where it is, for people, with secrets left out."""
        ...

    def form_for(self, forms: Sequence[Form], role: Role) -> Form:
        """Which of the forms a dump can have is kept here."""
        ...

    @property
    def keeps_changes(self) -> bool:
        """Whether an incremental backup is kept as changes here; a repository needs none."""
        ...

    def prepare(self) -> None:
        """Makes the location ready, and proves that it can be written to. Removes what interrupted runs left."""
        ...

    def free_bytes(self) -> int | None:
        """How much more fits; None where nobody can tell."""
        ...

    def begin(self, manifest: Manifest) -> BackupWriter:
        """Begins a backup; id, type and times of the manifest are known."""
        ...

    def backups(self) -> list[StoredBackup]:
        """Committed backups, newest first."""
        ...

    def content(self, backup: StoredBackup, component: str) -> StoredContent:
        """A component of a backup. Raises `ComponentNotFound`."""
        ...

    def state(self, backup: StoredBackup, component: str, into: Path) -> bool:
        """Writes the state kept with a component into a file; False if there is none."""
        ...

    def verify(self, backup: StoredBackup, listener: Listener) -> list[Problem]:
        """Reads everything of a backup that is stored and compares checksums; what is wrong, or nothing."""
        ...

    def mark(self, backup: StoredBackup, marks: Marks) -> None:
        """Replaces what is noted about a backup."""
        ...

    def remove(self, backups: Sequence[StoredBackup]) -> None:
        """Deletes backups: first they are no longer listed, then their content goes."""
        ...

    def close(self) -> None:
        """Gives back connections and locks."""
        ...
