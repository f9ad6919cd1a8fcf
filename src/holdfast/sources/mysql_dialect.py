"""Comments that some servers execute and others do not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_OPENER = re.compile(rb"/\*(M?)!([0-9]{5,6})?")
_PIECE = re.compile(
    rb"""
    (?P<quoted>'(?:[^'\\]++|\\.|'')*+(?:'|\Z) | "(?:[^"\\]++|\\.|"")*+(?:"|\Z) | `(?:[^`]++|``)*+(?:`|\Z))
  | (?P<line>(?:--(?=[\x00-\x20])|\#)[^\n]*+)
  | (?P<open>/\*M?!(?:[0-9]{5,6})?)
  | (?P<block>/\*.*?(?:\*/|\Z))
  | (?P<close>\*/)
  | (?P<other>[^'"`/*\#\-]++ | .)
    """,
    re.VERBOSE | re.DOTALL,
)


class Dialect(NamedTuple):
    """Which server reads: whether it is MariaDB, and its version as comments write it, `101119` for 10.11.19."""

    mariadb: bool
    version: int

    def executes(self, opener: bytes) -> bool:
        r"""Whether the server takes what follows `/*!NNNNN` or `/*M!NNNNNN` as a part of the statement."""
        match = _OPENER.match(opener)
        if match is None or (match[1] and not self.mariadb):
            return False
        number = int(match[2] or 0)
        # COMPAT(MariaDB): these numbers are versions of MySQL that MariaDB is not compatible with.
        of_mysql = self.mariadb and not match[1] and 50700 <= number <= 99999
        return number <= self.version and not of_mysql

    def bare(self, statement: bytes) -> bytes:
        """A statement as the server reads it: without comments, with single spaces outside of quotes."""
        return b"".join(self._read(statement)).strip()

    def _read(self, statement: bytes) -> Iterator[bytes]:
        at = 0
        while at < len(statement):
            match = _PIECE.match(statement, at)
            assert match is not None
            at, kind = match.end(), match.lastgroup
            if kind == "open" and not self.executes(match.group()):
                end = statement.find(b"*/", at)
                at = len(statement) if end < 0 else end + 2
            if kind == "quoted":
                yield match.group()
            elif kind == "other":
                yield re.sub(rb"\s+", b" ", match.group())
            else:
                yield b" "


def dialect_of(server_version: str) -> Dialect:
    """The dialect of a server, from what it says about its version: `10.11.19-MariaDB-0+deb12u1`, `8.0.36`."""
    match = re.match(r"([0-9]+)\.([0-9]+)\.([0-9]+)", server_version.removeprefix("5.5.5-"))
    major, minor, patch = (int(number) for number in match.groups()) if match is not None else (0, 0, 0)
    return Dialect("MariaDB" in server_version, major * 10000 + minor * 100 + patch)
