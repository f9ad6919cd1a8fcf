"""The first fourteen fields of a node, written straight from numbers: the hot path of every backup."""

from __future__ import annotations

from holdfast.format.gojson import quote as quote_json
from holdfast.format.gojson import quote_cached
from holdfast.format.goquote import quote as quote_name
from holdfast.format.timestamp import render_utc


def encode_name(name: bytes) -> bytes:
    """A node's name as JSON text with its quotation marks: Go-quoted first, then JSON-escaped."""
    return quote_json(quote_name(name))


def encode_head(
    name_json: bytes,
    kind: str,
    mode: int,
    mtime_ns: int,
    atime_ns: int,
    ctime_ns: int,
    uid: int,
    gid: int,
    user: str,
    group: str,
    inode: int,
    device_id: int,
    size: int,
    links: int,
) -> bytes:
    """Everything up to `links`, without a closing comma; fields that are zero are left out where the format does.

    Args:
        name_json: from `encode_name`.
        kind: the node type's name.
        mode: Go `os.FileMode` bits.
        size: bytes of a file; 0 for anything else.
        links: hard links; 0 for directories and FIFOs.
    """
    mtime = render_utc(mtime_ns)
    atime = mtime if atime_ns == mtime_ns else render_utc(atime_ns)
    ctime = mtime if ctime_ns == mtime_ns else render_utc(ctime_ns)
    text = f',"type":"{kind}"'
    if mode:
        text += f',"mode":{mode}'
    text += f',"mtime":"{mtime}","atime":"{atime}","ctime":"{ctime}","uid":{uid},"gid":{gid}'
    if user:
        text += f',"user":{quote_cached(user)}'
    if group:
        text += f',"group":{quote_cached(group)}'
    if inode:
        text += f',"inode":{inode}'
    if device_id:
        text += f',"device_id":{device_id}'
    if size:
        text += f',"size":{size}'
    if links:
        text += f',"links":{links}'
    return b'{"name":' + name_json + text.encode()
