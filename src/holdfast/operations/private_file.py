"""Small files of the state directory, always whole on disk."""

from __future__ import annotations

import os
from pathlib import Path


def put_whole(path: Path, content: bytes) -> None:
    """Puts a file of mode 0600 in place, or replaces it. Its folder is there, and ours alone. Raises `OSError`."""
    temporary = path.with_suffix(".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        # DURABILITY: whoever looks after a power cut must find this file whole, as it was or as it is.
        os.fsync(file.fileno())
    os.replace(temporary, path)
    sync_folder(path.parent)


def remove_whole(path: Path) -> None:
    """Removes a file for good; it need not be there. Raises `OSError`."""
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable. Raises `OSError`."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
