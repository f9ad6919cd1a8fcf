"""Reading a tar stream as entries: ours, and whatever other programs wrote."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import IO, cast

from holdfast.archive.forward import ForwardStream
from holdfast.archive.node_text import read_links_comment, read_root_comment
from holdfast.archive.origin import Origin
from holdfast.archive.safety import Guard
from holdfast.errors import HoldfastError, Phrase
from holdfast.format.mode import from_permissions
from holdfast.model.node import Node, NodeType
from holdfast.protocols.content import ContentReader, Entry

_NS = 1_000_000_000
_XATTR = "SCHILY.xattr."
_END_BLOCK = bytes(512)
_TYPES = {
    tarfile.REGTYPE: NodeType.FILE,
    tarfile.AREGTYPE: NodeType.FILE,
    tarfile.CONTTYPE: NodeType.FILE,
    tarfile.GNUTYPE_SPARSE: NodeType.FILE,
    tarfile.LNKTYPE: NodeType.FILE,
    tarfile.SYMTYPE: NodeType.SYMLINK,
    tarfile.CHRTYPE: NodeType.CHAR_DEVICE,
    tarfile.BLKTYPE: NodeType.BLOCK_DEVICE,
    tarfile.DIRTYPE: NodeType.DIR,
    tarfile.FIFOTYPE: NodeType.FIFO,
}
_DIR_NODE = Node(name=b"", type=NodeType.DIR, mode=from_permissions(NodeType.DIR, 0o755))


class _Tar(tarfile.TarFile):
    """One that takes an archive of nothing but a global header for what it is: empty."""

    members: list[tarfile.TarInfo]
    firstmember: tarfile.TarInfo | None

    def next(self) -> tarfile.TarInfo | None:
        first = not hasattr(self, "firstmember") or self.firstmember is None
        try:
            return super().next()
        except tarfile.ReadError:
            stream = cast(ForwardStream, self.fileobj)
            if first and self.pax_headers and stream.last == _END_BLOCK:
                return None
            raise


_Members = Generator[tuple[tarfile.TarInfo, tarfile.TarFile]]


class TarReader:
    """Gives the members of an archive as entries, once.

    Directories that an archive leaves out are made up, so that each entry comes after its directory.

    Args:
        open_stream: opens the uncompressed archive from its start; called again to read the content of a link.
        origin: the file, for errors.
        trusted: whether a record of ours vouches for it.
    """

    def __init__(self, open_stream: Callable[[], ContentReader], origin: Origin, *, trusted: bool = True) -> None:
        self._open_stream = open_stream
        self._origin = origin
        self._trusted = trusted
        self._lonely_root: Node | None = None

    def entries(self) -> Iterator[Entry]:
        """Every member, to the mark at the end.

        Raises:
            BackupDamaged: it is cut short or garbled.
            UnsafePath: a member would lead elsewhere.
        """
        guard = Guard(self._origin, trusted=self._trusted)
        seen: set[bytes] = set()
        for info, tar in self._members():
            path = guard.path(_raw(info.name))
            node = _node(path, info)
            guard.check(path, node)
            if b"" not in seen:
                seen.add(b"")
                yield Entry(path=b"", node=_root(tar) or (_DIR_NODE if path else node))
            if not path:
                continue
            yield from _missing(path, seen)
            if node.type is NodeType.DIR:
                seen.add(path)
            yield self._entry(path, node, info, tar)
        if b"" not in seen:
            yield Entry(path=b"", node=self._lonely_root or _DIR_NODE)

    def _members(self) -> _Members:
        stream = ForwardStream(self._open_stream(), self._origin)
        try:
            try:
                tar = _Tar(fileobj=cast("IO[bytes]", stream), mode="r", encoding="utf-8", errors="surrogateescape")
                while (info := tar.next()) is not None:
                    tar.members.clear()  # or it would remember each of 200,000
                    yield info, tar
            except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
                raise self._origin.damaged(
                    Phrase("it is no whole tar archive ({reason})", {"reason": str(error)})
                ) from error
            self._lonely_root = _root(tar)
            if stream.last != _END_BLOCK:
                raise self._origin.damaged("it ends without the mark at the end of an archive, or a header is garbled")
            stream.drain()
        finally:
            stream.close()

    def _entry(self, path: bytes, node: Node, info: tarfile.TarInfo, tar: tarfile.TarFile) -> Entry:
        if node.type is not NodeType.FILE:
            return Entry(path=path, node=node)
        if info.type == tarfile.LNKTYPE:
            target = Guard(self._origin, trusted=self._trusted).path(_raw(info.linkname))
            return Entry(path=path, node=node, size_known=node.links > 0, open=lambda: self._linked(target))
        return Entry(path=path, node=node, open=lambda: _MemberReader(tar, info, self._origin))

    def _linked(self, target: bytes) -> ContentReader:
        """The content of another member, for which the archive is read again from its start."""
        guard = Guard(self._origin, trusted=self._trusted)
        members = self._members()
        for info, tar in members:
            if info.type != tarfile.LNKTYPE and guard.path(_raw(info.name)) == target:
                return _MemberReader(tar, info, self._origin, members)
        raise self._origin.damaged("a link in it leads to no member")


class _MemberReader:
    """The content of one member."""

    def __init__(
        self,
        tar: tarfile.TarFile,
        info: tarfile.TarInfo,
        origin: Origin,
        held: _Members | None = None,
    ) -> None:
        self._file = tar.extractfile(info)
        self._left = info.size
        self._origin = origin
        self._held = held  # an archive opened for this content alone stays open with it

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes. Raises `BackupDamaged` if there are fewer than announced."""
        if self._file is None or not self._left:
            return b""
        try:
            block = self._file.read(self._left if size < 0 else size)
        except (tarfile.TarError, EOFError, OSError) as error:
            if isinstance(error, HoldfastError):
                raise
            raise self._origin.damaged("it is cut short within a file") from error
        if not block and size != 0:
            raise self._origin.damaged("it is cut short within a file")
        self._left -= len(block)
        return block

    def close(self) -> None:
        """Drops the content."""
        self._file = None
        held, self._held = self._held, None
        if held is not None:
            held.close()


def _root(tar: tarfile.TarFile) -> Node | None:
    return read_root_comment(_raw(tar.pax_headers.get("comment", "")))


def _missing(path: bytes, seen: set[bytes]) -> Iterator[Entry]:
    for at, byte in enumerate(path):
        if byte == 0x2F and path[:at] not in seen:
            seen.add(path[:at])
            yield Entry(path=path[:at], node=_named(path[:at], _DIR_NODE))


def _named(path: bytes, node: Node) -> Node:
    from msgspec.structs import replace

    return replace(node, name=path.rpartition(b"/")[2])


def _node(path: bytes, info: tarfile.TarInfo) -> Node:
    kind = _TYPES.get(info.type, NodeType.FILE)
    headers = info.pax_headers
    links = read_links_comment(_raw(headers.get("comment", ""))) if kind is NodeType.FILE else None
    count, inode, device_id, size = links or (0, 0, 0, 0)
    return Node(
        name=path.rpartition(b"/")[2],
        type=kind,
        mode=from_permissions(kind, info.mode & 0o7777),
        mtime_ns=_mtime_ns(headers.get("mtime", ""), info.mtime),
        uid=info.uid,
        gid=info.gid,
        user=info.uname,
        group=info.gname,
        inode=inode,
        device_id=device_id,
        links=count,
        size=(size if info.type == tarfile.LNKTYPE else info.size) if kind is NodeType.FILE else 0,
        linktarget=_raw(info.linkname) if kind is NodeType.SYMLINK else b"",
        xattrs=tuple(_xattrs(headers)),
        device=_device(info.devmajor, info.devminor) if kind in {NodeType.BLOCK_DEVICE, NodeType.CHAR_DEVICE} else 0,
    )


def _xattrs(headers: Mapping[str, str]) -> Iterator[tuple[bytes, bytes]]:
    for keyword, value in headers.items():
        if keyword.startswith(_XATTR):
            name = _raw(keyword[len(_XATTR) :]).replace(b"%3D", b"=").replace(b"%25", b"%")
            yield name, _raw(value)


def _mtime_ns(text: str, seconds: float) -> int:
    """Exact nanoseconds of an extended header; a float would lose the last three digits."""
    sign = -1 if text.startswith("-") else 1
    whole, _, fraction = text.removeprefix("-").partition(".")
    if whole.isdecimal() and (not fraction or fraction.isdecimal()):
        return sign * (int(whole) * _NS + int(fraction[:9].ljust(9, "0") or 0))
    return int(seconds) * _NS


def _device(major: int, minor: int) -> int:
    """Linux's `st_rdev` of two numbers."""
    return (minor & 0xFF) | (major & 0xFFF) << 8 | (minor & ~0xFF) << 12 | (major & ~0xFFF) << 32


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
