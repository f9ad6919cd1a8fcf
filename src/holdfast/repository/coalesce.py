"""Reading several blobs of a pack with few requests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from holdfast.model.blob import PackedBlob

GAP_BYTES = 1 << 20
"""Bytes between two blobs that are cheaper to read and drop than to ask for the rest in another request."""

STRETCH_BYTES = 32 << 20
"""What is read at once at most, unless a single blob is larger."""


class Stretch(NamedTuple):
    """A part of a pack, and the blobs in it by ascending offset."""

    offset: int
    length: int
    blobs: list[PackedBlob]


def stretches(blobs: Iterable[PackedBlob]) -> Iterator[Stretch]:
    """Joins neighbours among blobs of one pack; they may overlap, as only a faulty index has them."""
    waiting: list[PackedBlob] = []
    start = end = 0
    for blob in sorted(blobs, key=lambda blob: blob.offset):
        blob_end = blob.offset + blob.length
        if waiting and (blob.offset > end + GAP_BYTES or blob_end - start > STRETCH_BYTES):
            yield Stretch(start, end - start, waiting)
            waiting = []
        if not waiting:
            start = end = blob.offset
        waiting.append(blob)
        end = max(end, blob_end)
    if waiting:
        yield Stretch(start, end - start, waiting)
