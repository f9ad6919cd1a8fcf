"""Whether a backup will fit, found out before anything is written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from holdfast.errors import NotEnoughSpace, Phrase
from holdfast.model.backup import BackupType, StoredBackup
from holdfast.operations.log import amount
from holdfast.protocols.source import Source

_MARGIN_BYTES = 1 << 20
_MARGIN_SHARE = 0.05
_COPIED_FIRST = frozenset({"sqlite"})


@runtime_checkable
class UsesScratch(Protocol):
    """A source that writes a temporary copy of its content."""

    def scratch_bytes(self) -> int | None:
        """About how large; None where nobody can tell cheaply."""
        ...


def estimates(sources: Sequence[Source]) -> dict[str, int]:
    """About how large the content of each source is; those that cannot tell are missing."""
    sizes = {source.name: source.estimate_bytes() for source in sources}
    return {name: size for name, size in sizes.items() if size is not None}


def needed_in_target(
    kind: BackupType, estimated: dict[str, int], former: Sequence[StoredBackup], *, deduplicates: bool
) -> int:
    """About how many bytes a backup takes.

    The newest backup that holds the same sources tells how well they compress. A target that stores nothing twice has
    most of a later backup already; only what a first one takes can be told beforehand.
    """
    content_bytes = sum(estimated.values())
    for stored in former:
        manifest = stored.manifest
        if manifest.type is not kind or manifest.components.keys() < estimated.keys():
            continue
        before = sum(component.content_bytes for component in manifest.components.values())
        if deduplicates or kind is BackupType.INCREMENTAL:
            return _with_margin(0)
        if before:
            # Never more than the content itself: a small backup has mostly overhead, which does not grow.
            return _with_margin(min(content_bytes, round(content_bytes * manifest.total_size / before)))
    return _with_margin(content_bytes)


def check_target_space(target: str, needed_bytes: int, free_bytes: int | None) -> None:
    """Raises `NotEnoughSpace` unless it fits or nobody can tell."""
    if free_bytes is not None and needed_bytes > free_bytes:
        raise NotEnoughSpace(target=target, needed=amount(needed_bytes), available=amount(free_bytes))


def check_scratch_space(directory: Path, sources: Sequence[Source]) -> None:
    """Raises `NotEnoughSpace` if the largest temporary copy does not fit; copies are made one after the other."""
    largest = 0
    for source in sources:
        if isinstance(source, UsesScratch):
            largest = max(largest, source.scratch_bytes() or 0)
        elif source.kind in _COPIED_FIRST:
            largest = max(largest, source.estimate_bytes() or 0)
    if largest:
        check_target_space(
            Phrase("{directory} (temporary files)", {"directory": directory}), _with_margin(largest), free_at(directory)
        )


def free_at(directory: Path) -> int | None:
    """Free bytes of the disk that holds a directory, or would hold it; None if that cannot be told."""
    while not directory.exists() and directory != directory.parent:
        directory = directory.parent
    try:
        status = os.statvfs(directory)
    except OSError:
        return None
    return status.f_bavail * status.f_frsize


def _with_margin(size_bytes: int) -> int:
    return size_bytes + round(size_bytes * _MARGIN_SHARE) + _MARGIN_BYTES
