"""Files of `openssl enc -aes-256-cbc -salt`, for reading only.

They say neither how their key was derived nor whether they are whole: all ways are tried, and what comes out must look
like something that people back up.
"""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC

from holdfast.archive.origin import Origin
from holdfast.archive.sniff import Kind, sniff
from holdfast.protocols.content import ContentReader
from holdfast.runtime.secret import Secret

MAGIC = b"Salted__"
_BLOCK = 16
_STEP_BYTES = 256 * 1024
_PROBE_BYTES = 4096
_ITERATIONS = 10_000
_DERIVATIONS = ("sha256", "pbkdf2", "md5")
# What a single byte tells, as with GPG, would be told by chance too.
_CERTAIN = frozenset({Kind.SQLITE, Kind.PGDUMP, Kind.SQL, Kind.JSON, Kind.TAR, Kind.ZIP, Kind.GZIP, Kind.ZSTD})


class OpensslReader:
    """Decrypts; the last block, and nothing else, tells whether the file was cut.

    Args:
        inner: the encrypted bytes.
        passphrase: as openssl would be told it.
        origin: the file, for errors.

    Raises:
        BackupDamaged: it is no such file.
        DecryptionFailed: whatever way is tried, nothing sensible comes out.
    """

    def __init__(self, inner: ContentReader, passphrase: Secret, origin: Origin) -> None:
        self._inner = inner
        self._origin = origin
        head = b""
        while len(head) < 16 + _PROBE_BYTES and (block := inner.read(16 + _PROBE_BYTES - len(head))):
            head += block
        if not head.startswith(MAGIC) or len(head) < 32:
            raise origin.damaged("it is no file of openssl")
        self._cipher = _found(passphrase, head, origin)
        self._pending = head[16:]
        self._ended = False

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes. Raises `BackupDamaged` if the end is missing."""
        if size < 0:
            return b"".join(iter(lambda: self.read(_STEP_BYTES), b""))
        while size and not self._ended:
            block = self._next(max(size, _BLOCK))
            if block:
                return block
        return b""

    def close(self) -> None:
        """Closes what is read from."""
        self._inner.close()

    def _next(self, size: int) -> bytes:
        wanted = min(max(size - size % _BLOCK, _BLOCK), _STEP_BYTES)
        while len(self._pending) <= wanted:
            block = self._inner.read(_STEP_BYTES)
            if not block:
                break
            self._pending += block
        if len(self._pending) > wanted:
            part, self._pending = self._pending[:wanted], self._pending[wanted:]
            return self._cipher.update(part)
        self._ended = True
        if not self._pending or len(self._pending) % _BLOCK:
            raise self._origin.damaged("it is cut short")
        plain = self._cipher.update(self._pending)
        if not 1 <= plain[-1] <= _BLOCK or plain[-plain[-1] :] != bytes([plain[-1]]) * plain[-1]:
            raise self._origin.damaged("its end was changed or cut off")
        return plain[: -plain[-1]]


def _found(passphrase: Secret, head: bytes, origin: Origin) -> CipherContext:
    salt, probe = head[8:16], head[16:]
    probe = probe[: len(probe) - len(probe) % _BLOCK]
    for derivation in _DERIVATIONS:
        material = _derived(passphrase.reveal(), salt, derivation)
        if sniff(_decryptor(material).update(probe)) in _CERTAIN:
            return _decryptor(material)
    raise origin.undecipherable("the passphrase is another one, or it was encrypted in an unusual way")


def _decryptor(material: bytes) -> CipherContext:
    return Cipher(AES256(material[:32]), CBC(material[32:48])).decryptor()


def _derived(passphrase: bytes, salt: bytes, derivation: str) -> bytes:
    if derivation == "pbkdf2":
        return hashlib.pbkdf2_hmac("sha256", passphrase, salt, _ITERATIONS, 48)
    material = previous = b""
    while len(material) < 48:
        previous = hashlib.new(derivation, previous + passphrase + salt, usedforsecurity=False).digest()
        material += previous
    return material[:48]
