"""Backups where something beside the path of bytes goes wrong or is asked for in an unusual way."""

from __future__ import annotations

import os
import pickle
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.backends.memory import MemoryBackend
from holdfast.errors import LockLost, ObjectNotFound, SealVerificationFailed
from holdfast.model.blob import BlobType
from holdfast.model.buffer import Buffer
from holdfast.model.ids import IndexId
from holdfast.protocols import FileKind, StoredObject
from holdfast.repository.backup.chunker import MIN_BYTES
from holdfast.repository.backup.report import BackupOptions
from holdfast.repository.backup.resume import ResumeJournal
from holdfast.repository.backup.run import backup
from holdfast.repository.backup.small_files import Job, SavedFile, save_small_files
from holdfast.repository.backup.streams import StreamBlocks, StreamSaver
from holdfast.repository.blobs import Compression
from holdfast.repository.index import Index
from holdfast.repository.index_probe import IndexProbe
from holdfast.repository.writer import PackWriter
from holdfast.runtime.cancel import CancelToken
from holdfast.runtime.workers import WorkerPool
from repository_kit import new_repository
from unit.backup.conftest import Kit

Write = Callable[..., Path]


# --- worker processes and what they share ------------------------------------------------------------


def test_an_error_survives_the_way_from_a_worker_process() -> None:
    for error in (SealVerificationFailed(object="data blob"), ObjectNotFound(url="u", object="pack/00")):
        arrived = pickle.loads(pickle.dumps(error))
        assert type(arrived) is type(error)
        assert (arrived.context, str(arrived)) == (error.context, str(error))


def test_a_probe_of_an_index_that_is_not_there_says_no(tmp_path: Path) -> None:
    probe = IndexProbe(str(tmp_path / "index.sqlite"))
    probe.refresh()
    assert not probe.contains(BlobType.DATA, bytes(32))


@pytest.mark.parametrize("name", ["with#hash", "with?mark", "with%41"])
def test_a_probe_finds_the_database_whatever_its_folder_is_called(kit: Kit, tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    kit.repository.cache_dir = folder
    (tmp_path / "file").write_bytes(b"content")
    with Index(kit.repository) as kit.index:
        report = kit.backup(tmp_path / "file")
        content = [node for node in kit.files(report).values() if node.content]
        probe = IndexProbe(str(kit.index.path))
        probe.refresh()
        assert probe.contains(BlobType.DATA, (content[0].content or ())[0])


def test_small_files_are_held_against_the_database_that_is_there_now(kit: Kit, write: Write) -> None:
    file = write("file")
    kit.backup(file)
    path = str(kit.index.path)
    job = Job(kit.repository.master, Compression.AUTO, path, False)
    names = [(os.fsencode(file), b"file")]
    assert SavedFile(*save_small_files(job, names)[0]).blobs[0][1] is None  # type: ignore[arg-type]
    kit.index.close()
    for suffix in ("", "-wal", "-shm"):
        Path(path + suffix).unlink(missing_ok=True)
    sqlite3.connect(path).close()
    # INVARIANT: what an outdated index knows must not keep a blob from being stored.
    assert SavedFile(*save_small_files(job, names)[0]).blobs[0][1] is not None  # type: ignore[arg-type]


def test_threads_without_processes_do_not_share_their_tools(kit: Kit, write: Write) -> None:
    file = write("file")
    kit.backup(file)
    job = Job(kit.repository.master, Compression.AUTO, str(kit.index.path), False)
    found: list[Any] = []
    save_small_files(job, [(os.fsencode(file), b"file")])
    thread = threading.Thread(target=lambda: found.append(save_small_files(job, [(os.fsencode(file), b"file")])))
    thread.start()
    thread.join()
    assert len(found) == 1


# --- claims ------------------------------------------------------------------------------------------


class _FailingWriter(PackWriter):
    """Cannot take data blobs; says so only after the stream has failed."""

    def __init__(self, *args: Any, go_on: threading.Event) -> None:
        super().__init__(*args)
        self._go_on = go_on

    def add(self, kind: BlobType, blob_id: bytes, sealed: Buffer, raw_length: int) -> None:
        self._go_on.wait(10)
        raise SealVerificationFailed(object="data blob")


class _BreakingStream:
    """Gives some bytes, then an error of the source."""

    def __init__(self) -> None:
        self._left = 40

    def read(self, size: int) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise OSError(5, "Input/output error")
        return os.urandom(min(size, MIN_BYTES))


def test_a_blob_that_was_claimed_and_never_stored_stops_the_backup_though_its_file_is_unreadable(kit: Kit) -> None:
    go_on = threading.Event()
    with _FailingWriter(kit.repository, kit.index, go_on=go_on) as writer:
        saver = StreamSaver(kit.repository, writer, Compression.AUTO, CancelToken())
        stream: Any = _BreakingStream()
        with pytest.raises(OSError, match="Input/output"):
            saver.save(StreamBlocks(stream), b"/file")
        go_on.set()
        saver.close()
        with pytest.raises(SealVerificationFailed):
            writer.flush()


# --- the journal of a run that did not finish --------------------------------------------------------


def test_the_journal_tells_folders_apart_that_a_relative_target_was_taken_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    monkeypatch.chdir(tmp_path / "one")
    journal = ResumeJournal(tmp_path)
    journal.note(b"config", b"node")
    journal.keep()
    journal.close()
    assert ResumeJournal(tmp_path).entry(b"config") == b"node"
    monkeypatch.chdir(tmp_path / "two")
    assert ResumeJournal(tmp_path).entry(b"config") is None
    assert ResumeJournal(tmp_path).entry(os.fsencode(tmp_path / "one" / "config")) == b"node"


class _Counting(WorkerPool):
    def __init__(self) -> None:
        super().__init__(0)
        self.batches = 0

    def submit(self, *args: Any, **named: Any) -> Any:
        self.batches += 1
        return super().submit(*args, **named)


class _LostAtTheEnd:
    """A lock that is lost after the first index file."""

    def __init__(self) -> None:
        self._asked = 0

    def ensure_held(self) -> None:
        self._asked += 1
        if self._asked > 1:
            raise LockLost(url="memory", reason="the test took it away")


def test_force_reads_also_what_an_interrupted_run_noted(kit: Kit, write: Write, source: Path) -> None:
    write("file")
    lost: Any = _LostAtTheEnd()
    with pytest.raises(LockLost):
        backup(kit.repository, kit.index, lost, [str(source)], BackupOptions())
    kit.pool = pool = _Counting()
    kit.backup(source, force=True)
    assert pool.batches == 1


# --- what is left out --------------------------------------------------------------------------------


def test_a_fifo_that_is_called_like_a_marker_is_not_waited_for(kit: Kit, write: Write, source: Path) -> None:
    write("keep")
    os.mkfifo(source / "CACHEDIR.TAG")
    release = threading.Timer(5, lambda: os.close(os.open(source / "CACHEDIR.TAG", os.O_RDWR)))
    release.start()
    began = time.monotonic()
    report = kit.backup(source, exclude_if_present=("CACHEDIR.TAG:Signature: x",))
    release.cancel()
    assert time.monotonic() - began < 4
    assert os.fsencode(source / "keep") in kit.files(report)


def test_excludes_hold_for_what_a_dot_stands_for(
    kit: Kit, write: Write, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.log", "b", "sub/c.log", "sub/d", "cache/e"):
        write(name, b"12345")
    write("big", bytes(100))
    monkeypatch.chdir(source)
    report = kit.backup(".", excludes=("*.log", str(source / "cache")), exclude_larger_than=50)
    assert set(kit.files(report)) == {b"/b", b"/sub", b"/sub/d"}
    write(".nobackup")
    assert set(kit.files(kit.backup(".", exclude_if_present=(".nobackup",)))) == {b"/.nobackup"}


def test_targets_that_are_excluded_are_left_out(kit: Kit, write: Write, source: Path) -> None:
    kept, left_out = write("b.txt"), write("a.log")
    recorded = kit.files(kit.backup(kept, left_out, excludes=("*.log",)))
    assert os.fsencode(kept) in recorded
    assert os.fsencode(left_out) not in recorded


def test_a_mount_point_in_the_folder_asked_for_is_another_file_system(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    roots = [name for name in os.listdir("/") if name not in ("proc", "dev")]
    report = kit.backup(".", one_file_system=True, excludes=tuple(f"/{name}" for name in roots))
    recorded = kit.files(report)
    assert b"/proc" in recorded
    assert not [path for path in recorded if path.startswith(b"/proc/")]


# --- the index that processes share ------------------------------------------------------------------


class _Interleaved(MemoryBackend):
    """Lets something else happen between a listing and what is done with it."""

    meanwhile: Callable[[], None] | None = None

    def list(self, kind: FileKind) -> Iterator[StoredObject]:
        listed = [*super().list(kind)]
        if kind is FileKind.INDEX and self.meanwhile is not None:
            self.meanwhile()
        return iter(listed)


def test_an_index_file_that_another_process_has_just_stored_is_not_dropped(tmp_path: Path) -> None:
    backend = _Interleaved("test")
    repository = new_repository(backend)
    repository.cache_dir = tmp_path
    with Index(repository) as mine, Index(repository) as theirs:
        backend.meanwhile = lambda: theirs.add(IndexId(bytes(32)), [])
        mine.sync()
        assert mine.index_ids() == [bytes(32)]
