"""A plain copy of a database is hashed once, by reading the very file that is kept, and is never two copies in one."""

from __future__ import annotations

import errno
import hashlib
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from holdfast.archive.encryption.keys import Keys
from holdfast.archive.output import Coding, Output
from holdfast.backends.folders.local import LocalFolder
from holdfast.backends.folders.local_writer import LocalWriter
from holdfast.backends.local_files import LocalFileSystem
from holdfast.errors import SealVerificationFailed
from holdfast.model.backup import StoredBackup
from holdfast.model.buffer import Buffer
from holdfast.model.component import Problem
from holdfast.model.event import Listener
from holdfast.operations.context import AppContext
from holdfast.operations.create import create_backup
from holdfast.operations.reports import CreateReport
from holdfast.operations.requests import CreateRequest
from holdfast.runtime.secret import Secret
from holdfast.sources.sqlite import Sqlite
from holdfast.sources.sqlite_options import SqliteOptions
from holdfast.targets.archive import ArchiveTarget
from holdfast.targets.archive_options import ArchiveOptions
from holdfast.testing.fake_clock import FakeClock

ROWS = 300


class Disk(LocalFileSystem):
    """Counts what is written, and can refuse to give files of other folders a name here."""

    def __init__(self, *, joins: bool = True) -> None:
        self.written_bytes = 0
        self.joins = joins

    def write(self, fd: int, buffers: Sequence[Buffer]) -> int:
        count = super().write(fd, buffers)
        self.written_bytes += count
        return count

    def link(self, src: str, dst: str) -> None:
        if not self.joins and os.path.dirname(src) != os.path.dirname(dst):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        super().link(src, dst)


class Archive(ArchiveTarget):
    """Counts how often it is asked to read a backup again."""

    verified = 0

    def verify(self, backup: StoredBackup, listener: Listener) -> list[Problem]:
        self.verified += 1
        return super().verify(backup, listener)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with sqlite3.connect(tmp_path / "app.db") as database:
        database.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, body BLOB)")
        database.executemany("INSERT INTO notes (body) VALUES (?)", ((os.urandom(4000),) for _ in range(ROWS)))
    database.close()
    return tmp_path


def secret(_kind: type, value: object) -> Secret:
    return Secret(str(value).encode())


def archive(home: Path, name: str, disk: Disk, **options: object) -> Archive:
    chosen = msgspec.convert({"url": name, "layout": "typed", **options}, ArchiveOptions, dec_hook=secret)
    folder = LocalFolder(str(home / name), files=disk)
    return Archive(name, chosen, home, "demo", home / ".holdfast", FakeClock(), folder=folder)


def create(home: Path, *targets: Archive) -> CreateReport:
    context = AppContext(
        app="demo",
        sources={"database": Sqlite("database", SqliteOptions(path="app.db"), home)},
        targets={target.name: target for target in targets},
        state_dir=home / ".holdfast",
        clock=FakeClock(ns=1_704_110_400 * 10**9),
        keep_state=False,
    )
    report = create_backup(context, CreateRequest())
    assert all(copy.error is None for copy in report.copies)
    return report


def stored_file(target: Archive) -> Path:
    """The database in the only backup, with the checksum that was noted."""
    (backup,) = target.backups()
    assert backup.marks.verified_at is not None
    (file,) = (one for one in backup.manifest.components["database"].files if one.purpose == "content")
    path = target.folder.local_path(file.name)
    assert path is not None
    assert hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256
    assert path.stat().st_size == file.size_bytes
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_nlink == 1
    with sqlite3.connect(f"file:{path}?immutable=1", uri=True) as database:
        assert database.execute("SELECT count(*) FROM notes").fetchone() == (ROWS,)
    database.close()
    return path


def leftovers(home: Path) -> list[str]:
    return [str(path) for path in (home / ".holdfast" / "scratch").rglob("*")]


def test_the_copy_is_kept_without_being_written_again(home: Path) -> None:
    disk = Disk()
    target = archive(home, "one", disk)
    create(home, target)
    path = stored_file(target)
    assert disk.written_bytes < path.stat().st_size // 10
    assert target.verified == 0, "what commit proved was read a second time"
    assert leftovers(home) == []


def test_two_targets_never_share_one_file(home: Path) -> None:
    disks = [Disk(), Disk(), Disk()]
    targets = [archive(home, f"number-{number}", disk) for number, disk in enumerate(disks)]
    create(home, *targets)
    files = [stored_file(target) for target in targets]
    assert len({(path.stat().st_dev, path.stat().st_ino) for path in files}) == len(files)
    written = sorted(disk.written_bytes // files[0].stat().st_size for disk in disks)
    assert written == [0, 1, 1]


def test_another_file_system_gets_a_copy(home: Path) -> None:
    disk = Disk(joins=False)
    target = archive(home, "far", disk)
    create(home, target)
    assert disk.written_bytes > stored_file(target).stat().st_size
    assert target.verified == 0


@pytest.mark.parametrize(
    ("options", "verified"),
    [
        ({"compress_databases": True}, 0),
        ({"compress_databases": True, "compression": "zst"}, 0),
        ({"encryption": "age", "passphrase": "geheim"}, 1),
    ],
)
def test_what_is_packed_is_unpacked_once(home: Path, options: dict[str, object], verified: int) -> None:
    """Beside its writing, where that shows what a reading afterwards would show."""
    disk = Disk()
    target = archive(home, "packed", disk, **options)
    report = create(home, target)
    assert disk.written_bytes > ROWS * 4000
    assert target.verified == verified
    (copy,) = report.copies
    assert copy.stored is not None
    assert copy.stored.marks.verified_at is not None


def test_a_copy_that_changes_meanwhile_is_refused(home: Path) -> None:
    """The hash is of what was read; a file of another length than what was taken over is not that file."""
    target = archive(home, "one", Disk())
    target.prepare()
    output = Output(
        target.folder.write("database/x.db"), "database/x.db", Coding("", 0, Keys(), "one"), compressed=False
    )
    own = home / "own"
    own.write_bytes(b"12345")
    assert output.take_over(own)
    with pytest.raises(SealVerificationFailed):
        output.expect(hashlib.sha256(b"1234").digest(), 4)
    output.abort()
    assert list((home / "one" / "database").iterdir()) == []
    assert own.read_bytes() == b"12345"


def test_a_file_that_somebody_else_keeps_is_not_taken_over(home: Path) -> None:
    own, other = home / "own", home / "other"
    own.write_bytes(b"content")
    os.link(own, other)
    writer = LocalWriter(LocalFileSystem(), str(home / "kept"), "kept", str(home))
    assert writer.take_over(own) is None
    writer.write(b"written")
    writer.commit()
    assert (home / "kept").read_bytes() == b"written"
    assert own.read_bytes() == other.read_bytes() == b"content"
    assert sorted(path.name for path in home.iterdir()) == ["app.db", "kept", "other", "own"]


def test_a_link_is_not_taken_over(home: Path) -> None:
    (home / "own").symlink_to("app.db")
    writer = LocalWriter(LocalFileSystem(), str(home / "kept"), "kept", str(home))
    assert writer.take_over(home / "own") is None
    writer.abort()
    assert sorted(path.name for path in home.iterdir()) == ["app.db", "own"]
