from __future__ import annotations

import os

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305

from holdfast.errors import DamageError, FormatError, MacMismatch
from holdfast.format.seal import OVERHEAD, Sealer
from holdfast.model.key import MasterKey

# Test vector A of the format sheet: made by restic.
VECTOR_KEY = MasterKey(
    encrypt=bytes.fromhex("303e8687b1d7db18421bdc6bb8588ccadac4d59ee87b8ff70c44e635790cafef"),
    mac_k=bytes.fromhex("ef4d8824cb80b2bcc5fbff8a9b12a42c"),
    mac_r=bytes.fromhex("cc8d4b948ee0ebfe1d415de921d10353"),
)
VECTOR_SEALED = bytes.fromhex(
    "69fb41c62d12def4593bd71757138606338f621aeaeb39da0fe4f99233f8037a54ea63338a813bcf3f75d8c3cc75dddf8750"
)
SIZES = (0, 1, 15, 16, 17, 1000, 65535, 65536, 65537, 3 << 20)


def new_sealer() -> Sealer:
    return Sealer(MasterKey(encrypt=os.urandom(32), mac_k=os.urandom(16), mac_r=os.urandom(16)))


def test_vector_made_by_restic_opens_and_is_made_again() -> None:
    sealer = Sealer(VECTOR_KEY)
    assert sealer.open(VECTOR_SEALED) == b"Dies ist ein Test!"
    assert sealer.seal(b"Dies ist ein Test!", VECTOR_SEALED[:16]) == VECTOR_SEALED


def test_poly1305_aes_vector_from_the_paper() -> None:
    nonce = bytes.fromhex("fb447350c4e868c52ac3275cf9d4327e")
    key = bytes.fromhex("ec074c835580741701425b623235add6")
    masked = Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(nonce)
    tag = Poly1305.generate_tag(bytes.fromhex("851fc40c3467ac0be05cc20404f3f700") + masked, bytes.fromhex("f3f6"))
    assert tag.hex() == "f4c633c3044fc145f84f335cb81953de"


@pytest.mark.parametrize("size", SIZES)
def test_every_size_opens_again(size: int) -> None:
    sealer = new_sealer()
    plaintext = os.urandom(size)
    sealed = sealer.seal(plaintext, os.urandom(16))
    assert len(sealed) == size + OVERHEAD
    assert sealer.open(sealed) == plaintext
    assert sealer.open(memoryview(sealed)) == plaintext
    assert sealer.open_range(b"xyz" + bytes(sealed) + b"more", 3, len(sealed)) == plaintext


def test_calls_do_not_influence_each_other() -> None:
    sealer = new_sealer()
    nonces = [os.urandom(16) for _ in SIZES]
    plaintexts = [os.urandom(size) for size in SIZES]
    together = [bytes(sealer.seal(text, nonce)) for text, nonce in zip(plaintexts, nonces, strict=True)]
    assert [sealer.open(sealed) for sealed in reversed(together)] == plaintexts[::-1]
    again = [bytes(sealer.seal(text, nonce)) for text, nonce in zip(plaintexts, nonces, strict=True)]
    assert again == together


def test_the_nonce_is_a_counter_that_wraps() -> None:
    sealer = new_sealer()
    plaintext = os.urandom(100)
    assert sealer.open(sealer.seal(plaintext, b"\xff" * 16)) == plaintext


@pytest.mark.parametrize("size", [0, 18, 70_000])
def test_every_changed_byte_is_noticed(size: int) -> None:
    sealer = new_sealer()
    sealed = bytes(sealer.seal(os.urandom(size), os.urandom(16)))
    for position in {*range(16), *range(len(sealed) - 16, len(sealed)), len(sealed) // 2}:
        changed = bytearray(sealed)
        changed[position] ^= 1
        with pytest.raises(DamageError):
            sealer.open(changed)
    with pytest.raises(MacMismatch):
        new_sealer().open(sealed)


def test_cut_data_is_refused() -> None:
    sealer = new_sealer()
    sealed = bytes(sealer.seal(b"some data", os.urandom(16)))
    for end in range(len(sealed)):
        with pytest.raises(DamageError):
            sealer.open(sealed[:end])


def test_zero_nonce_is_neither_written_nor_read() -> None:
    sealer = new_sealer()
    for nonce in (bytes(16), b"short", os.urandom(17)):
        with pytest.raises(FormatError):
            sealer.seal(b"x", nonce)
    with pytest.raises(FormatError):
        sealer.open(bytes(16) + os.urandom(40))


@pytest.mark.parametrize(
    ("encrypt", "mac_k", "mac_r"),
    [
        (bytes(32), b"k" * 16, b"r" * 16),
        (b"e" * 32, bytes(16), b"r" * 16),
        (b"e" * 32, b"k" * 16, bytes(16)),
        (b"e" * 32, b"k" * 16, bytes.fromhex("000000f0030000f0030000f0030000f0")),
        (b"e" * 31, b"k" * 16, b"r" * 16),
        (b"e" * 32, b"k" * 15, b"r" * 16),
        (b"e" * 32, b"k" * 16, b"r" * 17),
    ],
)
def test_keys_that_protect_nothing_are_refused(encrypt: bytes, mac_k: bytes, mac_r: bytes) -> None:
    with pytest.raises(FormatError):
        Sealer(MasterKey(encrypt=encrypt, mac_k=mac_k, mac_r=mac_r))


@pytest.mark.parametrize(("start", "length"), [(-1, 40), (0, -1), (0, 101), (90, 11), (101, 0), (1 << 70, 1)])
def test_ranges_outside_the_buffer_are_refused(start: int, length: int) -> None:
    with pytest.raises(FormatError):
        new_sealer().open_range(bytes(100), start, length)
