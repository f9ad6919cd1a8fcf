"""What is noted about backups in a repository: holds as tags of snapshots, everything else on this machine."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, unquote

import msgspec

from holdfast.errors import Phrase, TargetError, english
from holdfast.model.backup import Marks

_HOLD = "hold:"
_HELD_AT = "held-at:"


def hold_of(tags: Sequence[str]) -> Marks:
    """The hold that the tags of a snapshot tell of."""
    reason, held_at = "", None
    for tag in tags:
        if tag.startswith(_HOLD):
            reason = unquote(tag[len(_HOLD) :]) or "held"
        elif tag.startswith(_HELD_AT):
            with contextlib.suppress(ValueError):
                held_at = datetime.fromisoformat(tag[len(_HELD_AT) :]).astimezone(UTC)
    return Marks(hold_reason=reason, held_at=held_at if reason else None)


def with_hold(tags: Sequence[str], marks: Marks) -> tuple[str, ...]:
    """The tags of a snapshot with the hold that the marks tell of, or with none.

    COMPAT(restic): a tag on its command line ends at a comma, hence the percent-encoding.
    """
    kept = [tag for tag in tags if not tag.startswith((_HOLD, _HELD_AT))]
    if marks.held:
        kept.append(_HOLD + quote(marks.hold_reason, safe=""))
        if marks.held_at is not None:
            kept.append(_HELD_AT + marks.held_at.astimezone(UTC).isoformat(timespec="seconds"))
    return tuple(kept)


class LocalMarks:
    """A folder with one file of marks for each backup that has some.

    Args:
        folder: made with mode 0700 when something is noted.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, backup_id: str, hold: Marks) -> Marks:
        """What is noted about a backup, with a hold that is known from elsewhere."""
        try:
            noted = msgspec.json.decode(self._path(backup_id).read_bytes(), type=Marks)
        except (OSError, msgspec.DecodeError, msgspec.ValidationError):
            # Without the note a backup merely counts as not verified yet.
            return hold
        return msgspec.structs.replace(noted, hold_reason=hold.hold_reason, held_at=hold.held_at)

    def write(self, backup_id: str, marks: Marks) -> None:
        """Replaces what is noted about a backup."""
        noted = msgspec.structs.replace(marks, hold_reason="", held_at=None)
        if noted != Marks():
            write_privately(self._path(backup_id), msgspec.json.encode(noted, enc_hook=english))
            return
        try:
            self._path(backup_id).unlink(missing_ok=True)
        except OSError as error:
            raise _unwritable(self._path(backup_id), error) from error

    def forget(self, backup_ids: Iterable[str]) -> None:
        """Drops the notes of backups that are gone; one that cannot be removed says nothing about any other backup."""
        for backup_id in backup_ids:
            with contextlib.suppress(OSError):
                self._path(backup_id).unlink(missing_ok=True)

    def _path(self, backup_id: str) -> Path:
        return self._folder / f"{backup_id}.json"


def write_privately(path: Path, content: bytes) -> None:
    """Puts a small file in place, whole and durably, readable by its owner only. Raises `TargetError`."""
    try:
        _make_privately(path.parent)
        _put(path, content)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> TargetError:
    values = {"path": path, "reason": error.strerror or str(error)}
    return TargetError(detail=Phrase("{path} cannot be written: {reason}", values))


def _put(path: Path, content: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            # DURABILITY: content, then name, then the folder that holds the name.
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _make_privately(folder: Path) -> None:
    """Makes a folder and those above it, each for its owner only."""
    if not folder.is_dir():
        _make_privately(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
