"""Writing a zip as a stream: nothing is ever gone back to, and files may have any size."""

from __future__ import annotations

import stat
import struct
import tempfile
import time
import zlib
from collections.abc import Callable

from holdfast.archive.gzip_sink import Deflater
from holdfast.format.mode import to_permissions
from holdfast.model.buffer import Buffer
from holdfast.model.node import Node, NodeType

NODE_EXTRA = 0x4648
EXTRA_MAX = 60_000
_FLAGS = 0x0808  # sizes follow the content; names are UTF-8
_DEFLATED = 8
_VERSION = 45
_UNIX = 3
_NONE32 = 0xFFFFFFFF
_LARGE_BYTES = 1 << 31
_SPOOL_BYTES = 4 * 1024 * 1024
_MODES = {
    NodeType.FILE: stat.S_IFREG,
    NodeType.DIR: stat.S_IFDIR,
    NodeType.SYMLINK: stat.S_IFLNK,
}
_NS = 1_000_000_000


class ZipWriter:
    """Members one after the other, then the directory; names must be unlike each other.

    Args:
        write: takes the bytes.
        level: 0 stores without compressing.
    """

    def __init__(self, write: Callable[[Buffer], object], level: int = 6) -> None:
        self._out = write
        self._level = level
        self._position = 0
        self._count = 0
        self._directory = tempfile.SpooledTemporaryFile(_SPOOL_BYTES)  # noqa: SIM115 - closed by `close`
        self._member: _Member | None = None

    def begin(self, name: str, node: Node, *, extra: bytes = b"", large: bool = True) -> None:
        """The next member.

        Args:
            name: with a slash at its end for a directory.
            node: gives permissions and time.
            extra: fields to keep with it, in the form of the format.
            large: whether it may have 2 GiB and more.
        """
        member = _Member(name.encode(), node, extra, large or node.size >= _LARGE_BYTES, self._position, self._level)
        self._member = member
        self._write(member.local_header())

    def write(self, block: Buffer) -> None:
        """More of the content of the current member."""
        if self._member is not None:
            self._write(self._member.feed(block))

    def end(self) -> None:
        """The current member is whole."""
        member, self._member = self._member, None
        if member is None:
            return
        self._write(member.finish())
        self._write(member.descriptor())
        self._directory.write(member.directory_record())
        self._count += 1

    @property
    def position(self) -> int:
        """Where the next member begins."""
        return self._position

    def finish(self, comment: bytes = b"") -> None:
        """Writes the directory, and the mark at the end with a comment."""
        start = self._position
        self._directory.seek(0)
        while block := self._directory.read(_SPOOL_BYTES):
            self._write(block)
        size = self._position - start
        if self._count >= 0xFFFF or size >= _NONE32 or start >= _NONE32:
            where = self._position
            self._write(
                struct.pack(
                    "<4sQHHIIQQQQ", b"PK\x06\x06", 44, 0x0300 | _VERSION, _VERSION, 0, 0,
                    self._count, self._count, size, start,
                )
            )  # fmt: skip
            self._write(struct.pack("<4sIQI", b"PK\x06\x07", 0, where, 1))
        count = min(self._count, 0xFFFF)
        self._write(
            struct.pack(
                "<4sHHHHIIH", b"PK\x05\x06", 0, 0, count, count, min(size, _NONE32), min(start, _NONE32), len(comment)
            )
        )
        self._write(comment)
        self.close()

    def close(self) -> None:
        """Lets go of threads and of the directory's temporary file."""
        if self._member is not None:
            self._member.close()
        self._directory.close()

    def __del__(self) -> None:
        self._directory.close()

    def _write(self, block: Buffer) -> None:
        if memoryview(block).nbytes:
            self._position += memoryview(block).nbytes
            self._out(block)


class _Member:
    def __init__(self, name: bytes, node: Node, extra: bytes, large: bool, offset: int, level: int) -> None:
        self._name = name
        self._node = node
        self._extra = struct.pack("<HHBi", 0x5455, 5, 1, _unix_time(node.mtime_ns)) + extra
        self._large = large
        self._offset = offset
        self._deflater = Deflater(level)
        self._crc = self._size = self._packed = 0

    def local_header(self) -> bytes:
        extra = self._extra + (struct.pack("<HHQQ", 1, 16, 0, 0) if self._large else b"")
        sizes = (_NONE32, _NONE32) if self._large else (0, 0)
        when, day = _dos_time(self._node.mtime_ns)
        head = struct.pack(
            "<4sHHHHHIIIHH", b"PK\x03\x04", _VERSION, _FLAGS, _DEFLATED, when, day, 0, *sizes,
            len(self._name), len(extra),
        )  # fmt: skip
        return head + self._name + extra

    def feed(self, block: Buffer) -> bytes:
        self._crc = zlib.crc32(block, self._crc)
        self._size += memoryview(block).nbytes
        done = self._deflater.feed(block)
        self._packed += len(done)
        return done

    def finish(self) -> bytes:
        done = self._deflater.finish()
        self._packed += len(done)
        return done

    def descriptor(self) -> bytes:
        form = "<4sIQQ" if self._large else "<4sIII"
        return struct.pack(form, b"PK\x07\x08", self._crc, self._packed, self._size)

    def directory_record(self) -> bytes:
        numbers = (self._size, self._packed, self._offset)
        beyond = b"".join(struct.pack("<Q", number) for number in numbers if number >= _NONE32)
        extra = self._extra + (struct.pack("<HH", 1, len(beyond)) + beyond if beyond else b"")
        when, day = _dos_time(self._node.mtime_ns)
        size, packed, offset = (min(number, _NONE32) for number in numbers)
        mode = _MODES.get(self._node.type, stat.S_IFREG) | to_permissions(self._node.mode)
        attributes = mode << 16 | (0x10 if self._node.type is NodeType.DIR else 0)
        head = struct.pack(
            "<4sHHHHHHIIIHHHHHII", b"PK\x01\x02", _UNIX << 8 | _VERSION, _VERSION, _FLAGS, _DEFLATED, when, day,
            self._crc, packed, size, len(self._name), len(extra), 0, 0, 0, attributes, offset,
        )  # fmt: skip
        return head + self._name + extra

    def close(self) -> None:
        self._deflater.close()


def _unix_time(mtime_ns: int) -> int:
    return max(-(1 << 31), min(mtime_ns // _NS, (1 << 31) - 1))


def _dos_time(mtime_ns: int) -> tuple[int, int]:
    """Time and day as the format has them: from 1980 to 2107, to two seconds, here in UTC."""
    moment = time.gmtime(min(max(mtime_ns // _NS, 315_532_800), 4_354_819_198))
    when = moment.tm_hour << 11 | moment.tm_min << 5 | moment.tm_sec // 2
    return when, (moment.tm_year - 1980) << 9 | moment.tm_mon << 5 | moment.tm_mday
