"""Lock documents.

Source: format sheet, section 16.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from holdfast.format.document import UINT32_LIMIT, Buffer
from holdfast.format.document import decode as decode_document
from holdfast.format.gojson import quote_text
from holdfast.format.timestamp import parse, render_instant
from holdfast.model.lock import Lock

_UInt32 = Annotated[int, Meta(ge=0, lt=UINT32_LIMIT)]


class _LockDocument(msgspec.Struct):
    time: str
    exclusive: bool
    hostname: str = ""
    username: str = ""
    pid: Annotated[int, Meta(ge=0, lt=(1 << 62))] = 0
    uid: _UInt32 = 0
    gid: _UInt32 = 0


_LOCK = msgspec.json.Decoder(_LockDocument)


def encode(lock: Lock) -> bytes:
    """The JSON of a lock."""
    text = (
        f'{{"time":"{render_instant(lock.time)}","exclusive":{"true" if lock.exclusive else "false"}'
        f',"hostname":{quote_text(lock.hostname)},"username":{quote_text(lock.username)},"pid":{lock.pid}'
    )
    for name, number in (("uid", lock.uid), ("gid", lock.gid)):
        if number:
            text += f',"{name}":{number}'
    return (text + "}").encode()


def decode(document: Buffer, what: object = "lock") -> Lock:
    """Reads a lock. Raises `FormatError` for anything that is none."""
    raw = decode_document(_LOCK, document, what)
    return Lock(
        time=parse(raw.time, what),
        exclusive=raw.exclusive,
        hostname=raw.hostname,
        username=raw.username,
        pid=raw.pid,
        uid=raw.uid,
        gid=raw.gid,
    )
