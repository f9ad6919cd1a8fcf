"""What planner and workers send each other.

Plain tuples, because they cross a pipe: at fifty thousand files every object counts.
"""

from __future__ import annotations

from typing import NamedTuple

from holdfast.model.key import MasterKey
from holdfast.repository.restore.metadata import Metadata, Rights
from holdfast.repository.restore.safe_fs import Root

WholeFile = tuple[int, bytes, bytes, Metadata]
"""Number, directory, name and metadata of a file that consists of one blob and does not exist yet."""

Part = tuple[int, bytes, bytes, int, int, bool]
"""Number, directory, name, inode, offset of a place in an existing file; and whether it reads as zeros so far."""

BlobWork = tuple[int, int, int, bytes, list[WholeFile], list[Part]]
"""Offset and sealed length in the pack, raw length, id, and where the plaintext goes."""

PackWork = tuple[str, "str | None", bytes | None, int, list[BlobWork]]
"""Name of the pack for messages; its path, or its bytes and the offset of their first; blobs by ascending offset."""

Failure = tuple[int, str, str, bool]
"""Number of the file, code, detail, and whether it is damage."""

Range = tuple[int, int, bytes]
"""Offset in a file, length, and the id of the blob that lies there."""

ComparedFile = tuple[int, bytes, bytes, int, list[Range]]
"""Number, directory, name, inode (0 for any) and ranges of a file to read again."""

Comparison = tuple[int, list[int], str]
"""Number of the file, positions of the ranges that differ, and what else is wrong with it."""

SPAN_BYTES = 4 << 20
"""Most bytes of a pack read at once, unless a single blob is larger."""

GAP_BYTES = 64 << 10
"""Unneeded bytes between two blobs that are cheaper to read than to skip."""


class Setup(NamedTuple):
    """What every job of a restore needs."""

    root: Root
    master: MasterKey
    rights: Rights
    sparse: bool = False


class JobResult(NamedTuple):
    """What a job did.

    Attributes:
        written_bytes: content written or left as holes.
        ignored: metadata that could not be set.
        failures: files that were not written, with the reason.
        unread: blobs that no good copy of was found here, as (pack number, blob number, detail).
    """

    written_bytes: int
    ignored: int
    failures: list[Failure]
    unread: list[tuple[int, int, str]]
