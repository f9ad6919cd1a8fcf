"""What a restore replaced and where that is kept, written down before and while it happens."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from holdfast.errors import Phrase, TargetError, english
from holdfast.operations.lock import private_directory
from holdfast.operations.private_file import put_whole

FOLDER = "restores"


class JournalEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One component. `state` is `planned`, `loading`, `done` or `failed`."""

    source: str
    state: str
    destination: str
    safety_copies: tuple[str, ...] = ()
    undo: str = ""
    error: str = ""


class JournalRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One restore. `finished_at` None: it is at work, or was ended from outside."""

    stamp: str
    backup_id: str
    target: str
    started_at: datetime
    components: tuple[JournalEntry, ...]
    finished_at: datetime | None = None
    failure: str = ""


class Journal:
    """The file of one restore, always whole on disk.

    Args:
        state_dir: of the application.
        record: what is planned; written at once.

    Raises:
        TargetError: it cannot be written.
    """

    def __init__(self, state_dir: Path, record: JournalRecord) -> None:
        folder = private_directory(private_directory(state_dir) / FOLDER)
        self.path = _free(folder, record.stamp)
        self.record = record
        self._write()

    def note(self, entry: JournalEntry) -> None:
        """Replaces what is said about one component. Raises `TargetError`."""
        others = {other.source: other for other in self.record.components}
        others[entry.source] = entry
        self.record = msgspec.structs.replace(self.record, components=tuple(others.values()))
        self._write()

    def finish(self, finished_at: datetime, failure: str) -> None:
        """Notes how it ended. Raises `TargetError`."""
        self.record = msgspec.structs.replace(self.record, finished_at=finished_at, failure=failure)
        self._write()

    def _write(self) -> None:
        data = msgspec.json.format(msgspec.json.encode(self.record, enc_hook=english), indent=2) + b"\n"
        try:
            put_whole(self.path, data)
        except OSError as error:
            raise TargetError(
                detail=Phrase(
                    "the journal {path} cannot be written: {reason}", {"path": self.path, "reason": error.strerror}
                )
            ) from error


def _free(folder: Path, stamp: str) -> Path:
    names = [stamp, *(f"{stamp}_{number}" for number in range(2, 1000))]
    return next(folder / f"{name}.json" for name in names if not (folder / f"{name}.json").exists())
