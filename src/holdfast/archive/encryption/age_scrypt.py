"""age files for a passphrase, as streams.

The library for age takes a passphrase only for what fits into memory. The format is short, and its parts are functions
of `cryptography`; recipients and their many kinds of key stay with the library.

Source: the specification "age-encryption.org/v1" (header, scrypt recipient stanza, payload).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from holdfast.archive.origin import Origin
from holdfast.archive.sink import Sink
from holdfast.model.buffer import Buffer
from holdfast.protocols.content import ContentReader
from holdfast.runtime.secret import Secret

CHUNK_BYTES = 64 * 1024
_TAG_BYTES = 16
_INTRO = b"age-encryption.org/v1\n"
_LABEL = b"age-encryption.org/v1/scrypt"
_WORK = 17  # 128 MiB and about half a second
_WORK_MAX = 20  # a header must not be able to ask for all memory
_HEADER = re.compile(
    rb"age-encryption\.org/v1\n-> scrypt ([A-Za-z0-9+/]{22}) ([1-9][0-9]?)\n"
    rb"([A-Za-z0-9+/]{43})\n--- ([A-Za-z0-9+/]{43})\n"
)
HEADER_MAX_BYTES = 256


class _Stream(NamedTuple):
    """The cipher of a payload, and the number of the next chunk."""

    cipher: ChaCha20Poly1305
    number: int = 0

    def nonce(self, *, last: bool) -> bytes:
        return self.number.to_bytes(11, "big") + bytes([last])


class AgeScryptSink:
    """Encrypts for a passphrase.

    Args:
        inner: takes the encrypted bytes.
        passphrase: as the program `age` would be told it.
        work: logarithm of the cost; tests use less.
    """

    def __init__(self, inner: Sink, passphrase: Secret, *, work: int = _WORK) -> None:
        self._inner = inner
        salt, file_key, nonce = os.urandom(16), os.urandom(16), os.urandom(16)
        wrapped = ChaCha20Poly1305(_wrap_key(passphrase, salt, work)).encrypt(bytes(12), file_key, None)
        head = _INTRO + b"-> scrypt %s %d\n%s\n---" % (_base64(salt), work, _base64(wrapped))
        inner.write(head + b" " + _base64(_mac(file_key, head)) + b"\n" + nonce)
        self._stream = _Stream(_payload_cipher(file_key, nonce))
        self._pending = bytearray()

    def write(self, block: Buffer, /) -> object:
        """Takes more bytes."""
        self._pending += block
        if len(self._pending) <= CHUNK_BYTES:
            return None
        with memoryview(self._pending) as pending:
            whole = (len(pending) - 1) // CHUNK_BYTES
            parts = [self._seal(bytes(pending[at * CHUNK_BYTES : (at + 1) * CHUNK_BYTES])) for at in range(whole)]
            rest = bytearray(pending[whole * CHUNK_BYTES :])
        self._pending = rest
        self._inner.write(b"".join(parts))
        return None

    def finish(self) -> None:
        """Seals the last chunk."""
        self._inner.write(self._seal(bytes(self._pending), last=True))
        self._inner.finish()

    def abort(self) -> None:
        """Gives up."""
        self._inner.abort()

    def _seal(self, chunk: bytes, *, last: bool = False) -> bytes:
        sealed = self._stream.cipher.encrypt(self._stream.nonce(last=last), chunk, None)
        self._stream = self._stream._replace(number=self._stream.number + 1)
        return sealed


class AgeScryptReader:
    """Decrypts what a passphrase opens.

    Args:
        inner: the encrypted bytes.
        head: bytes that were read from it already.
        passphrase: see `AgeScryptSink`.
        origin: the file, for errors.

    Raises:
        DecryptionFailed: the passphrase is another one.
        BackupDamaged: the header is garbled.
    """

    def __init__(self, inner: ContentReader, head: bytes, passphrase: Secret, origin: Origin) -> None:
        self._inner = inner
        self._origin = origin
        found = _HEADER.match(head)
        if found is None:
            raise origin.damaged("its age header is garbled")
        salt, work, wrapped, mac = found.groups()
        if int(work) > _WORK_MAX:
            raise origin.damaged("its age header asks for too much work")
        file_key = _unwrapped(passphrase, salt, int(work), wrapped, origin)
        signed = found.group(0)[: -(len(mac) + 2)]
        if not hmac.compare_digest(_mac(file_key, signed), _decoded(mac, origin)):
            raise origin.damaged("its age header was changed")
        self._sealed = bytearray(head[found.end() :])
        self._fill(16)
        nonce, self._sealed = bytes(self._sealed[:16]), self._sealed[16:]
        self._stream = _Stream(_payload_cipher(file_key, nonce))
        self._plain = b""
        self._done = False

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes. Raises `BackupDamaged` for what was changed or cut."""
        if size < 0:
            return b"".join(iter(lambda: self.read(CHUNK_BYTES), b""))
        while not self._plain and not self._done:
            self._plain = self._next_chunk()
        part, self._plain = self._plain[:size], self._plain[size:]
        return part

    def close(self) -> None:
        """Closes what is read from."""
        self._inner.close()

    def _next_chunk(self) -> bytes:
        sealed_bytes = CHUNK_BYTES + _TAG_BYTES
        self._fill(sealed_bytes + 1)
        last = len(self._sealed) <= sealed_bytes
        chunk, self._sealed = bytes(self._sealed[:sealed_bytes]), self._sealed[sealed_bytes:]
        try:
            plain = self._stream.cipher.decrypt(self._stream.nonce(last=last), chunk, None)
        except (InvalidTag, ValueError) as error:
            raise self._origin.damaged("its encrypted data was changed or cut short") from error
        if last and not plain and self._stream.number:
            raise self._origin.damaged("its encrypted data ends with an empty chunk")
        self._stream = self._stream._replace(number=self._stream.number + 1)
        self._done = last
        return plain

    def _fill(self, wanted: int) -> None:
        while len(self._sealed) < wanted:
            block = self._inner.read(4 * CHUNK_BYTES)
            if not block:
                return
            self._sealed += block


def _unwrapped(passphrase: Secret, salt: bytes, work: int, wrapped: bytes, origin: Origin) -> bytes:
    key = _wrap_key(passphrase, _decoded(salt, origin), work)
    try:
        return ChaCha20Poly1305(key).decrypt(bytes(12), _decoded(wrapped, origin), None)
    except InvalidTag as error:
        raise origin.undecipherable("the passphrase is another one") from error


def _wrap_key(passphrase: Secret, salt: bytes, work: int) -> bytes:
    memory = 128 * 8 * (1 << work) + (1 << 20)
    return hashlib.scrypt(passphrase.reveal(), salt=_LABEL + salt, n=1 << work, r=8, p=1, maxmem=memory, dklen=32)


def _payload_cipher(file_key: bytes, nonce: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(HKDF(SHA256(), 32, nonce, b"payload").derive(file_key))


def _mac(file_key: bytes, head: bytes) -> bytes:
    return hmac.digest(HKDF(SHA256(), 32, b"", b"header").derive(file_key), head, "sha256")


def _base64(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def _decoded(text: bytes, origin: Origin) -> bytes:
    try:
        data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
        # Bits behind the last byte may be anything for the decoder; the format wants them to be zero.
        if _base64(data) != text:
            raise binascii.Error("not canonical")
        return data
    except binascii.Error as error:
        raise origin.damaged("its age header is garbled") from error
