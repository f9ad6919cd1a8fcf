"""Where a SQLite database is restored to, and who works with what is there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from holdfast.sources.sqlite_opening import SIDE_FILES

_ENDINGS = frozenset({".db", ".sqlite", ".sqlite3", ".db3", ".s3db"})
_URL = "sqlite:///"
_SHOWN = 3


def file_of(destination: str, file_name: str, base_dir: Path) -> Path:
    """The file that a destination means: a folder gets one named like the database, anything else is the file itself.

    Args:
        destination: a path or a URL `sqlite:///path`.
        file_name: the database's own name.
        base_dir: what a relative path starts from.
    """
    text = destination.removeprefix(_URL)
    path = Path(os.path.realpath(base_dir / text))
    names_file = path.suffix in _ENDINGS or (path.suffix and path.suffix == Path(file_name).suffix)
    if path.is_dir() or text.endswith("/") or not (names_file or path.exists() or destination.startswith(_URL)):
        return path / file_name
    return path


def staging_of(path: Path) -> Path:
    """What is written before a database appears under its name; found again after a crash because the name is fixed."""
    return path.with_name(f".holdfast-new-{path.name}")


def side_files(path: Path) -> list[Path]:
    """Side files that lie beside a database."""
    names = [Path(f"{path}{ending}") for ending in SIDE_FILES]
    return [name for name in names if os.path.lexists(name)]


def users_of(path: Path) -> str:
    """Programs that have a file open, as far as this user may know; empty if there are none.

    A program that waits between two transactions holds no lock. It would go on with the replaced file, and everything
    it writes there would be lost.
    """
    status = path.stat()
    found = sorted(set(_holders((status.st_dev, status.st_ino))))
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(f"{name} (process {pid})" for pid, name in found[:_SHOWN]) + more


def _holders(wanted: tuple[int, int]) -> Iterator[tuple[int, str]]:
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            descriptors = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue
        for descriptor in descriptors:
            try:
                status = os.stat(f"/proc/{pid}/fd/{descriptor}")
            except OSError:
                continue
            if (status.st_dev, status.st_ino) == wanted:
                yield int(pid), _program(pid)
                break


def _program(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "a program"
