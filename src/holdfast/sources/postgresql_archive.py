"""Judges a dump of PostgreSQL in the custom format while it passes by.

`pg_restore -l` is content with the table of contents and says nothing about half a file. So this reads everything:
header, table of contents, and every data block to its end. COMPAT(pg_dump): versions 1.12 to 1.16 of the format, which
is what pg_dump 9.0 to 18 writes, without compression (`-Z0`) and into a pipe, where offsets are not filled in:

    header    "PGDMP", major, minor, revision, bytes of an int, bytes of an offset, format 1,
              compression (one byte from 1.15 on, an int before), seven ints of time, three strings
    contents  an int that counts the entries; each of them ints and strings, ended by dependencies and a null string
    data      1 or 3, the entry's number; pieces of an int and as many bytes, the last of length 0.
              Large objects (3): a number before each one's pieces, 0 after the last

An int is a sign byte and little-endian bytes; a string is its length as an int, -1 for null, and its bytes.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable, Generator
from typing import cast

from holdfast.sources.line_ends import count_line_ends
from holdfast.sources.postgresql_names import TableName, Thing, copied_table

_MAX_STRING_BYTES = 256 << 20
_MAX_ENTRIES = 10_000_000
_BLOCK_DATA = 1
_BLOCK_LARGE_OBJECTS = 3
_COPY_END = b"\n\\.\n\n\n"
_TAIL_BYTES = len(_COPY_END)
_MINOR = range(12, 17)
_LENGTH = struct.Struct("<BI")
_STRIDE = 16
# How many of the bytes of a length are line ends themselves.
_LINE_ENDS_IN_LENGTH = bytes((length & 0xFF == 10) + (length >> 8 == 10) for length in range(1 << 16))

Reading = Generator[None, None, None]


class ArchiveJudge:
    """Finds what is in a custom dump: rows by table, named objects, large objects, and whether it is whole.

    Attributes:
        rows: lines of COPY data by table.
        things: objects in the table of contents.
        large_objects: contents of large objects.
        version: of the format, `1.14`; empty until it was read.
    """

    def __init__(self) -> None:
        self.rows: dict[TableName, int] = {}
        self.things: set[Thing] = set()
        self.large_objects = 0
        self.version = ""
        self._buffer: bytes | bytearray = b""
        self._at = 0
        self._minor = 0
        self._offset_bytes = 0
        self._lines = 0
        self._tail = b""
        self._tables: dict[int, TableName] = {}
        self._missing: dict[int, Thing] = {}
        self._between = False
        self._reading = self._all()
        next(self._reading)

    def feed(self, block: bytes) -> None:
        """More of the dump. Raises `ValueError` with the reason if it cannot be a whole dump."""
        if self._buffer:
            rest = self._buffer if isinstance(self._buffer, bytearray) else bytearray(self._buffer)
            del rest[: self._at]
            rest += block
            self._buffer = rest
        else:
            self._buffer = block
        self._at = 0
        next(self._reading)
        if self._at == len(self._buffer):
            self._buffer, self._at = b"", 0

    def finish(self) -> None:
        """The end of the dump. Raises `ValueError` with the reason if it is not whole."""
        if not self._between or self._buffer:
            raise ValueError("it ends before its end")
        if self._missing:
            shown = next(iter(self._missing.values())).shown
            raise ValueError(f"it has no data of {len(self._missing)} of its entries: {shown}")

    def _all(self) -> Reading:
        yield from self._header()
        yield from self._contents()
        while True:
            self._between = True
            yield from self._need(1)
            self._between = False
            kind = self._byte()
            number = yield from self._int()
            if self._missing.pop(number, None) is None:
                raise ValueError("it holds data that its table of contents does not announce, or twice")
            if kind == _BLOCK_DATA:
                yield from self._data(number)
            elif kind == _BLOCK_LARGE_OBJECTS:
                yield from self._large()
            else:
                raise ValueError(f"it holds a block of unknown kind {kind}")

    def _header(self) -> Reading:
        yield from self._need(11)
        head = bytes(self._buffer[self._at : self._at + 11])
        self._at += 11
        if not head.startswith(b"PGDMP"):
            raise ValueError("it is not a dump in the custom format")
        major, self._minor, revision, int_bytes, offset_bytes, form = head[5:]
        self.version = f"{major}.{self._minor}.{revision}"
        if major != 1 or self._minor not in _MINOR or int_bytes != 4 or form != 1:
            raise ValueError(f"it has version {self.version} of the format, which cannot be judged here")
        self._offset_bytes = offset_bytes
        if self._minor >= 15:
            yield from self._need(1)
            compression = self._byte()
        else:
            compression = yield from self._int()
        if compression:
            raise ValueError("it is compressed")
        for _ in range(7):
            yield from self._int()
        for _ in range(3):
            yield from self._string()

    def _contents(self) -> Reading:
        count = yield from self._int()
        if not 0 <= count <= _MAX_ENTRIES:
            raise ValueError("it has no table of contents")
        for _ in range(count):
            yield from self._entry()

    def _entry(self) -> Reading:
        number = yield from self._int()
        has_data = yield from self._int()
        yield from self._string()
        yield from self._string()
        tag = yield from self._string()
        kind = yield from self._string()
        yield from self._int()
        yield from self._string()
        yield from self._string()
        copy = yield from self._string()
        schema = yield from self._string()
        yield from self._string()
        if self._minor >= 14:
            yield from self._string()
        if self._minor >= 16:
            yield from self._int()
        yield from self._string()
        yield from self._string()
        while (yield from self._string()) is not None:
            pass
        yield from self._need(1 + self._offset_bytes)
        self._at += 1 + self._offset_bytes
        thing = Thing(_text(kind), _text(schema), _text(tag))
        self.things.add(thing)
        if has_data:
            self._missing[number] = thing
            if thing.type == "TABLE DATA":
                self._table(number, copy or b"")

    def _table(self, number: int, copy: bytes) -> None:
        table = copied_table(copy)
        if table is None:
            raise ValueError("it copies rows in a way that pg_dump does not write")
        if table in self._tables.values():
            raise ValueError(f"it holds the rows of table {table.shown} twice")
        self._tables[number] = table

    def _data(self, number: int) -> Reading:
        self._lines, self._tail = 0, b"\n"
        while True:
            self._take_whole_pieces()
            length = yield from self._piece_length()
            if not length:
                break
            yield from self._take(length)
        table = self._tables.get(number)
        if table is not None:
            if not self._tail.endswith(_COPY_END):
                raise ValueError(f"the rows of table {table.shown} have no end mark")
            self.rows[table] = self._lines - 3

    def _take_whole_pieces(self) -> None:
        """Goes over the pieces that are wholly in the buffer: mostly a row each, so this is what costs time."""
        buffer, begin = self._buffer, self._at
        at, near, in_lengths = _whole_pieces(buffer, begin)
        self._lines += count_line_ends(buffer, begin, at) - in_lengths
        tail = self._tail if near == begin else b""
        while near < at:
            after = near + _LENGTH.size + _LENGTH.unpack_from(buffer, near)[1]
            tail = (tail + bytes(buffer[max(near + _LENGTH.size, after - _TAIL_BYTES) : after]))[-_TAIL_BYTES:]
            near = after
        self._tail = tail
        self._at = at

    def _take(self, length: int) -> Reading:
        while length:
            yield from self._need(1)
            at = self._at
            after = min(at + length, len(self._buffer))
            self._lines += count_line_ends(self._buffer, at, after)
            self._tail = (self._tail + bytes(self._buffer[max(at, after - _TAIL_BYTES) : after]))[-_TAIL_BYTES:]
            length -= after - at
            self._at = after

    def _piece_length(self) -> Generator[None, None, int]:
        length = yield from self._int()
        if length < 0:
            raise ValueError("a piece of data has a negative length")
        return length

    def _large(self) -> Reading:
        while (yield from self._int()) != 0:
            self.large_objects += 1
            while length := (yield from self._piece_length()):
                yield from self._take(length)

    def _need(self, count: int) -> Reading:
        while len(self._buffer) - self._at < count:
            yield

    def _byte(self) -> int:
        self._at += 1
        return self._buffer[self._at - 1]

    def _int(self) -> Generator[None, None, int]:
        yield from self._need(5)
        sign, value = _LENGTH.unpack_from(self._buffer, self._at)
        if sign > 1:
            raise ValueError("a number in it has no sign")
        self._at += 5
        return -int(value) if sign else int(value)

    def _string(self) -> Generator[None, None, bytes | None]:
        length = yield from self._int()
        if length < 0:
            return None
        if length > _MAX_STRING_BYTES:
            raise ValueError("a text in its table of contents is longer than 256 MiB")
        yield from self._need(length)
        text = bytes(self._buffer[self._at : self._at + length])
        self._at += length
        return text


def _whole_pieces(buffer: bytes | bytearray, at: int) -> tuple[int, int, int]:
    """Goes from length to length, as far as pieces are whole and shorter than 64 KiB, to the one of length 0.

    Returns:
        Where that ends, where a piece begins that is some pieces before it (or where this began), and how many line
        ends are part of lengths.
    """
    unpack = cast("Callable[[bytes | bytearray, int], tuple[int, int]]", _LENGTH.unpack_from)
    in_length = _LINE_ENDS_IN_LENGTH
    before = mark = at
    found = length = 0
    more = True
    with contextlib.suppress(struct.error, IndexError):  # the end of the buffer, or a long piece
        while more:
            before, mark = mark, at
            for _ in range(_STRIDE):
                sign, length = unpack(buffer, at)
                if sign or not length:
                    more = False
                    break
                found += in_length[length]
                at += 5 + length
    if at > len(buffer):
        at -= 5 + length
        found -= in_length[length]
    return at, before, found


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "surrogateescape")
