"""Archives written to a stream, entry by entry."""

from __future__ import annotations

import io
import stat
import tarfile
import time
import zipfile
from collections.abc import Iterator
from typing import BinaryIO, Protocol, Self

from holdfast.errors import FormatError
from holdfast.format.mode import to_permissions
from holdfast.model.buffer import Buffer
from holdfast.model.node import Node, NodeType

_NS = 1_000_000_000
_XATTR = "SCHILY.xattr."
_TAR_TYPES = {
    NodeType.FILE: tarfile.REGTYPE,
    NodeType.DIR: tarfile.DIRTYPE,
    NodeType.SYMLINK: tarfile.SYMTYPE,
    NodeType.BLOCK_DEVICE: tarfile.BLKTYPE,
    NodeType.CHAR_DEVICE: tarfile.CHRTYPE,
    NodeType.FIFO: tarfile.FIFOTYPE,
}
_ZIP_MODES = {NodeType.FILE: stat.S_IFREG, NodeType.DIR: stat.S_IFDIR, NodeType.SYMLINK: stat.S_IFLNK}
_ZIP_FIRST_YEAR = 1980
_ZIP_LAST_YEAR = 2107


class Archive(Protocol):
    """Takes entries one after the other; leaving the block finishes the archive, unless by an error."""

    def add(self, path: bytes, node: Node, content: Iterator[Buffer]) -> bool:
        """Writes an entry. Returns False for what such an archive cannot hold.

        Args:
            path: relative, without a slash at either end.
            content: of files, `node.size` bytes in all.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None: ...


class TarArchive:
    """POSIX (PAX) tar: any name, nanoseconds, extended attributes, sizes without limit."""

    def __init__(self, target: BinaryIO) -> None:
        # With mode "w|" an archive that was given up would write its end when it is collected.
        self._tar = tarfile.open(  # noqa: SIM115 - closed by __exit__
            fileobj=_Forward(target), mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8", errors="surrogateescape"
        )

    def add(self, path: bytes, node: Node, content: Iterator[Buffer]) -> bool:
        """Writes an entry; sockets cannot be held."""
        kind = _TAR_TYPES.get(node.type)
        if kind is None:
            return False
        info = tarfile.TarInfo(_text(path))
        info.type = kind
        info.mode = to_permissions(node.mode)
        info.uid, info.gid, info.uname, info.gname = node.uid, node.gid, node.user, node.group
        info.mtime = node.mtime_ns // _NS
        info.pax_headers = _pax_headers(node)
        if node.type is NodeType.SYMLINK:
            info.linkname = _text(node.linktarget)
        elif node.type in {NodeType.BLOCK_DEVICE, NodeType.CHAR_DEVICE}:
            info.devmajor, info.devminor = _device(node.device)
        if node.type is NodeType.FILE:
            info.size = node.size
            self._tar.addfile(info, _Pieces(content, node))
        else:
            self._tar.addfile(info)
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._tar.close()


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _pax_headers(node: Node) -> dict[str, str]:
    headers = {_XATTR + _text(name): _text(value) for name, value in node.xattrs}
    seconds, fraction = divmod(node.mtime_ns, _NS)
    if fraction:
        # Before 1970 the number written is negative, and so is its fraction.
        sign, whole, rest = ("-", -seconds - 1, _NS - fraction) if seconds < 0 else ("", seconds, fraction)
        headers["mtime"] = f"{sign}{whole}.{rest:09d}"
    return headers


def _device(number: int) -> tuple[int, int]:
    """Major and minor number of a Linux `st_rdev`."""
    major = (number >> 8 & 0xFFF) | (number >> 32 & ~0xFFF & 0xFFFFFFFF)
    return major, (number & 0xFF) | (number >> 12 & ~0xFF & 0xFFFFFFFF)


class _Forward:
    """A file object that is only written to, for `tarfile`, which asks where it is."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self._written_bytes = 0

    def write(self, content: bytes, /) -> int:
        """Passes bytes on."""
        self._target.write(content)
        self._written_bytes += len(content)
        return len(content)

    def tell(self) -> int:
        """How much was written."""
        return self._written_bytes

    def read(self, size: int, /) -> bytes:
        """Nothing can be read from it."""
        raise io.UnsupportedOperation(str(size))

    def seek(self, position: int, /) -> object:
        """There is only one direction."""
        raise io.UnsupportedOperation(str(position))

    def close(self) -> None:
        """Whoever opened the target closes it."""


class _Pieces:
    """A file object over pieces, for `tarfile`, which reads exactly as much as it was told there is."""

    def __init__(self, content: Iterator[Buffer], node: Node) -> None:
        self._content = content
        self._node = node
        self._rest: memoryview = memoryview(b"")

    def read(self, size: int = 0, /) -> bytes:
        """The next bytes. Raises `FormatError` if there are not that many."""
        parts: list[memoryview] = []
        wanted = size
        while wanted:
            if not len(self._rest):
                self._rest = memoryview(self._next())
            part, self._rest = self._rest[:wanted], self._rest[wanted:]
            parts.append(part)
            wanted -= len(part)
        return b"".join(parts)

    def _next(self) -> Buffer:
        for piece in self._content:
            return piece
        raise FormatError(object=f"file {self._node.name!r}", reason="its content is shorter than it says")


class ZipArchive:
    """zip, for people without tar: files, directories and symbolic links, times to two seconds."""

    def __init__(self, target: BinaryIO) -> None:
        self._zip = zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, allowZip64=True)

    def add(self, path: bytes, node: Node, content: Iterator[Buffer]) -> bool:
        """Writes an entry; devices, FIFOs and sockets cannot be held. Names that are no UTF-8 are escaped."""
        kind = _ZIP_MODES.get(node.type)
        if kind is None:
            return False
        name = path.decode("utf-8", "backslashreplace")
        info = zipfile.ZipInfo(name + "/" if node.type is NodeType.DIR else name, _zip_time(node.mtime_ns))
        info.create_system = 3
        info.external_attr = (kind | to_permissions(node.mode)) << 16
        if node.type is NodeType.DIR:
            info.external_attr |= 0x10
            self._zip.writestr(info, b"")
        elif node.type is NodeType.SYMLINK:
            self._zip.writestr(info, node.linktarget)
        else:
            info.compress_type = zipfile.ZIP_DEFLATED
            with self._zip.open(info, "w", force_zip64=True) as stream:
                stream.writelines(content)
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._zip.close()
        else:
            # Closing would make a valid archive of what is incomplete.
            self._zip.fp = None


def _zip_time(mtime_ns: int) -> tuple[int, int, int, int, int, int]:
    moment = time.gmtime(min(max(mtime_ns // _NS, 0), 1 << 33))
    if moment.tm_year < _ZIP_FIRST_YEAR:
        return (_ZIP_FIRST_YEAR, 1, 1, 0, 0, 0)
    if moment.tm_year > _ZIP_LAST_YEAR:
        return (_ZIP_LAST_YEAR, 12, 31, 23, 59, 58)
    return moment[:6]
