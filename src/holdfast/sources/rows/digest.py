"""Hashes of rows, and of tables whatever the order of their rows."""

from __future__ import annotations

import hashlib

HASH_BYTES = 16
_MODULUS = 1 << (8 * HASH_BYTES)


class TableDigest:
    """Counts the rows of a table and adds up their hashes.

    The hash of a row is SHA-256 over the table's name, a zero byte and the row's line, cut to 16 bytes. The digest is
    the sum of all hashes modulo 2**128: the same for the same rows in any order, and for no others that chance makes.
    """

    def __init__(self, table: str) -> None:
        self._begun = hashlib.sha256(table.encode("utf-8", "surrogatepass") + b"\0")
        self._sum = 0
        self.count = 0

    def add(self, line: bytes) -> bytes:
        """Takes one more row as its line, and returns the row's hash."""
        hashed = self._begun.copy()
        hashed.update(line)
        value = hashed.digest()[:HASH_BYTES]
        self._sum = (self._sum + int.from_bytes(value, "big")) % _MODULUS
        self.count += 1
        return value

    def hexdigest(self) -> str:
        """32 hexadecimal digits; zeros for no rows."""
        return self._sum.to_bytes(HASH_BYTES, "big").hex()
