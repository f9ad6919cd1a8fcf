"""The key of a catalog: kept beside it, never in it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from holdfast.catalog.private_file import exposed, make_folders
from holdfast.errors import CatalogUnavailable
from holdfast.runtime.randomness import RandomBytes, random_bytes

KEY_BYTES = 32


def read_or_make_key(path: Path, *, random: RandomBytes = random_bytes) -> bytes:
    """The key in a file of 32 bytes; made if there is none.

    DURABILITY: the file appears whole or not at all, and is on the disk before anything is protected with it.

    Raises:
        CatalogUnavailable: it cannot be read or made, is not a key, or others may read it.
    """
    try:
        if not path.exists():
            make_folders(path.parent)
            _make(path, random(KEY_BYTES))
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
            key = os.read(descriptor, KEY_BYTES + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise CatalogUnavailable(place=str(path), reason=error.strerror or str(error)) from error
    reason = exposed(path, mode)
    if reason is not None:
        raise CatalogUnavailable(place=str(path), reason=reason)
    if len(key) != KEY_BYTES:
        raise CatalogUnavailable(place=str(path), reason="the file does not hold a key of 32 bytes")
    return key


def _make(path: Path, key: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        # Of several who make one at once, one wins and all others read the winner's.
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        os.unlink(temporary)
