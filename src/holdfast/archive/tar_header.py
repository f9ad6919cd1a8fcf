"""Headers of tar members, as bytes: POSIX (PAX) format, without words that GNU tar would complain about."""

from __future__ import annotations

from holdfast.format.mode import to_permissions
from holdfast.model.node import Node, NodeType

BLOCK = 512
_NS = 1_000_000_000
_NAME_BYTES = 100
_OWNER_BYTES = 32
_OCTAL_11 = 8**11
_OCTAL_7 = 8**7
_TYPES = {
    NodeType.FILE: b"0",
    NodeType.SYMLINK: b"2",
    NodeType.CHAR_DEVICE: b"3",
    NodeType.BLOCK_DEVICE: b"4",
    NodeType.DIR: b"5",
    NodeType.FIFO: b"6",
}
_HARD_LINK = b"1"
_LOCAL, _GLOBAL = b"x", b"g"
_DEVICES = frozenset({NodeType.CHAR_DEVICE, NodeType.BLOCK_DEVICE})


def holds(kind: NodeType) -> bool:
    """Whether tar has a kind of member for it; it has none for sockets."""
    return kind in _TYPES


def member(path: bytes, node: Node, *, size_bytes: int = 0, link_to: bytes = b"", comment: bytes = b"") -> bytes:
    """The header blocks of a member.

    Args:
        path: relative, without a slash at either end.
        node: its metadata.
        size_bytes: of the content that follows.
        link_to: for a further name of a file, the path of the first.
        comment: kept in the extended header; readers ignore it.
    """
    name = path + b"/" if node.type is NodeType.DIR else path
    target = link_to or node.linktarget
    records = _records(name, target, node, size_bytes)
    if comment:
        records.append((b"comment", comment))
    head = extended(records) if records else b""
    seconds = node.mtime_ns // _NS
    return head + _ustar(
        name,
        _HARD_LINK if link_to else _TYPES[node.type],
        mode=to_permissions(node.mode),
        uid=node.uid if 0 <= node.uid < _OCTAL_7 else 0,
        gid=node.gid if 0 <= node.gid < _OCTAL_7 else 0,
        size=size_bytes if size_bytes < _OCTAL_11 else 0,
        mtime=seconds if 0 <= seconds < _OCTAL_11 else 0,
        linkname=target,
        owner=(node.user.encode("utf-8", "surrogateescape"), node.group.encode("utf-8", "surrogateescape")),
        device=_device(node.device) if node.type in _DEVICES else (0, 0),
    )


def global_comment(comment: bytes) -> bytes:
    """A header that holds for the whole archive and says nothing to other programs."""
    return extended([(b"comment", comment)], kind=_GLOBAL)


def extended(records: list[tuple[bytes, bytes]], kind: bytes = _LOCAL) -> bytes:
    """An extended header with these records."""
    body = b"".join(_record(keyword, value) for keyword, value in records)
    head = _ustar(b"./PaxHeaders/holdfast", kind, mode=0o644, size=len(body))
    return head + body + padding(len(body))


def padding(size_bytes: int) -> bytes:
    """Zeros up to a whole block."""
    return bytes(-size_bytes % BLOCK)


def end() -> bytes:
    """What follows the last member."""
    return bytes(2 * BLOCK)


def _records(name: bytes, target: bytes, node: Node, size_bytes: int) -> list[tuple[bytes, bytes]]:
    records: list[tuple[bytes, bytes]] = []
    if _needs_record(name):
        records.append((b"path", name))
    if target and _needs_record(target):
        records.append((b"linkpath", target))
    seconds, fraction = divmod(node.mtime_ns, _NS)
    if fraction or not 0 <= seconds < _OCTAL_11:
        records.append((b"mtime", _decimal(seconds, fraction)))
    for keyword, number in ((b"uid", node.uid), (b"gid", node.gid)):
        if not 0 <= number < _OCTAL_7:
            records.append((keyword, b"%d" % number))
    for keyword, text in ((b"uname", node.user), (b"gname", node.group)):
        value = text.encode("utf-8", "surrogateescape")
        if len(value) > _OWNER_BYTES or not value.isascii():
            records.append((keyword, value))
    if size_bytes >= _OCTAL_11:
        records.append((b"size", b"%d" % size_bytes))
    for attribute, value in node.xattrs:
        keyword = attribute.replace(b"%", b"%25").replace(b"=", b"%3D")
        records.append((b"SCHILY.xattr." + keyword, value))
    return records


def _needs_record(name: bytes) -> bool:
    """Names that are long, or not ASCII but UTF-8; what is no UTF-8 at all is plain bytes to every reader."""
    if len(name) > _NAME_BYTES:
        return True
    if name.isascii():
        return False
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decimal(seconds: int, fraction: int) -> bytes:
    if not fraction:
        return b"%d" % seconds
    if seconds >= 0:
        return b"%d.%09d" % (seconds, fraction)
    # Before 1970 the number written is negative, and so is its fraction.
    return b"-%d.%09d" % (-seconds - 1, _NS - fraction)


def _record(keyword: bytes, value: bytes) -> bytes:
    length = len(keyword) + len(value) + 3
    total = length + len(str(length))
    if len(str(total)) != len(str(length)):
        total = length + len(str(total))
    return b"%d %s=%s\n" % (total, keyword, value)


def _ustar(
    name: bytes,
    kind: bytes,
    *,
    mode: int,
    uid: int = 0,
    gid: int = 0,
    size: int = 0,
    mtime: int = 0,
    linkname: bytes = b"",
    owner: tuple[bytes, bytes] = (b"", b""),
    device: tuple[int, int] = (0, 0),
) -> bytes:
    user, group = (value if len(value) <= _OWNER_BYTES else b"" for value in owner)
    fields = [
        name[:_NAME_BYTES].ljust(_NAME_BYTES, b"\0"),
        b"%07o\0%07o\0%07o\0%011o\0%011o\0" % (mode, uid, gid, size, mtime),
        b" " * 8,
        kind,
        linkname[:_NAME_BYTES].ljust(_NAME_BYTES, b"\0"),
        b"ustar\x0000",
        user.ljust(_OWNER_BYTES, b"\0"),
        group.ljust(_OWNER_BYTES, b"\0"),
        b"%07o\0%07o\0" % device,
    ]
    block = b"".join(fields).ljust(BLOCK, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _device(number: int) -> tuple[int, int]:
    """Major and minor number of a Linux `st_rdev`."""
    major = (number >> 8 & 0xFFF) | (number >> 32 & ~0xFFF & 0xFFFFFFFF)
    return major & (_OCTAL_7 - 1), ((number & 0xFF) | (number >> 12 & ~0xFF & 0xFFFFFFFF)) & (_OCTAL_7 - 1)
