"""Commands of an application stopped at system calls on a real disk, and what must hold afterwards."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from faults.app_faults import ARCHIVE, FILES, HEAD, REPOSITORY, SQLITE, Done, FaultyApp
from holdfast.operations.create import create_backup
from holdfast.operations.requests import CreateRequest, RestoreRequest, RetentionRequest
from holdfast.operations.restore import plan_restore, run_restore
from holdfast.operations.retention import apply_retention, plan_retention

STEPS = (
    *("fsync", "fdatasync", "syncfs", "rename", "renameat", "renameat2", "link", "linkat", "symlink"),
    *("unlink", "unlinkat", "rmdir", "mkdir", "ftruncate", "fchmod", "chmod"),
)
WRITES = ("write", "pwrite64", "writev", "sendfile", "copy_file_range")
CONFIGURATION = HEAD + SQLITE + FILES + ARCHIVE + REPOSITORY
_CALL = re.compile(r"(\d+) +(\w+)\((.*)")
_LOOKUP = re.compile(r"AT_FDCWD<[^>]*>")
_STAMP = re.compile(r"\d{4}_\d{2}_\d{2}_\d{2}_\d{2}_\d{2}(?:_\d+)?")

State = dict[str, object]


class Point(NamedTuple):
    """The n-th call of this name, counted for each thread by itself, as strace does."""

    call: str
    number: int


def changed_app(folder: Path) -> FaultyApp:
    """An application with former backups that has changed since."""
    folder.mkdir()
    app = FaultyApp(folder).prepare(CONFIGURATION)
    with closing(sqlite3.connect(folder / "shop.db")) as database:
        database.execute("DELETE FROM orders WHERE id % 3 = 0")
        database.execute("UPDATE orders SET text = 'new'")
        database.commit()
    for number in range(0, 6, 2):
        (folder / f"storage/pictures/{number}.jpg").write_bytes(b"new" * 4000)
    (folder / "storage/pictures/5.jpg").unlink()
    (folder / "storage/added").mkdir()
    (folder / "storage/added/readme.txt").write_text("new")
    (folder / ".env").write_text("SECRET=new\n")
    return app


def parts_of(app: FaultyApp) -> State:
    """What is replaced in one step each: the database, each top folder, each single file."""
    with closing(sqlite3.connect(app.folder / "shop.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = database.execute("SELECT * FROM orders ORDER BY id").fetchall()
    top = app.folder / "storage"
    assert top.is_dir(), "the folder is gone"
    names = [path for path in sorted(top.rglob("*")) if not path.name.startswith(".holdfast")]
    tree = {str(path.relative_to(top)): path.read_bytes() if path.is_file() else None for path in names}
    return {"shop.db": rows, "storage": tree, ".env": (app.folder / ".env").read_bytes()}


class Met(NamedTuple):
    """A command that met an error, and whether what it wanted to say about it was among what failed."""

    done: Done
    is_mute: bool


# --- strace -------------------------------------------------------------------------------------


def traced(app: FaultyApp, arguments: tuple[str, ...], calls: tuple[str, ...]) -> list[Point]:
    """Every point of a run to its end that concerns files of the application; the command runs on `app`."""
    assert shutil.which("strace"), "these tests need strace; scripts/system_packages installs it"
    trace = app.folder.parent / "trace"
    wanted = ",".join(f"?{call}" for call in calls)
    done = app.run(*arguments, prefix=["strace", "-f", "-qq", "-y", "-s", "200", "-o", str(trace), "-e", wanted])
    assert done.status == 0, done.err
    counts: Counter[tuple[str, str]] = Counter()
    points: set[Point] = set()
    for line in trace.read_text(errors="replace").splitlines():
        match = _CALL.match(line)
        if match is None:
            continue
        thread, call, rest = match.groups()
        counts[thread, call] += 1
        # Where a name is looked up says nothing about what it names: the folder of the application is where it runs.
        if str(app.folder) in _LOOKUP.sub("", rest):
            points.add(Point(call, counts[thread, call]))
    return sorted(points)


def killed(app: FaultyApp, arguments: tuple[str, ...], point: Point) -> bool:
    """Runs a command until SIGKILL. Returns whether it was killed before its end."""
    inject = f"inject={point.call}:signal=SIGKILL:when={point.number}"
    done = app.run(*arguments, prefix=["strace", "-f", "-qq", "-o", os.devnull, "-e", inject])
    assert done.status in (0, -9, 137), done.err
    return done.status != 0


def with_error(app: FaultyApp, arguments: tuple[str, ...], point: Point, error: str, *, lasting: bool) -> Met:
    """Runs a command while a system call fails, once in each thread or from then on."""
    inject = f"inject={point.call}:error={error}:when={point.number}{'+' if lasting else ''}"
    trace = app.folder.parent / "injected"
    done = app.run(*arguments, prefix=["strace", "-f", "-qq", "-s", "0", "-o", str(trace), "-e", inject])
    failed = [line for line in trace.read_text(errors="replace").splitlines() if "(INJECTED)" in line]
    return Met(done, any(" write(2," in line for line in failed))


# --- the next run -------------------------------------------------------------------------------


def create_again(app: FaultyApp) -> str:
    """The next backup succeeds."""
    with app.opened() as context:
        report = create_backup(context, CreateRequest(retention=False))
    assert report.failure is None, report.failure
    return report.backup_id


def restore_again(app: FaultyApp, backup_id: str) -> None:
    """The next restore succeeds."""
    with app.opened() as context:
        report = run_restore(context, plan_restore(context, RestoreRequest(what=backup_id)))
    assert report.failure is None, report.failure


def rotate_again(app: FaultyApp) -> None:
    """The next retention run succeeds."""
    with app.opened() as context:
        report = apply_retention(context, plan_retention(context, RetentionRequest()))
    assert report.failure is None, report.failure


def require_tidy(app: FaultyApp) -> None:
    """Nothing is left of runs that died, and nothing lies in the archive that belongs to no backup."""
    left = app.leftovers()
    assert left == [], left
    # A lock that was never given its name locks nothing, and goes when no living writer can be at work on it.
    locks = [path.name for path in (app.folder / "offsite/locks").iterdir() if "-tmp-" not in path.name]
    assert locks == [], "a lock is left"
    known = {stamp for ids in app.ids().values() for one in ids for stamp in _STAMP.findall(one)}
    strangers = [name for name in app.finals() if not set(_STAMP.findall(name)) <= known]
    assert strangers == []
