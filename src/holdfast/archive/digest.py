"""One number for the content of a component, the same whoever computes it and wherever the component is kept."""

from __future__ import annotations

import hashlib
from urllib.parse import quote_from_bytes

from holdfast.model.node import NodeType
from holdfast.protocols.content import Entry


class ContentDigest:
    """SHA-256 over one line for each entry, in the order of entries.

    A line holds the type, the size and SHA-256 of a file's content, a symlink's target and the path, separated by
    single spaces; names are percent-encoded, so that no name can look like two lines. Permissions, owners and times are
    left out: they differ between where a backup was made and where an unprivileged user restores it. Sockets are left
    out because nothing but a repository can keep them, and they hold nothing.
    """

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._whole = True

    def feed(self, entry: Entry, sha256: bytes | None = None, size_bytes: int = 0) -> None:
        """The next entry.

        Args:
            entry: any kind of entry.
            sha256: of a regular file's content, 32 bytes; None if the content was not read, or not to its end.
            size_bytes: of a regular file's content, as it was read.
        """
        kind = entry.node.type
        if kind is NodeType.SOCKET:
            return
        if kind is not NodeType.FILE:
            target = quote_from_bytes(entry.node.linktarget) if kind is NodeType.SYMLINK else "-"
            self._line(f"{kind.value} 0 - {target} {quote_from_bytes(entry.path)}")
        elif sha256 is None:
            self._whole = False
        else:
            self._line(f"{kind.value} {size_bytes} {sha256.hex()} - {quote_from_bytes(entry.path)}")

    def hexdigest(self) -> str:
        """64 hexadecimal digits; empty if some content was not read."""
        return self._sha256.hexdigest() if self._whole else ""

    def _line(self, text: str) -> None:
        self._sha256.update(f"{text}\n".encode("ascii"))
