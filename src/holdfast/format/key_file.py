"""Key files: plain JSON that holds the master key, sealed with a key stretched from a password.

Source: format sheet, section 3.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from holdfast.errors import FormatError, Phrase, UnsupportedFormat
from holdfast.format.document import Buffer
from holdfast.format.document import decode as decode_document
from holdfast.format.gojson import encode_base64, quote_text
from holdfast.format.kdf import SALT_BYTES
from holdfast.format.seal import Sealer, check_key
from holdfast.format.timestamp import parse, render_instant
from holdfast.model.key import KdfParameters, KeyFile, MasterKey

KEY_FILE_BYTES_MAX = 64 * 1024

_Cost = Annotated[int, Meta(ge=0, le=(1 << 62))]


class _KeyDocument(msgspec.Struct, kw_only=True):
    created: str
    username: str = ""
    hostname: str = ""
    kdf: str
    n: _Cost = msgspec.field(name="N")
    r: _Cost
    p: _Cost
    salt: bytes
    data: bytes


class _MacDocument(msgspec.Struct):
    k: bytes
    r: bytes


class _MasterDocument(msgspec.Struct):
    mac: _MacDocument
    encrypt: bytes


_KEY = msgspec.json.Decoder(_KeyDocument)
_MASTER = msgspec.json.Decoder(_MasterDocument)


def encode(key_file: KeyFile) -> bytes:
    """The stored bytes of a key file."""
    kdf = key_file.kdf
    return (
        f'{{"created":"{render_instant(key_file.created)}","username":{quote_text(key_file.username)}'
        f',"hostname":{quote_text(key_file.hostname)},"kdf":"scrypt","N":{kdf.n},"r":{kdf.r},"p":{kdf.p}'
        f',"salt":{encode_base64(key_file.salt)},"data":{encode_base64(key_file.data)}}}'
    ).encode()


def decode(document: Buffer, what: object = "key") -> KeyFile:
    """Reads a key file. The scrypt parameters are read as they are; `kdf` judges them.

    Raises:
        FormatError: not a key file.
        UnsupportedFormat: a key derivation other than scrypt.
    """
    if len(document) > KEY_FILE_BYTES_MAX:
        raise FormatError(object=what, reason="it is larger than any key file")
    raw = decode_document(_KEY, document, what)
    if raw.kdf != "scrypt":
        raise UnsupportedFormat(object=what, feature=Phrase("the key derivation {kdf}", {"kdf": repr(raw.kdf[:40])}))
    if len(raw.salt) != SALT_BYTES:
        raise FormatError(object=what, reason="its salt is not 64 bytes")
    return KeyFile(
        created=parse(raw.created, what),
        username=raw.username,
        hostname=raw.hostname,
        kdf=KdfParameters(n=raw.n, r=raw.r, p=raw.p),
        salt=raw.salt,
        data=raw.data,
    )


def wrap(master: MasterKey, user_key: MasterKey, nonce: bytes) -> bytes:
    """The `data` field of a key file: the master key sealed with a user key."""
    document = (
        f'{{"mac":{{"k":{encode_base64(master.mac_k)},"r":{encode_base64(master.mac_r)}}}'
        f',"encrypt":{encode_base64(master.encrypt)}}}'
    )
    return bytes(Sealer(user_key).seal(document.encode("ascii"), nonce))


def unwrap(key_file: KeyFile, user_key: MasterKey, what: object = "key") -> MasterKey:
    """The master key of a key file.

    Raises:
        MacMismatch: the user key comes from another password.
        FormatError: what was sealed is no master key.
    """
    document = Sealer(user_key).open(key_file.data, what)
    try:
        raw = _MASTER.decode(document)
    except (ValueError, RecursionError):
        # SAFETY: the cause is left out, so that no piece of the key reaches a message or a traceback.
        raise FormatError(object=what, reason="it does not hold a master key") from None
    master = MasterKey(encrypt=raw.encrypt, mac_k=raw.mac.k, mac_r=raw.mac.r)
    check_key(master)
    return master
