"""Reading what the options of `backup` stand for: patterns and paths in files, sizes, times."""

from __future__ import annotations

import glob
import os
import re
import sys
from collections.abc import Iterable
from datetime import datetime

from holdfast.errors import Phrase, SourceError, UsageError
from holdfast.model.instant import Instant

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([kKmMgGtT]?)(?:i?[bB])?\Z")
_FACTORS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}
_TIME_FORMATS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%Y-%m", "%Y")


def size_of(text: str | None) -> int:
    """Bytes of a size such as `500M` or `1.5G` (binary units); 0 for none. Raises `UsageError`."""
    if not text:
        return 0
    found = _SIZE.match(text.strip())
    if found is None:
        raise UsageError(detail=Phrase("{text!r} is not a size such as 500M", {"text": text}))
    return int(float(found[1]) * (1 << _FACTORS[found[2].lower()]))


def instant(text: str | None) -> Instant | None:
    """A time in the local zone, unless it names another. Raises `UsageError`."""
    if not text or text == "now":
        return None
    for pattern in _TIME_FORMATS:
        try:
            return Instant.of(datetime.strptime(text, pattern).astimezone())
        except ValueError:
            continue
    try:
        return Instant.of(datetime.fromisoformat(text).astimezone())
    except ValueError:
        raise UsageError(detail=Phrase("{text!r} is not a time such as 2026-01-31 23:59:00", {"text": text})) from None


def patterns_from_files(files: Iterable[str]) -> tuple[str, ...]:
    """Patterns, one a line; blank lines and those that begin with `#` are left out, `$NAME` is replaced."""
    found: list[str] = []
    for file in files:
        for line in _read(file).decode("utf-8", "surrogateescape").splitlines():
            text = line.strip()
            if text and not text.startswith("#"):
                found.append(os.path.expandvars(text))
    return tuple(found)


def items_from_files(patterns: Iterable[str], verbatim: Iterable[str], raw: Iterable[str]) -> list[bytes]:
    """Paths to back up that files list, in each of the three ways restic has for it."""
    found: list[bytes] = []
    for file in patterns:
        for line in _read(file).splitlines():
            text = line.strip()
            if text and not text.startswith(b"#"):
                matching = sorted(glob.glob(text))
                if not matching:
                    raise SourceError(path=os.fsdecode(text), reason="nothing matches it")
                found += matching
    for file in verbatim:
        found += [line for line in _read(file).splitlines() if line]
    for file in raw:
        found += [item for item in _read(file).split(b"\0") if item]
    return found


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        with open(file, "rb") as source:
            return source.read()
    except OSError as error:
        raise SourceError(path=file, reason=error.strerror or str(error)) from error
