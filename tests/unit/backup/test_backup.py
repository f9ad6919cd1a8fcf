"""Backups of real files into a repository in memory."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from holdfast.errors import Interrupted, LockLost, OutOfSpace, SourceError, TargetError
from holdfast.model.event import Event, Progress, Warned
from holdfast.protocols import FileKind
from holdfast.repository.backup.report import BackupOptions
from holdfast.repository.backup.run import Stream, backup
from holdfast.repository.locks import RepositoryLock, acquire
from holdfast.repository.snapshots import load_snapshots
from holdfast.runtime.cancel import CancelToken
from holdfast.runtime.clock import SystemClock
from holdfast.runtime.workers import WorkerPool
from holdfast.testing.zoo import make_zoo
from unit.backup.conftest import Kit

Write = Callable[..., Path]


def _path(path: Path) -> bytes:
    return os.fsencode(path)


def test_everything_in_a_zoo_is_recorded_as_it_is(kit: Kit, source: Path) -> None:
    make_zoo(str(source))
    report = kit.backup(source)
    assert report.problems == ()
    recorded = kit.files(report)
    for folder, dirs, files in os.walk(_path(source)):
        for name in [*dirs, *files]:
            path = os.path.join(folder, name)
            if name == b"socket":
                assert path not in recorded
                continue
            node, status = recorded[path], os.lstat(path)
            assert (node.uid, node.gid, node.mtime_ns, node.inode) == (
                status.st_uid,
                status.st_gid,
                status.st_mtime_ns,
                status.st_ino,
            )
            if node.type == "file":
                assert node.size == status.st_size
                with open(path, "rb") as file:
                    assert kit.read(node) == file.read()
            if node.type == "symlink":
                assert node.linktarget == os.readlink(path)


def test_processes_and_a_single_thread_store_the_same_tree(
    kit: Kit, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_zoo(str(source))
    monkeypatch.chdir(source)
    with WorkerPool(2) as pool:
        alone = kit.backup(".")
        kit.pool = pool
        together = kit.backup(".", force=True)
    assert together.tree == alone.tree
    assert together.data_blobs == 0


def test_a_second_run_reads_nothing_and_stores_nothing(
    kit: Kit, write: Write, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        write(f"dir{number % 3}/file{number}", b"%d" % number)
    monkeypatch.chdir(source)
    first = kit.backup(".")
    second = kit.backup(".")
    assert (first.files_new, second.files_unmodified) == (20, 20)
    assert (second.data_blobs, second.tree_blobs) == (0, 0)
    assert second.tree == first.tree
    assert second.parent == first.snapshot.id  # type: ignore[union-attr]


def test_a_changed_file_and_its_folders_are_stored_again(kit: Kit, write: Write, source: Path) -> None:
    for number in range(20):
        write(f"dir{number % 3}/file{number}", b"%d" % number)
    kit.backup(source)
    changed = write("dir1/file1", b"now different")
    report = kit.backup(source)
    assert (report.files_changed, report.files_unmodified, report.data_blobs) == (1, 19, 1)
    assert kit.read(kit.files(report)[_path(changed)]) == b"now different"


def test_a_lost_blob_is_stored_again_from_the_file(kit: Kit, write: Write, source: Path) -> None:
    path = write("file", b"precious")
    kit.backup(source)
    for name in list(kit.repository.names(FileKind.INDEX)):
        kit.repository.remove(FileKind.INDEX, name)
    report = kit.backup(source)
    assert kit.read(kit.files(report)[_path(path)]) == b"precious"


def test_same_content_is_stored_once(kit: Kit, write: Write, source: Path) -> None:
    for number in range(50):
        write(f"copy{number}", b"the same" * 1000)
    assert kit.backup(source).data_blobs == 1


def test_touching_a_file_changes_its_entry_but_stores_no_data(kit: Kit, write: Write, source: Path) -> None:
    path = write("file")
    kit.backup(source)
    os.utime(path, ns=(5, 5))
    report = kit.backup(source)
    assert (report.files_changed, report.data_blobs) == (1, 0)
    assert kit.files(report)[_path(path)].mtime_ns == 5


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_ignore_ctime_takes_the_content_but_fresh_metadata(kit: Kit, write: Write, source: Path) -> None:
    path = write("file")
    kit.backup(source)
    os.chown(path, 1234, 1234)
    report = kit.backup(source, ignore_ctime=True)
    assert report.files_unmodified == 1
    assert kit.files(report)[_path(path)].uid == 1234


def test_a_file_that_changes_while_it_is_read_is_reported(kit: Kit, write: Write, source: Path) -> None:
    path = write("growing", bytes(random.Random(1).randbytes(60 << 20)))
    stop = threading.Event()

    def grow() -> None:
        with open(path, "ab") as file:
            while not stop.is_set():
                file.write(b"more")
                file.flush()

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        report = kit.backup(source)
    finally:
        stop.set()
        thread.join()
    assert [problem.code for problem in report.problems] == ["changed"]
    assert report.snapshot is not None
    node = kit.files(report)[_path(path)]
    assert node.size == len(kit.read(node))


def test_a_file_that_vanishes_is_reported(kit: Kit, write: Write, source: Path) -> None:
    write("a/kept")
    doomed = write("z/doomed")

    def remove(event: Event) -> None:
        if isinstance(event, Progress) and event.current == str(source):
            doomed.unlink()
            doomed.parent.rmdir()

    class Hasty(SystemClock):
        """Lets the backup tell about every folder."""

        def monotonic(self) -> float:
            return super().monotonic() + next(ticks)

    ticks = count()
    kit.repository.clock = Hasty()
    with acquire(kit.repository, False) as lock:
        report = backup(
            kit.repository, kit.index, lock, [str(source)], BackupOptions(), listener=remove, pool=WorkerPool(0)
        )
    assert [(problem.path, problem.code) for problem in report.problems] == [(_path(doomed.parent), "vanished")]


@pytest.mark.skipif(os.geteuid() != 0, reason="switches to another user")
def test_an_unreadable_file_is_reported_and_left_out(kit: Kit, write: Write, source: Path, tmp_path: Path) -> None:
    secret = write("secret")
    write("open")
    secret.chmod(0)
    closed = source / "closed"
    closed.mkdir(mode=0o000)
    for folder in (tmp_path, *tmp_path.parents):
        if folder != Path("/") and folder.stat().st_uid == 0 and folder.stat().st_mode & 0o005 != 0o005:
            folder.chmod(folder.stat().st_mode | 0o055)
    os.seteuid(65534)
    try:
        report = kit.backup(source)
    finally:
        os.seteuid(0)
    assert {problem.path: problem.code for problem in report.problems} == {
        _path(secret): "unreadable",
        _path(closed): "unreadable",
    }
    assert {event.subject for event in kit.events if isinstance(event, Warned)} == {str(secret), str(closed)}
    assert _path(secret) not in kit.files(report)


def test_a_missing_target_is_an_error_and_commits_nothing(kit: Kit, source: Path) -> None:
    with pytest.raises(SourceError):
        kit.backup(source / "missing")
    assert load_snapshots(kit.repository) == []


def test_cancelling_commits_nothing_and_releases_the_lock(kit: Kit, write: Write, source: Path) -> None:
    write("file")
    token = CancelToken()
    token.cancel()
    with pytest.raises(Interrupted), acquire(kit.repository, False) as lock:
        backup(kit.repository, kit.index, lock, [str(source)], BackupOptions(), cancel=token)
    assert load_snapshots(kit.repository) == []
    assert list(kit.repository.names(FileKind.LOCK)) == []


class _Recording(WorkerPool):
    """Notes how many batches of files were read."""

    def __init__(self) -> None:
        super().__init__(0)
        self.batches = 0

    def submit(self, *args: Any, **named: Any) -> Any:
        self.batches += 1
        return super().submit(*args, **named)


class _LostAt:
    """A lock that is lost when it is asked for the n-th time."""

    def __init__(self, lock: RepositoryLock, number: int) -> None:
        self._lock, self._left = lock, number

    def ensure_held(self) -> None:
        self._left -= 1
        if not self._left:
            raise LockLost(url="memory", reason="the test took it away")
        self._lock.ensure_held()


def test_a_first_backup_that_failed_is_resumed_without_reading_again(kit: Kit, write: Write, source: Path) -> None:
    for number in range(300):
        write(f"{number:03d}", b"%d" % number)
    with acquire(kit.repository, False) as lock:
        lost: Any = _LostAt(lock, 2)
        with pytest.raises(LockLost):
            backup(kit.repository, kit.index, lost, [str(source)], BackupOptions())
    assert load_snapshots(kit.repository) == []
    write("new")
    kit.pool = pool = _Recording()
    report = kit.backup(source)
    assert pool.batches == 1
    assert (report.data_blobs, report.files_new) == (1, 301)
    assert len(kit.files(report)) == 301 + len(source.parts) - 1


def test_a_lock_that_is_lost_before_the_index_commits_nothing(kit: Kit, write: Write, source: Path) -> None:
    write("file")
    with acquire(kit.repository, False) as lock:
        lost: Any = _LostAt(lock, 1)
        with pytest.raises(LockLost):
            backup(kit.repository, kit.index, lost, [str(source)], BackupOptions())
    assert load_snapshots(kit.repository) == []


def test_a_stream_becomes_a_file_in_the_root(kit: Kit) -> None:
    data = random.Random(3).randbytes(3 << 20)
    report = kit.backup(streams={"dump.sql": data})
    node = kit.files(report)[b"/dump.sql"]
    assert kit.read(node) == data
    assert (node.mode, node.size) == (0o644, len(data))
    assert report.snapshot is not None
    assert report.snapshot.paths == ("/dump.sql",)


def test_a_stream_whose_producer_failed_makes_no_snapshot(kit: Kit) -> None:
    def failed() -> None:
        raise SourceError(path="pg_dump", reason="it exited with status 1")

    with pytest.raises(SourceError), acquire(kit.repository, False) as lock, open(os.devnull, "rb") as empty:
        backup(kit.repository, kit.index, lock, [], BackupOptions(), streams=[Stream("dump", empty, check=failed)])
    assert load_snapshots(kit.repository) == []


def test_a_database_with_one_percent_of_its_pages_changed_stores_less_than_a_tenth(kit: Kit, source: Path) -> None:
    path = source / "app.db"
    rng = random.Random(5)
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, body BLOB)")
    database.executemany("INSERT INTO item VALUES (?, ?)", ((i, rng.randbytes(3000)) for i in range(5000)))
    database.commit()
    database.close()
    kit.backup(source)
    pages = path.stat().st_size // 4096
    with open(path, "r+b") as file:
        for page in rng.sample(range(1, pages), pages // 100):
            file.seek(page * 4096 + 64)
            file.write(rng.randbytes(3500))
    report = kit.backup(source)
    assert 0 < report.data_added < path.stat().st_size / 10
    assert report.data_added_packed < path.stat().st_size / 10


def test_excludes_by_pattern_size_marker_and_case(kit: Kit, write: Write, source: Path) -> None:
    for name in ("keep", "a.tmp", "B.TMP", "cache/x", "cache/CACHEDIR.TAG", "big"):
        write(name, b"Signature: 8a477f597d28d172789f06886806bc55" if name.endswith("TAG") else b"x")
    write("big", bytes(5000))
    report = kit.backup(
        source,
        excludes=("*.tmp",),
        insensitive_excludes=("b.tmp",),
        exclude_larger_than=4000,
        exclude_if_present=("CACHEDIR.TAG:Signature: 8a477f597d28d172789f06886806bc55",),
    )
    names = {path[len(_path(source)) + 1 :] for path in kit.files(report) if path.startswith(_path(source) + b"/")}
    assert names == {b"keep", b"cache", b"cache/CACHEDIR.TAG"}


def test_a_very_deep_tree_is_recorded(kit: Kit, source: Path) -> None:
    here = os.open(source, os.O_RDONLY)
    name = "d" * 200
    for _level in range(60):
        os.mkdir(name, dir_fd=here)
        following = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = following
    with open(os.open("bottom", os.O_WRONLY | os.O_CREAT, dir_fd=here), "wb") as file:
        file.write(b"deep down")
    with open(os.open("large", os.O_WRONLY | os.O_CREAT, dir_fd=here), "wb") as file:
        file.write(b"l" * 600_000)
    os.close(here)
    report = kit.backup(source)
    assert report.problems == ()
    bottom = {path[-7:]: node for path, node in kit.files(report).items() if path.endswith((b"/bottom", b"e/large"))}
    assert kit.read(bottom[b"/bottom"]) == b"deep down"


def test_a_tree_of_thousands_of_levels_is_recorded(kit: Kit, source: Path) -> None:
    here = os.open(source, os.O_RDONLY)
    for _level in range(2500):
        os.mkdir("d", dir_fd=here)
        following = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = following
    os.close(here)
    assert kit.backup(source).dirs_new == 2501 + len(source.parts) - 2


def test_relative_targets_begin_at_their_own_name(kit: Kit, write: Write, source: Path) -> None:
    write("sub/file")
    here = os.getcwd()
    os.chdir(source)
    try:
        named, dotted = kit.files(kit.backup("sub")), kit.files(kit.backup("."))
    finally:
        os.chdir(here)
    assert set(named) == {b"/sub", b"/sub/file"}
    assert set(dotted) == {b"/sub", b"/sub/file"}


def test_targets_of_one_name_get_numbers(kit: Kit, write: Write, source: Path) -> None:
    write("a/same/1")
    write("same/2")
    here = os.getcwd()
    os.chdir(source / "a")
    try:
        report = kit.backup("same", "../same")
    finally:
        os.chdir(here)
    assert set(kit.files(report)) == {b"/same", b"/same/1", b"/same-1", b"/same-1/2"}


def test_a_dry_run_stores_nothing(kit: Kit, write: Write, source: Path) -> None:
    write("file")
    report = kit.backup(source, dry_run=True)
    assert report.snapshot is None
    assert report.data_blobs == 1
    assert list(kit.repository.names(FileKind.PACK)) == []


def test_nothing_changed_can_mean_no_snapshot(
    kit: Kit, write: Write, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("file")
    # Relative, because the folders above belong to everybody and may change at any time.
    monkeypatch.chdir(source)
    kit.backup(".")
    assert kit.backup(".", skip_if_unchanged=True).snapshot is None
    assert len(load_snapshots(kit.repository)) == 1


def test_one_file_system_stays_there(kit: Kit) -> None:
    if os.lstat("/proc/self").st_dev == os.lstat("/").st_dev:
        pytest.fail("this machine has no /proc to stay out of")
    recorded = kit.files(kit.backup("/proc/sys/kernel/random", one_file_system=True))
    assert b"/proc/sys/kernel/random/boot_id" in recorded
    assert kit.read(recorded[b"/proc/sys/kernel/random/boot_id"]).count(b"-") == 4


def test_a_full_target_is_an_error_and_not_a_warning(kit: Kit, write: Write, source: Path) -> None:
    write("file")

    class Full:
        def __getattr__(self, name: str) -> object:
            return getattr(kit_backend, name)

        def save(self, handle: object, data: object) -> None:
            raise OutOfSpace(url="memory", object=handle)

    kit_backend = kit.repository.backend
    with acquire(kit.repository, False) as lock:
        kit.repository.backend = Full()  # type: ignore[assignment]
        try:
            with pytest.raises(TargetError):
                backup(kit.repository, kit.index, lock, [str(source)], BackupOptions())
        finally:
            kit.repository.backend = kit_backend
    assert load_snapshots(kit.repository) == []


def test_a_prune_behind_our_back_is_noticed_before_the_commit(kit: Kit, write: Write, source: Path) -> None:
    write("file", b"will be gone")
    kit.backup(source)
    kit.index.sync()

    def prune_by_somebody_else(event: Event) -> None:
        for name in list(kit.repository.names(FileKind.INDEX)):
            kit.repository.remove(FileKind.INDEX, name)

    with acquire(kit.repository, False) as lock, pytest.raises(LockLost):
        backup(kit.repository, kit.index, lock, [str(source)], BackupOptions(), listener=prune_by_somebody_else)
    assert len(load_snapshots(kit.repository)) == 1
