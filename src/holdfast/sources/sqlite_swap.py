"""Putting a new SQLite database in the place of an old one.

SAFETY: three things can go wrong here. Somebody works with the old database and goes on writing to it: so nobody may
have it open, and it is locked until the new one is in place. The old one's write-ahead log is applied to the new one,
which destroys it: so the log is emptied into the old database and removed before the new one gets its name. A crash
comes in between: see `replace`.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from holdfast.errors import DestinationBusy, Phrase, RestoreError
from holdfast.sources.place_rename import rename_new, safety_name, shell_word, sync_directory, sync_file
from holdfast.sources.sqlite_opening import closing, connect, is_busy, is_damage, patiently
from holdfast.sources.sqlite_place import side_files, users_of

_LOCK_WAIT_S = 5.0


def replace(staging: Path, path: Path, stamp: str, *, keep: bool, cancelled: Callable[[], None]) -> list[Path]:
    """Gives a staged database the name of the live one.

    DURABILITY: the steps are
    1. everything in the log is written into the old database, which is then whole by itself;
    2. the old database gets a second name, which is its safety copy;
    3. its side files, now without meaning, are removed;
    4. the new database is renamed over the old name;
    each followed by an fsync of the folder. Before step 4 the name stands for the old database with all it held, after
    it for the new one, and there is no moment at which it stands for nothing or has a foreign log beside it.

    Returns:
        The safety copies; empty if nothing was there.

    Raises:
        DestinationBusy: somebody works with the old database.
        RestoreError: it cannot be replaced; it is as it was.
    """
    try:
        if not os.path.lexists(path):
            return _place_first(staging, path, stamp)
        _drop_twins(path)
        refuse_users(path)
        return _replace_old(staging, path, stamp, keep, cancelled)
    except OSError as error:
        raise RestoreError(path=str(path), reason=error.strerror or str(error)) from error


def refuse_users(path: Path) -> None:
    """Raises `DestinationBusy` if a program has the database open, as far as this user may know."""
    users = users_of(path)
    if users:
        raise DestinationBusy(destination=str(path), reason=Phrase("{users} has it open", {"users": users}))


def _replace_old(staging: Path, path: Path, stamp: str, keep: bool, cancelled: Callable[[], None]) -> list[Path]:
    take_over_owner(staging, path)
    if _unreadable(path):
        return _replace_damaged(staging, path, stamp, keep)
    try:
        with closing(connect(path, "rw")) as old:
            _lock(old, path, cancelled)
            copies = _keep(old, path, stamp) if keep else []
            _put(staging, path)
            # Closing it later would be no harm either: SQLite leaves side files alone once the name is another file's.
    except sqlite3.Error as error:
        if is_damage(error):
            return _replace_damaged(staging, path, stamp, keep)
        raise RestoreError(path=str(path), reason=str(error)) from error
    return copies


def _unreadable(path: Path) -> bool:
    """Whether SQLite can do nothing with a database. Asked by a connection that only reads: one that may write would
    remove a log that it takes for worthless.
    """
    try:
        with closing(connect(path, "ro")) as old:
            old.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    except sqlite3.Error as error:
        return is_damage(error)
    return False


def _lock(old: sqlite3.Connection, path: Path, cancelled: Callable[[], None]) -> None:
    """Takes the database for this connection alone, and empties its write-ahead log into it.

    In this locking mode the lock stays when the transaction ends. In WAL mode every open connection of others holds a
    shared lock, so that getting it proves there are none.
    """
    old.execute("PRAGMA locking_mode = EXCLUSIVE")
    old.execute("PRAGMA synchronous = FULL")
    try:
        patiently(lambda: _begin_exclusive(old), _LOCK_WAIT_S, cancelled)
        busy, *_ = old.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        if is_busy(error):
            raise DestinationBusy(destination=str(path), reason="another program holds a lock on it") from error
        raise
    if busy:
        raise DestinationBusy(destination=str(path), reason="another program keeps its write-ahead log")


def _begin_exclusive(old: sqlite3.Connection) -> None:
    old.execute("BEGIN EXCLUSIVE")
    old.execute("COMMIT")


def _keep(old: sqlite3.Connection, path: Path, stamp: str) -> list[Path]:
    """A second name for the old file costs nothing and is the file itself. Where there are no links, it is copied."""
    copy = safety_name(path, stamp)
    try:
        os.link(path, copy, follow_symlinks=False)
    except OSError:
        temporary = copy.with_name(f".holdfast-new-{copy.name}"[:255])
        temporary.unlink(missing_ok=True)
        with closing(connect(temporary, "rwc")) as kept:
            old.backup(kept)
        take_over_owner(temporary, path)
        sync_file(temporary)
        rename_new(temporary, copy)
    sync_directory(path.parent)
    return [copy]


def _put(staging: Path, path: Path) -> None:
    for side_file in side_files(path):
        # SAFETY: the log was emptied into the database under a lock that still holds; the others hold no data.
        side_file.unlink()
    # DURABILITY: a side file that a crash brings back would be applied to the new database.
    sync_directory(path.parent)
    os.rename(staging, path)
    sync_directory(path.parent)


def _replace_damaged(staging: Path, path: Path, stamp: str, keep: bool) -> list[Path]:
    """Replaces what SQLite cannot read: nothing in its log can be saved, so file and log are kept as they are.

    SAFETY: all of it has its safety names before the first of the old names goes. A crash in between may leave the
    damaged database without its log; the safety copies are whole.
    """
    copies: list[Path] = []
    if keep:
        copy = safety_name(path, stamp)
        for old in [path, *side_files(path)]:
            kept = Path(f"{copy}{os.fspath(old)[len(os.fspath(path)) :]}")
            os.link(old, kept, follow_symlinks=False)
            copies.append(kept)
        sync_directory(path.parent)
    _put(staging, path)
    return copies


def _place_first(staging: Path, path: Path, stamp: str) -> list[Path]:
    """Places a database where there is none. A log without a database is kept: it may be all that is left of one."""
    kept: list[Path] = []
    copy = safety_name(path, stamp)
    for side_file in side_files(path):
        name = Path(f"{copy}{os.fspath(side_file)[len(os.fspath(path)) :]}")
        rename_new(side_file, name)
        kept.append(name)
    sync_directory(path.parent)
    rename_new(staging, path)
    sync_directory(path.parent)
    return kept


def take_over_owner(new: Path, old: Path) -> None:
    """The application must be able to open what replaces its database."""
    status = old.stat()
    with suppress(PermissionError):
        os.chown(new, status.st_uid, status.st_gid)
    os.chmod(new, status.st_mode & 0o777)


def _drop_twins(path: Path) -> None:
    """Removes second names that a restore gave the database before it was interrupted.

    SAFETY: a name of the live database itself; no content goes with it.
    """
    status = path.stat()
    if status.st_nlink < 2:
        return
    for twin in path.parent.glob(f"{_escaped(path.name)}.before-restore-*"):
        if os.path.samestat(twin.lstat(), status):
            twin.unlink()


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def undo_of(path: Path, copies: list[Path]) -> str:
    """The command that brings the former database back."""
    main = next((copy for copy in copies if not copy.name.endswith(("-wal", "-shm", "-journal"))), None)
    if main is None:
        return ""
    sides = " ".join(shell_word(Path(f"{path}{ending}")) for ending in ("-wal", "-shm", "-journal"))
    moves = [f"mv {shell_word(copy)} {shell_word(Path(str(path) + str(copy)[len(str(main)) :]))}" for copy in copies]
    return f"rm -f {sides} && " + " && ".join(moves)
