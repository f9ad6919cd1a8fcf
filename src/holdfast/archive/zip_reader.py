"""Reading a zip as a stream, from its first byte to its last."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from holdfast.archive.forward import ForwardStream
from holdfast.archive.origin import Origin
from holdfast.protocols.content import ContentReader

_LOCAL = b"PK\x03\x04"
_CENTRAL = b"PK\x01\x02"
_DESCRIPTOR = b"PK\x07\x08"
_HEAD = struct.Struct("<HHHHHIIIHH")
_STEP_BYTES = 64 * 1024
_DEFLATED = 8
_STORED = 0
_ENCRYPTED_FLAG = 1
_FOLLOWS_FLAG = 8
_NONE32 = 0xFFFFFFFF


class _Inflater(Protocol):
    """What `zlib.decompressobj` gives."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    @property
    def unconsumed_tail(self) -> bytes: ...

    def decompress(self, data: bytes, /, max_length: int = 0) -> bytes: ...


class Member(NamedTuple):
    """A member of a zip: its name, its extra fields by number, and its content, which is read before the next."""

    name: str
    extras: dict[int, bytes]
    content: MemberReader


class ZipReader:
    """Walks through a zip without going back.

    Args:
        inner: the zip.
        origin: the file, for errors.
    """

    def __init__(self, inner: ContentReader, origin: Origin) -> None:
        self._stream = ForwardStream(inner, origin)
        self._origin = origin

    def members(self) -> Iterator[Member]:
        """Every member; what of its content is not read is skipped, and proved all the same.

        Raises:
            BackupDamaged: it is cut short or garbled.
        """
        count = 0
        while (mark := self._exactly(4)) == _LOCAL:
            member = self._member()
            count += 1
            yield member
            member.content.skip()
        while mark == _CENTRAL:
            count -= 1
            lengths = struct.unpack("<HHH", self._exactly(42)[24:30])
            self._exactly(sum(lengths))
            mark = self._exactly(4)
        if mark not in {b"PK\x06\x06", b"PK\x05\x06"} or count != 0:
            raise self._origin.damaged("its directory is garbled")
        self._stream.drain()

    def close(self) -> None:
        """Closes what is read from."""
        self._stream.close()

    def _member(self) -> Member:
        head = _HEAD.unpack(self._exactly(26))
        _version, flags, method, _time, _day, crc, packed, size, name_length, extra_length = head
        raw = self._exactly(name_length)
        extras = _extras(self._exactly(extra_length))
        large = 1 in extras
        if large and not flags & _FOLLOWS_FLAG and len(extras[1]) >= 16:
            size64, packed64 = struct.unpack("<QQ", extras[1][:16])
            size, packed = (size64 if size == _NONE32 else size), (packed64 if packed == _NONE32 else packed)
        if (
            flags & _ENCRYPTED_FLAG
            or method not in {_DEFLATED, _STORED}
            or (method == _STORED and flags & _FOLLOWS_FLAG)
        ):
            raise self._origin.damaged("a member is packed in a way that cannot be read as a stream")
        name = raw.decode("utf-8" if flags & 0x800 else "cp437", "surrogateescape")
        announced = None if flags & _FOLLOWS_FLAG else (crc, size)
        stored = packed if method == _STORED else None
        return Member(name, extras, MemberReader(self._stream, self._origin, announced, stored, large))

    def _exactly(self, size: int) -> bytes:
        block = self._stream.read(size)
        if len(block) != size:
            raise self._origin.damaged("it is cut short")
        return block


class MemberReader:
    """The content of one member; compares its check value at its end."""

    def __init__(
        self, stream: ForwardStream, origin: Origin, announced: tuple[int, int] | None, stored: int | None, large: bool
    ) -> None:
        self._stream = stream
        self._origin = origin
        self._announced = announced
        self._stored = stored
        self._large = large
        self._inflater = None if stored is not None else zlib.decompressobj(-zlib.MAX_WBITS)
        self._rest = b""
        self._crc = self._size = 0
        self._ended = False

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes. Raises `BackupDamaged` instead of ending where it is not whole."""
        if size < 0:
            return b"".join(iter(lambda: self.read(_STEP_BYTES), b""))
        while size and not self._ended:
            block = self._stored_block(size) if self._inflater is None else self._inflated(self._inflater, size)
            self._crc = zlib.crc32(block, self._crc)
            self._size += len(block)
            if block:
                return block
        return b""

    def close(self) -> None:
        """Does nothing: the rest is skipped before the next member."""

    def skip(self) -> None:
        """Reads to the end."""
        while self.read(_STEP_BYTES):
            pass

    def _stored_block(self, size: int) -> bytes:
        left = self._stored or 0
        block = self._stream.read(min(size, left, _STEP_BYTES))
        self._stored = left - len(block)
        if not block and left:
            raise self._origin.damaged("it is cut short within a member")
        if not block:
            self._end()
        return block

    def _inflated(self, inflater: _Inflater, size: int) -> bytes:
        if inflater.eof:
            self._stream.seek(self._stream.tell() - len(inflater.unused_data))
            self._end()
            return b""
        rest = self._rest or self._stream.read(_STEP_BYTES)
        if not rest:
            raise self._origin.damaged("it is cut short within a member")
        try:
            block = inflater.decompress(rest, size)
        except zlib.error as error:
            raise self._origin.damaged("a member is garbled") from error
        self._rest = inflater.unconsumed_tail
        return block

    def _end(self) -> None:
        self._ended = True
        crc, size = self._announced or self._descriptor()
        if crc != self._crc or size != self._size & (0xFFFFFFFFFFFFFFFF if self._large else _NONE32):
            raise self._origin.damaged("a member does not match its check value")

    def _descriptor(self) -> tuple[int, int]:
        form = "<IQQ" if self._large else "<III"
        block = self._stream.read(4)
        if block == _DESCRIPTOR:
            block = b""
        block += self._stream.read(struct.calcsize(form) - len(block))
        if len(block) != struct.calcsize(form):
            raise self._origin.damaged("it is cut short within a member")
        crc, _packed, size = struct.unpack(form, block)
        return crc, size


def _extras(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while len(data) >= 4:
        number, length = struct.unpack("<HH", data[:4])
        found[number] = data[4 : 4 + length]
        data = data[4 + length :]
    return found
