"""The file of a catalog: nobody else's to read, made before the database library could make it readable."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Generator
from datetime import datetime
from pathlib import Path

from holdfast.errors import CatalogUnavailable, Phrase


@contextlib.contextmanager
def prepared(path: Path) -> Generator[None]:
    """Makes the folder and the file of a catalog if they are missing, and keeps other processes out of the block.

    Raises:
        CatalogUnavailable: they cannot be made, or others may read them.
    """
    try:
        make_folders(path.parent)
        _refuse_exposed(path.parent, path)
        lock = os.open(
            path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
    except OSError as error:
        raise CatalogUnavailable(place=str(path), reason=error.strerror or str(error)) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise CatalogUnavailable(place=str(path), reason=error.strerror or str(error)) from error
        _refuse_exposed(path, path)
        yield
    finally:
        os.close(lock)


def put_aside(path: Path, at: datetime) -> Path:
    """Renames the file of a damaged catalog with all that belongs to it, and returns its new name. Deletes nothing.

    Raises:
        CatalogUnavailable: it cannot be renamed.
    """
    aside = path.with_name(f"{path.name}.damaged-{at:%Y%m%dT%H%M%SZ}")
    try:
        # The file itself goes last: what belongs to it must never be found beside a new one.
        for ending in ("-wal", "-shm", ""):
            with contextlib.suppress(FileNotFoundError):
                os.rename(f"{path}{ending}", f"{aside}{ending}")
    except OSError as error:
        raise CatalogUnavailable(place=str(path), reason=error.strerror or str(error)) from error
    return aside


def make_folders(folder: Path) -> None:
    """Makes a folder and those above it for us alone. Raises `OSError`."""
    # Left alone, `mkdir` gives parents what the umask allows.
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        with contextlib.suppress(FileExistsError):
            os.mkdir(one, 0o700)


def exposed(path: Path, mode: int) -> Phrase | None:
    """What is wrong with the mode of a file or folder that must be ours alone; None if nothing is."""
    if not mode & 0o077:
        return None
    return Phrase("others may use {path} (its mode is {mode})", {"path": str(path), "mode": f"{mode:04o}"})


def _refuse_exposed(what: Path, catalog: Path) -> None:
    reason = exposed(what, stat.S_IMODE(os.stat(what).st_mode))
    if reason is not None:
        raise CatalogUnavailable(place=str(catalog), reason=reason)
