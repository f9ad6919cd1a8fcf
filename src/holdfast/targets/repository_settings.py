"""The engine's settings for a target of kind `repository`."""

from __future__ import annotations

import re

from holdfast.errors import Phrase, UsageError
from holdfast.repository.blobs import Compression
from holdfast.repository.prune.options import UNLIMITED_UNUSED, MaxUnused, PruneOptions
from holdfast.repository.writer import DEFAULT_PACK_BYTES
from holdfast.targets.repository_options import RepositoryOptions

_LIMIT = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*(%|[KMGT]?)\Z", re.IGNORECASE | re.ASCII)
_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}


def compression_of(options: RepositoryOptions) -> Compression:
    """How hard to compress."""
    return Compression[options.compression.name]


def pack_bytes_of(options: RepositoryOptions) -> int:
    """Target size of packs."""
    return options.pack_size << 20 or DEFAULT_PACK_BYTES


def prune_options_of(options: RepositoryOptions) -> PruneOptions:
    """How to free what deleted backups alone needed. Raises `UsageError`."""
    return PruneOptions(
        max_unused=max_unused(options.max_unused),
        compression=compression_of(options),
        pack_bytes=pack_bytes_of(options),
    )


def max_unused(text: str) -> MaxUnused:
    """Reads `5%`, `500M` or `unlimited`. Raises `UsageError`."""
    text = text.strip()
    if text.lower() == "unlimited":
        return UNLIMITED_UNUSED
    found = _LIMIT.match(text)
    if found is None or (found[2] == "%" and float(found[1]) >= 100):
        raise UsageError(
            detail=Phrase("max_unused is {text} and should be like 5%, 500M or unlimited", {"text": repr(text)})
        )
    if found[2] == "%":
        return MaxUnused(percent=float(found[1]))
    return MaxUnused(size_bytes=int(float(found[1]) * (1 << _UNITS[found[2].upper()])))
