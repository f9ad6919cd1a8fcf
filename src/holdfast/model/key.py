"""Keys: the master key that seals a repository and the key files that wrap it."""

from __future__ import annotations

import msgspec

from holdfast.model.instant import Instant


class MasterKey(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """64 bytes of key material: AES-256 key, Poly1305-AES key `k` and multiplier `r` (unclamped)."""

    encrypt: bytes
    mac_k: bytes
    mac_r: bytes

    def __repr__(self) -> str:
        return "MasterKey(…)"


class KdfParameters(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """scrypt cost parameters as a key file records them."""

    n: int
    r: int
    p: int

    @property
    def memory_bytes(self) -> int:
        """What one derivation needs."""
        return 128 * self.n * self.r


class KeyFile(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One key file: who made it, how the password is stretched, and the wrapped master key."""

    created: Instant
    username: str
    hostname: str
    kdf: KdfParameters
    salt: bytes
    data: bytes
