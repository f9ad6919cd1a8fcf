"""Where stored bytes come from, for errors."""

from __future__ import annotations

from typing import NamedTuple

from holdfast.errors import BackupDamaged, DecryptionFailed, UnsafePath


class Origin(NamedTuple):
    """A stored file: its name, and the archive it lies in."""

    name: str
    place: str

    def damaged(self, reason: str) -> BackupDamaged:
        """The error for bytes that are not what they should be."""
        return BackupDamaged(backup=self.name, target=self.place, reason=reason)

    def undecipherable(self, reason: str) -> DecryptionFailed:
        """The error for a file that cannot be opened with what was given."""
        return DecryptionFailed(path=self.name, reason=reason, target=self.place)

    def unsafe(self, path: bytes, reason: str) -> UnsafePath:
        """The error for a member that would lead elsewhere."""
        shown = path.decode("utf-8", "backslashreplace")
        return UnsafePath(path=f"{self.name}: {shown!r}", reason=reason)
