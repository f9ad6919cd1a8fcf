"""Nodes of trees: canonical JSON out, tolerant JSON in.

Source: format sheet, sections 10 to 14. The bytes of a node decide the id of its tree, so field order, omission of
empty fields and each escape are part of the format.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from holdfast.errors import FormatError, Phrase
from holdfast.format.document import UINT32_LIMIT, UINT64_LIMIT, parse_id
from holdfast.format.gojson import encode_base64, quote, quote_text
from holdfast.format.goquote import unquote
from holdfast.format.node_head import encode_head, encode_name
from holdfast.format.timestamp import GO_ZERO_NS, parse_ns
from holdfast.model.ids import BlobId
from holdfast.model.node import Node, NodeType

_GENERIC_DEPTH_MAX = 32
_GENERIC_BYTES_MAX = 1 << 20

_TYPES: dict[str, NodeType] = {kind.value: kind for kind in NodeType}


def encode_node(node: Node) -> bytes:
    """A node as canonical JSON; times in UTC.

    Raises:
        FormatError: a name no directory can hold, or a number that does not fit its field.
    """
    return encode_prefix(node) + encode_suffix(node.content, node.subtree, node.error)


def encode_prefix(node: Node) -> bytes:
    """The part of a node that is known before its content is: everything up to, not including, `"content":`."""
    check_name(node.name)
    numbers = node.inode | node.device_id | node.size | node.links | node.device
    if (node.uid | node.gid | node.mode) >> 32 or numbers >> 64:
        raise FormatError(object=f"node {node.name!r}", reason="a number does not fit its field")
    head = encode_head(
        encode_name(node.name),
        node.type,
        node.mode,
        node.mtime_ns,
        node.atime_ns,
        node.ctime_ns,
        node.uid,
        node.gid,
        node.user,
        node.group,
        node.inode,
        node.device_id,
        node.size,
        node.links,
    )
    parts = [","]
    if node.linktarget:
        parts.append(_encode_link(node.linktarget))
    if node.xattrs:
        parts.append(_encode_xattrs(node.xattrs))
    if node.generic_attributes:
        parts.append(_encode_generic(node.generic_attributes))
    if node.device:
        parts.append(f'"device":{node.device},')
    return head + "".join(parts).encode("utf-8")


def encode_suffix(content: Sequence[bytes] | None, subtree: bytes | None, error: str = "") -> bytes:
    """The rest of a node: content ids (None writes `null`), the subtree's id and the legacy error text."""
    if content is None:
        text = '"content":null'
    elif content:
        text = '"content":["' + '","'.join([identifier.hex() for identifier in content]) + '"]'
    else:
        text = '"content":[]'
    if subtree is not None:
        text += f',"subtree":"{subtree.hex()}"'
    if error:
        text += f',"error":{quote_text(error)}'
    return (text + "}").encode("utf-8")


def check_name(name: bytes) -> None:
    """Refuses a name that no directory entry can have: empty, `.`, `..`, or holding a separator or a NUL byte."""
    if not name or name in {b".", b".."} or b"/" in name or b"\0" in name:
        raise FormatError(object=f"node {name[:300]!r}", reason="no entry can have this name")


def _encode_link(target: bytes) -> str:
    text = f'"linktarget":{quote(target).decode("utf-8")},'
    try:
        target.decode("utf-8")
    except UnicodeDecodeError:
        text += f'"linktarget_raw":{encode_base64(target)},'
    return text


def _encode_xattrs(xattrs: Sequence[tuple[bytes, bytes]]) -> str:
    items = [f'{{"name":{quote(name).decode("utf-8")},"value":{encode_base64(value)}}}' for name, value in xattrs]
    return f'"extended_attributes":[{",".join(items)}],'


def _encode_generic(attributes: Sequence[tuple[str, bytes]]) -> str:
    items = [f"{quote_text(key)}:{value.decode('utf-8')}" for key, value in sorted(attributes)]
    return f'"generic_attributes":{{{",".join(items)}}},'


class RawXattr(msgspec.Struct, gc=False):
    """An extended attribute as it is written. A nil value is written as null by Go."""

    name: str
    value: bytes | None = None


class RawNode(msgspec.Struct, gc=False):
    """A node whose strings are not decoded yet: cheap to make, nothing of it checked but the JSON types."""

    name: str
    type: str
    mode: int = 0
    mtime: str = ""
    atime: str = ""
    ctime: str = ""
    uid: int = 0
    gid: int = 0
    user: str = ""
    group: str = ""
    inode: int = 0
    device_id: int = 0
    size: int = 0
    links: int = 0
    linktarget: str = ""
    linktarget_raw: bytes | None = None
    extended_attributes: list[RawXattr] | None = None
    generic_attributes: dict[str, msgspec.Raw] | None = None
    device: int = 0
    content: list[str] | None = None
    subtree: str | None = None
    error: str = ""


def from_raw(raw: RawNode, what: object = "tree") -> Node:
    """Checks a raw node and gives the node it stands for.

    Args:
        what: the tree it comes from, for the error.

    Raises:
        FormatError: the name, type, an id, a time or a number is not valid.
    """
    name = decode_name(raw.name, what)
    kind = _TYPES.get(raw.type)
    if kind is None:
        raise FormatError(object=what, reason=Phrase("node {name} is of an unknown type", {"name": repr(name[:300])}))
    _check_numbers(raw, name, what)
    mtime_ns = _parse_time(raw.mtime, what)
    return Node(
        name=name,
        type=kind,
        mode=raw.mode,
        mtime_ns=mtime_ns,
        atime_ns=mtime_ns if raw.atime == raw.mtime else _parse_time(raw.atime, what),
        ctime_ns=mtime_ns if raw.ctime == raw.mtime else _parse_time(raw.ctime, what),
        uid=raw.uid,
        gid=raw.gid,
        user=raw.user,
        group=raw.group,
        inode=raw.inode,
        device_id=raw.device_id,
        size=raw.size,
        links=raw.links,
        linktarget=_decode_link(raw, what) if raw.linktarget or raw.linktarget_raw else b"",
        xattrs=_decode_xattrs(raw.extended_attributes, what) if raw.extended_attributes else (),
        generic_attributes=_decode_generic(raw.generic_attributes, what) if raw.generic_attributes else (),
        device=raw.device,
        content=None if raw.content is None else tuple([BlobId(parse_id(text, what)) for text in raw.content]),
        subtree=BlobId(parse_id(raw.subtree, what)) if raw.subtree else None,
        error=raw.error,
    )


def decode_name(text: str, what: object = "tree") -> bytes:
    """The bytes of a node's name as written in JSON. Raises `FormatError` for one that no entry can have."""
    try:
        name = unquote(text)
        check_name(name)
    except FormatError as error:
        raise FormatError(object=what, reason=Phrase("a node is named {text}", {"text": repr(text[:300])})) from error
    return name


def known_type(text: str) -> NodeType | None:
    """The node type of a `type` field, None if there is no such type."""
    return _TYPES.get(text)


def _check_numbers(raw: RawNode, name: bytes, what: object) -> None:
    # One negative number makes the whole negative, so one test covers both bounds of all.
    narrow = raw.mode | raw.uid | raw.gid
    wide = raw.inode | raw.device_id | raw.size | raw.links | raw.device
    if not (0 <= narrow < UINT32_LIMIT and 0 <= wide < UINT64_LIMIT):
        raise FormatError(
            object=what, reason=Phrase("a number of node {name} does not fit its field", {"name": repr(name[:300])})
        )


def _parse_time(text: str, what: object) -> int:
    if not text:
        return GO_ZERO_NS
    try:
        return parse_ns(text)
    except FormatError as error:
        raise FormatError(object=what, reason=error.context["reason"]) from error


def _decode_link(raw: RawNode, what: object) -> bytes:
    target = raw.linktarget_raw or raw.linktarget.encode("utf-8")
    if b"\0" in target:
        raise FormatError(object=what, reason="a link target holds a NUL byte")
    return target


def _decode_xattrs(xattrs: Sequence[RawXattr], what: object) -> tuple[tuple[bytes, bytes], ...]:
    if any(not item.name or "\0" in item.name for item in xattrs):
        raise FormatError(object=what, reason="an extended attribute has an impossible name")
    return tuple((item.name.encode("utf-8"), item.value or b"") for item in xattrs)


def _decode_generic(attributes: dict[str, msgspec.Raw], what: object) -> tuple[tuple[str, bytes], ...]:
    pairs = tuple(sorted((key, bytes(value)) for key, value in attributes.items()))
    for key, value in pairs:
        if len(value) > _GENERIC_BYTES_MAX or _depth(value) > _GENERIC_DEPTH_MAX or not _is_utf8(value):
            raise FormatError(
                object=what,
                reason=Phrase("generic attribute {key} is too large or malformed", {"key": repr(key[:300])}),
            )
    return pairs


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*"|([\[{])|([\]}])')


def _depth(text: bytes) -> int:
    """How deep arrays and objects are nested in a valid JSON text."""
    depth = deepest = 0
    for match in _BRACKET.finditer(text):
        if match[1]:
            depth += 1
            deepest = max(deepest, depth)
        elif match[2]:
            depth -= 1
    return deepest
