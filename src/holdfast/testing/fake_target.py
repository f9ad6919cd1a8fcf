"""A target in memory that keeps every promise of the protocol and checks that its caller does too."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec

from holdfast.archive.digest import ContentDigest
from holdfast.errors import BackupNotFound, ComponentNotFound, HashMismatch, OutOfSpace
from holdfast.model.backup import Manifest, Marks, StoredBackup
from holdfast.model.buffer import Buffer
from holdfast.model.component import Component, Form, Problem, Role
from holdfast.model.event import Listener, Progress
from holdfast.model.node import NodeType
from holdfast.protocols.content import Entry, StoredContent
from holdfast.testing.fake_content import FakeContent, Kept
from holdfast.testing.fake_source import Step, nothing


class FakeTarget:
    """Backups in memory.

    Attributes:
        contents: entries by backup and component.
        states: by backup and component.
        not_wanted: paths whose content is taken from the newest backup instead of being asked for.
        capacity_bytes: `write` fails beyond this; None for no limit.
        threads: those that called a writer.
        step: told each step before it is done.
    """

    def __init__(
        self,
        name: str,
        *,
        kind: str = "archive",
        url: str = "",
        form: Form = Form.NATIVE,
        keeps_changes: bool | None = None,
        step: Step = nothing,
    ) -> None:
        self.name = name
        self.kind = kind
        self.url = url or f"/fake/{name}"
        self.keeps_changes = kind == "archive" if keeps_changes is None else keeps_changes
        self.form = form
        self.step = step
        self.free: int | None = None
        self.capacity_bytes: int | None = None
        self.contents: dict[str, dict[str, list[Kept]]] = {}
        self.states: dict[str, dict[str, bytes]] = {}
        self.not_wanted: set[bytes] = set()
        self.threads: set[int] = set()
        self.removed: list[str] = []
        self._stored: dict[str, StoredBackup] = {}

    def form_for(self, forms: Sequence[Form], role: Role) -> Form:  # noqa: ARG002 - the protocol gives it
        """The one this target was made for, if there is a choice."""
        return self.form if self.form in forms else forms[0]

    def prepare(self) -> None:
        """Nothing to prepare."""
        self.step("prepare")

    def free_bytes(self) -> int | None:
        """As told."""
        self.step("free")
        return self.free

    def begin(self, manifest: Manifest) -> FakeBackupWriter:
        """A backup that nobody sees yet."""
        self.step("begin")
        assert manifest.backup_id not in self._stored, "a backup id was used twice"
        return FakeBackupWriter(self, manifest)

    def backups(self) -> list[StoredBackup]:
        """Newest first."""
        self.step("backups")
        return sorted(self._stored.values(), key=lambda stored: stored.manifest.created_at, reverse=True)

    def content(self, backup: StoredBackup, component: str) -> StoredContent:
        """Proved by checksum while it is read."""
        self.step("content")
        known = self.contents.get(backup.backup_id)
        if known is None:
            raise BackupNotFound(backup=backup.backup_id, target=self.name)
        if component not in known:
            raise ComponentNotFound(backup=backup.backup_id, component=component, known=", ".join(known))
        return FakeContent(backup.manifest.components[component], known[component], self.step)

    def state(self, backup: StoredBackup, component: str, into: Path) -> bool:
        """Writes the state if one was kept."""
        self.step("state")
        data = self.states.get(backup.backup_id, {}).get(component)
        if data is not None:
            into.write_bytes(data)
        return data is not None

    def verify(self, backup: StoredBackup, listener: Listener) -> list[Problem]:
        """Compares all checksums."""
        self.step("verify")
        listener(Progress(phase="verify", current=backup.backup_id))
        return [
            Problem(code="hash-mismatch", subject=f"{name}/{kept.entry.path.decode()}")
            for name, entries in self.contents[backup.backup_id].items()
            for kept in entries
            if kept.sha256 and hashlib.sha256(kept.data).digest() != kept.sha256
        ]

    def mark(self, backup: StoredBackup, marks: Marks) -> None:
        """Replaces the marks."""
        self.step("mark")
        if backup.backup_id not in self._stored:
            raise BackupNotFound(backup=backup.backup_id, target=self.name)
        self._stored[backup.backup_id] = msgspec.structs.replace(self._stored[backup.backup_id], marks=marks)

    def remove(self, backups: Sequence[StoredBackup]) -> None:
        """First the record, then the content."""
        for backup in backups:
            self.step(f"remove:{backup.backup_id}")
            self._stored.pop(backup.backup_id, None)
            self.contents.pop(backup.backup_id, None)
            self.removed.append(backup.backup_id)

    def close(self) -> None:
        """Nothing to give back."""
        self.step("close")

    def put(self, stored: StoredBackup, contents: dict[str, list[Kept]], states: dict[str, bytes]) -> None:
        """Makes a backup listed."""
        self._stored[stored.backup_id] = stored
        self.contents[stored.backup_id] = contents
        self.states[stored.backup_id] = states

    def damage(self, backup_id: str, component: str) -> None:
        """Changes what is stored of one file, or of the first that has any content."""
        kept = next(kept for kept in self.contents[backup_id][component] if kept.data)
        kept.data = bytes([kept.data[0] ^ 1]) + kept.data[1:]

    def files(self, backup_id: str, component: str) -> dict[str, bytes]:
        """What is stored, by path."""
        entries = self.contents[backup_id][component]
        return {kept.entry.path.decode(): kept.data for kept in entries if kept.entry.node.type is NodeType.FILE}


class FakeBackupWriter:
    """One backup on its way."""

    def __init__(self, target: FakeTarget, manifest: Manifest) -> None:
        self._target = target
        self._manifest = manifest
        self._writers: dict[str, FakeComponentWriter] = {}
        self._done = False

    def component(self, component: Component) -> FakeComponentWriter:
        """Begins a component."""
        self._target.step("component")
        assert not self._done
        assert component.name not in self._writers, "a component was begun twice"
        writer = FakeComponentWriter(self._target, component)
        self._writers[component.name] = writer
        return writer

    def commit(self, manifest: Manifest) -> StoredBackup:
        """Lists the backup if what was stored is what the manifest says."""
        self._target.step("commit")
        assert not self._done, "a backup was committed after its end"
        assert manifest.backup_id == self._manifest.backup_id
        assert set(manifest.components) == set(self._writers), "the manifest names other components"
        for name, component in manifest.components.items():
            self._writers[name].check(component)
        size = sum(len(kept.data) for writer in self._writers.values() for kept in writer.kept)
        stored = StoredBackup(
            target=self._target.name,
            manifest=msgspec.structs.replace(manifest, total_size=size),
            location=f"{self._target.url}/{manifest.backup_id}",
        )
        self._target.put(
            stored,
            {name: writer.kept for name, writer in self._writers.items()},
            {name: writer.state for name, writer in self._writers.items() if writer.state is not None},
        )
        self._done = True
        self._target.step("committed")
        return stored

    def abort(self) -> None:
        """Forgets everything."""
        self._target.step("abort")
        self._done = True


class FakeComponentWriter:
    """One component on its way; complains about a caller that does not keep to the order of calls."""

    def __init__(self, target: FakeTarget, component: Component) -> None:
        self._target = target
        self._component = component
        self._open = False
        self._finished = False
        self._current = bytearray()
        self._taken_bytes = 0
        self.kept: list[Kept] = []
        self.state: bytes | None = None

    def wants(self, entry: Entry) -> bool:
        """Not what the target was told it has."""
        self._target.step(f"wants:{entry.path.decode()}")
        return entry.path not in self._target.not_wanted

    def begin(self, entry: Entry) -> None:
        """The next entry."""
        self._called("begin")
        assert not self._open, "an entry began before the one before it ended"
        self.kept.append(Kept(entry=entry))
        if entry.node.type is NodeType.FILE:
            if entry.path in self._target.not_wanted:
                self._take_over(self.kept[-1])
            else:
                self._open = True

    def write(self, block: Buffer) -> None:
        """More of the file."""
        self._called("write")
        assert self._open
        self._current += block
        self._taken_bytes += len(block)
        limit = self._target.capacity_bytes
        if limit is not None and self._taken_bytes > limit:
            raise OutOfSpace(url=self._target.url, object=self._component.name)

    def end(self, sha256: bytes, size_bytes: int) -> None:
        """Checks what it is told about the file."""
        self._called("end")
        assert self._open
        kept = self._ended()
        assert (hashlib.sha256(kept.data).digest(), len(kept.data)) == (sha256, size_bytes), "told another digest"
        kept.sha256 = sha256

    def spoil(self) -> None:
        """What there is of the file counts for nothing."""
        self._called("spoil")
        assert self._open
        self._ended().spoiled = True

    def finish(self, state: Path | None = None) -> None:
        """Keeps the state."""
        self._called("finish")
        assert not self._open
        self.state = state.read_bytes() if state is not None else None
        self._finished = True

    def check(self, component: Component) -> None:
        """Whether a component describes what is kept."""
        assert self._finished, "committed before every component was finished"
        files = [kept for kept in self.kept if kept.entry.node.type is NodeType.FILE and not kept.spoiled]
        assert component.file_count == len(files), "another number of files"
        assert component.content_bytes == sum(len(kept.data) for kept in files), "another size"
        digest = ContentDigest()
        for kept in self.kept:
            digest.feed(kept.entry, kept.sha256 or None, len(kept.data))
        if component.content_sha256 and component.content_sha256 != digest.hexdigest():
            raise HashMismatch(object=component.name, actual=digest.hexdigest())

    def _ended(self) -> Kept:
        kept = self.kept[-1]
        kept.data, self._current, self._open = bytes(self._current), bytearray(), False
        return kept

    def _called(self, method: str) -> None:
        self._target.step(f"{method}:{self._component.name}")
        self._target.threads.add(threading.get_ident())
        assert not self._finished, f"{method} after finish"

    def _take_over(self, kept: Kept) -> None:
        newest = self._target.backups()[0]
        former = self._target.files(newest.backup_id, self._component.name)
        kept.data = former[kept.entry.path.decode()]
        kept.sha256 = hashlib.sha256(kept.data).digest()
