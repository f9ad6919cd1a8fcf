"""What a file is, from its first bytes."""

from __future__ import annotations

from enum import StrEnum

SNIFF_BYTES = 4096
_TAR_MAGIC_AT = 257


class Kind(StrEnum):
    """Kinds of content that a person may hand to a restore."""

    SQLITE = "sqlite"
    PGDUMP = "pgdump"
    SQL = "sql"
    JSON = "json"
    TAR = "tar"
    ZIP = "zip"
    GZIP = "gzip"
    ZSTD = "zstd"
    AGE = "age"
    GPG = "gpg"
    OPENSSL = "openssl"
    EMPTY = "empty"
    UNKNOWN = "unknown"


_MAGIC = (
    (b"SQLite format 3\0", Kind.SQLITE),
    (b"PGDMP", Kind.PGDUMP),
    (b"PK\x03\x04", Kind.ZIP),
    (b"PK\x05\x06", Kind.ZIP),
    (b"\x1f\x8b\x08", Kind.GZIP),
    (b"\x28\xb5\x2f\xfd", Kind.ZSTD),
    (b"age-encryption.org/v1\n", Kind.AGE),
    (b"Salted__", Kind.OPENSSL),
)
_GPG_TAGS = frozenset({0x8C, 0xC3, 0x85, 0xC1, 0x84})
_SQL_WORDS = (
    b"--", b"/*", b"begin", b"pragma", b"create ", b"insert ", b"set ", b"drop ", b"select ", b"\\restrict", b"use ",
)  # fmt: skip


def sniff(head: bytes) -> Kind:
    """The kind of a file that begins with these bytes; 4 KiB are enough."""
    if not head:
        return Kind.EMPTY
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[_TAR_MAGIC_AT : _TAR_MAGIC_AT + 5] == b"ustar" or _is_old_tar(head):
        return Kind.TAR
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if _is_text(head):
        if text.startswith((b"{", b"[")):
            return Kind.JSON
        if text.lower().startswith(_SQL_WORDS):
            return Kind.SQL
    if head[0] in _GPG_TAGS:
        return Kind.GPG
    return Kind.UNKNOWN


def _is_old_tar(head: bytes) -> bool:
    """A tar from before POSIX has no magic, but a sum of its header."""
    if len(head) < 512 or not head[0]:
        return False
    digits = head[148:156].strip(b" \0")
    if not digits or any(byte not in b"01234567" for byte in digits):
        return False
    return int(digits, 8) == sum(head[:148]) + 8 * 0x20 + sum(head[156:512])


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4  # a character cut at the end of the sample
    return True
