"""One run at a time for one application on one machine."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Generator
from pathlib import Path

import msgspec

from holdfast.errors import AppBusy, Phrase, TargetError
from holdfast.operations.context import AppContext
from holdfast.runtime import host

LOCK_NAME = "run.lock"
_HOLDER_BYTES = 4096


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a lock, for whoever meets it."""

    pid: int
    host: str
    command: str
    since: str


@contextlib.contextmanager
def run_lock(context: AppContext) -> Generator[None]:
    """Holds the application's lock.

    INVARIANT: the kernel holds it and lets it go when the process ends, however it ends; what is written in the file
    only tells others who it was, and is never believed about whether it is held.

    Raises:
        AppBusy: another run holds it.
        TargetError: the state directory cannot be used, or others may write to it.
    """
    descriptor = _open(context)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AppBusy(app=context.app, holder=_described(descriptor)) from None
        _write_holder(descriptor, context)
        yield
    finally:
        # The descriptor's end is the lock's end. The file stays: removing it would let two runs hold two files.
        os.close(descriptor)


def lock_holder(context: AppContext) -> str:
    """Who holds the application's lock now, in words; empty if nobody does."""
    try:
        descriptor = os.open(context.state_dir / LOCK_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _described(descriptor)
    finally:
        os.close(descriptor)
    return ""


def make_folders(folder: Path) -> None:
    """Makes a folder and those above it for us alone: left alone, `mkdir` gives parents what the umask allows."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        with contextlib.suppress(FileExistsError):
            os.mkdir(one, 0o700)


def private_directory(path: Path) -> Path:
    """Makes a directory of mode 0700, and refuses one that somebody else could change under our hands.

    Raises:
        TargetError: it cannot be made, or others may write to it.
    """
    try:
        with contextlib.suppress(FileExistsError):
            make_folders(path.parent)
            os.mkdir(path, 0o700)
        status = os.stat(path)
    except OSError as error:
        raise TargetError(
            detail=Phrase(
                "the state directory {path} cannot be used: {reason}", {"path": path, "reason": error.strerror}
            )
        ) from error
    if not stat.S_ISDIR(status.st_mode):
        raise TargetError(detail=Phrase("the state directory {path} is not a directory", {"path": path}))
    # SAFETY: whoever can write here could put another lock, journal or dump in the place of ours.
    if status.st_uid not in (host.user_id(), 0):
        raise TargetError(
            detail=Phrase(
                "the state directory {path} belongs to another user: run this as user {st_uid}",
                {"path": path, "st_uid": status.st_uid},
            )
        )
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise TargetError(
            detail=Phrase(
                "others than its owner may write to the state directory {path}: run chmod 700 on it", {"path": path}
            )
        )
    return path


def _open(context: AppContext) -> int:
    path = private_directory(context.state_dir) / LOCK_NAME
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise TargetError(
            detail=Phrase("the lock {path} cannot be opened: {reason}", {"path": path, "reason": error.strerror})
        ) from error


def _write_holder(descriptor: int, context: AppContext) -> None:
    since = context.now().isoformat(timespec="seconds")
    holder = Holder(pid=host.process_id(), host=host.hostname(), command=context.command, since=since)
    # A full disk must not keep a restore from running: the lock is held all the same, and only its holder is unknown.
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, msgspec.json.encode(holder) + b"\n", 0)


def _described(descriptor: int) -> str:
    try:
        holder = msgspec.json.decode(os.pread(descriptor, _HOLDER_BYTES, 0), type=Holder)
    except (OSError, msgspec.MsgspecError):
        return "a process that has not said who it is"
    return f"process {holder.pid} on {holder.host} ({holder.command}) since {holder.since}"
