"""Sealing: AES-256-CTR and Poly1305-AES, encrypt then authenticate.

    sealed = IV (16) | ciphertext | tag (16)

Source: format sheet, section 2. The tag covers the ciphertext alone; the IV is bound because it decides the
one-time half of the Poly1305 key.
"""

from __future__ import annotations

from hmac import compare_digest

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305

from holdfast.errors import FormatError, MacMismatch
from holdfast.format.document import Buffer
from holdfast.model.key import MasterKey

NONCE_BYTES = 16
TAG_BYTES = 16
OVERHEAD = NONCE_BYTES + TAG_BYTES

_LARGE = 64 * 1024
_SCRATCH_MAX = 8 << 20
_COMPARED_AT_ONCE = 256 << 10
_ZERO_NONCE = bytes(NONCE_BYTES)
_CLAMP = 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF


class Sealer:
    """Seals and opens with one key.

    Keeps cipher contexts, because making one costs more than sealing a small blob with it. Hence an instance belongs
    to one thread at a time.
    """

    __slots__ = ("_aes_ctr", "_mac_aes", "_mac_r", "_scratch")

    def __init__(self, key: MasterKey) -> None:
        """Prepares the ciphers. Raises `FormatError` for a key of wrong length or of zeros."""
        check_key(key)
        self._mac_r = key.mac_r
        self._scratch = bytearray()
        # SAFETY: the nonce given here is never used; each call sets its own with reset_nonce.
        self._aes_ctr = Cipher(algorithms.AES(key.encrypt), modes.CTR(_ZERO_NONCE)).encryptor()
        # One AES block is the format's Poly1305-AES key derivation, not encryption of data.
        self._mac_aes = Cipher(algorithms.AES(key.mac_k), modes.ECB()).encryptor()  # noqa: S305

    def seal(self, plaintext: Buffer, nonce: bytes) -> bytes | bytearray:
        """Encrypts and authenticates.

        Args:
            plaintext: any number of bytes, also none.
            nonce: 16 random bytes, never used before with this key, not all zero.

        Returns:
            32 bytes more than the plaintext: `bytes` for a small plaintext, a `bytearray` of its own for a large one.
        """
        if len(nonce) != NONCE_BYTES or nonce == _ZERO_NONCE:
            raise FormatError(object="nonce", reason="it is not 16 bytes or all zero")
        self._aes_ctr.reset_nonce(nonce)
        size = len(plaintext)
        if size < _LARGE:
            ciphertext = self._aes_ctr.update(plaintext)
            return nonce + ciphertext + self._tag(nonce, ciphertext)
        sealed = bytearray(size + OVERHEAD)
        with memoryview(sealed) as view, view[NONCE_BYTES : NONCE_BYTES + size] as middle:
            self._aes_ctr.update_into(plaintext, middle)
            sealed[:NONCE_BYTES] = nonce
            sealed[NONCE_BYTES + size :] = self._tag(nonce, middle)
        return sealed

    def open(self, sealed: Buffer, what: object = "data") -> bytes:
        """Verifies and decrypts.

        Args:
            sealed: what `seal` returned.
            what: the object, for the error.

        Raises:
            MacMismatch: the bytes were changed, or sealed with another key.
            FormatError: too short, or an all-zero nonce.
        """
        with memoryview(sealed) as view:
            return self._open_view(view, what)

    def opens_to(self, sealed: Buffer, plaintext: Buffer, what: object = "data") -> bool:
        """Whether sealed bytes open to this plaintext. Raises as `open` does."""
        size = len(plaintext)
        if len(sealed) != size + OVERHEAD:
            return False
        if size < _LARGE and isinstance(sealed, bytes):
            nonce, ciphertext = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:-TAG_BYTES]
            if not compare_digest(self._tag(nonce, ciphertext), sealed[-TAG_BYTES:]):
                raise MacMismatch(object=what)
            self._aes_ctr.reset_nonce(nonce)
            return self._aes_ctr.update(ciphertext) == plaintext
        with memoryview(sealed) as view, memoryview(plaintext) as wanted:
            self._verify(view, size, what)
            # Piece by piece: a thread that has once had a large blob would keep as much memory for good.
            for start in range(0, size, _COMPARED_AT_ONCE):
                piece = wanted[start : start + _COMPARED_AT_ONCE]
                scratch = self._scratch_of(len(piece))
                self._aes_ctr.update_into(view[NONCE_BYTES + start : NONCE_BYTES + start + len(piece)], scratch)
                if not scratch.startswith(piece):
                    return False
            return True

    def open_scratch(self, buffer: Buffer, start: int, length: int, what: object = "data") -> Buffer:
        """`open_range` without a copy of its own: the result is valid until the next call of any method."""
        if start < 0 or length < 0 or start + length > len(buffer):
            raise FormatError(object=what, reason="its range lies outside the pack")
        with memoryview(buffer) as view, view[start : start + length] as part:
            if length < _LARGE:
                return self._open_view(part, what)
            return self._open_scratch(part, what)

    def open_range(self, buffer: Buffer, start: int, length: int, what: object = "data") -> bytes:
        """Opens a blob that lies within a larger buffer, such as a pack, without copying it out first.

        Raises:
            MacMismatch: the bytes were changed, or sealed with another key.
            FormatError: the range is not in the buffer, is too short, or has an all-zero nonce.
        """
        if start < 0 or length < 0 or start + length > len(buffer):
            raise FormatError(object=what, reason="its range lies outside the pack")
        with memoryview(buffer) as view, view[start : start + length] as part:
            return self._open_view(part, what)

    def _open_view(self, sealed: memoryview, what: object) -> bytes:
        size = len(sealed) - OVERHEAD
        if size >= _LARGE:
            return bytes(self._open_scratch(sealed, what))
        self._verify(sealed, size, what)
        return self._aes_ctr.update(sealed[NONCE_BYTES : NONCE_BYTES + size])

    def _open_scratch(self, sealed: memoryview, what: object) -> memoryview:
        size = len(sealed) - OVERHEAD
        self._verify(sealed, size, what)
        scratch = self._scratch_of(size)
        self._aes_ctr.update_into(sealed[NONCE_BYTES : NONCE_BYTES + size], scratch)
        return memoryview(scratch)[:size]

    def _scratch_of(self, size: int) -> bytearray:
        """A buffer of at least this size; an uncommonly large one is not kept."""
        if size > _SCRATCH_MAX:
            return bytearray(size)
        if len(self._scratch) < size:
            self._scratch = bytearray(size)
        return self._scratch

    def _verify(self, sealed: memoryview, size: int, what: object) -> None:
        """Checks the tag and only then sets the cipher up for decryption."""
        if size < 0:
            raise FormatError(object=what, reason="it is shorter than any sealed data")
        nonce = bytes(sealed[:NONCE_BYTES])
        if nonce == _ZERO_NONCE:
            raise FormatError(object=what, reason="its nonce is all zero")
        if not compare_digest(self._tag(nonce, sealed[NONCE_BYTES : NONCE_BYTES + size]), sealed[NONCE_BYTES + size :]):
            raise MacMismatch(object=what)
        self._aes_ctr.reset_nonce(nonce)

    def _tag(self, nonce: bytes, ciphertext: Buffer) -> bytes:
        return Poly1305.generate_tag(self._mac_r + self._mac_aes.update(nonce), ciphertext)


def check_key(key: MasterKey) -> None:
    """Refuses key material of a wrong length or of zeros, which would protect nothing.

    Raises:
        FormatError: such a key.
    """
    if (len(key.encrypt), len(key.mac_k), len(key.mac_r)) != (32, 16, 16):
        raise FormatError(object="key", reason="its parts have wrong lengths")
    if not any(key.encrypt) or not any(key.mac_k) or not int.from_bytes(key.mac_r, "little") & _CLAMP:
        raise FormatError(object="key", reason="a part of it is all zero")
