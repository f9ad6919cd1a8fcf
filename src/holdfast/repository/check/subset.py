"""Which packs to read when not all of them shall be."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

import msgspec

from holdfast.errors import Phrase, UsageError
from holdfast.protocols import StoredObject

_SLICE = re.compile(r"(\d{1,3})/(\d{1,3})\Z", re.ASCII)
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)%\Z", re.ASCII)
_SIZE = re.compile(r"(\d{1,15})([bkmgt]?)i?b?\Z", re.ASCII | re.IGNORECASE)
_UNITS = {"": 0, "b": 0, "k": 10, "m": 20, "g": 30, "t": 40}
_SLICES_MAX = 256


class Subset(msgspec.Struct, frozen=True, kw_only=True):
    """A part of all packs: a fixed slice of them, or a random sample.

    Attributes:
        number, slices: slice `number` of `slices`, by the first byte of the pack's name; slices is 0 otherwise.
        percent: of the packs, at random; 0 otherwise.
        size_bytes: about so many bytes, at random; 0 otherwise.
    """

    number: int = 0
    slices: int = 0
    percent: float = 0.0
    size_bytes: int = 0

    def choose(self, packs: Sequence[StoredObject], rng: random.Random) -> list[StoredObject]:
        """The packs to read; of a random sample at least one, if there are any."""
        if self.slices:
            return [pack for pack in packs if int(pack.name[:2], 16) % self.slices == self.number - 1]
        percent = self.percent
        if self.size_bytes:
            total = sum(pack.size_bytes for pack in packs)
            percent = min(100.0, self.size_bytes / total * 100) if total else 100.0
        count = max(1, int(len(packs) * percent / 100))
        return rng.sample(packs, min(count, len(packs)))


def parse(text: str) -> Subset:
    """Reads `1/5`, `2.5%` or `500M`.

    Raises:
        UsageError: it is none of these, or out of range.
    """
    if found := _SLICE.match(text):
        number, slices = int(found[1]), int(found[2])
        if 1 <= number <= slices <= _SLICES_MAX:
            return Subset(number=number, slices=slices)
    elif found := _PERCENT.match(text):
        percent = float(found[1])
        if 0 < percent <= 100:
            return Subset(percent=percent)
    elif found := _SIZE.match(text):
        size_bytes = int(found[1]) << _UNITS[found[2].lower()]
        if size_bytes:
            return Subset(size_bytes=size_bytes)
    raise UsageError(detail=Phrase("{text} is not a part of the data: write 1/5, 2.5% or 500M", {"text": text}))
