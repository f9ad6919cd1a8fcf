from __future__ import annotations

import json
import os

import pytest

from holdfast.errors import (
    DamageError,
    FormatError,
    KeyParametersRefused,
    MacMismatch,
    UnsupportedFormat,
    WeakKeyParameters,
)
from holdfast.format import kdf, key_file
from holdfast.format.seal import Sealer
from holdfast.model.instant import Instant
from holdfast.model.key import KdfParameters, KeyFile, MasterKey

CHEAP = KdfParameters(n=16, r=1, p=1)
MASTER = MasterKey(encrypt=b"e" * 32, mac_k=b"k" * 16, mac_r=b"r" * 16)
SALT = bytes(range(64))


def made_key(password: bytes = b"secret") -> KeyFile:
    return KeyFile(
        created=Instant(ns=1_700_000_000_123_456_789, offset_s=3600),
        username="ü<s>",
        hostname='h"o',
        kdf=CHEAP,
        salt=SALT,
        data=key_file.wrap(MASTER, kdf.derive(password, SALT, CHEAP), os.urandom(16)),
    )


def test_scrypt_vector_of_rfc_7914() -> None:
    key = kdf.derive(b"password", b"NaCl", KdfParameters(n=1024, r=8, p=16))
    assert (key.encrypt + key.mac_k + key.mac_r).hex() == (
        "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
        "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"
    )


@pytest.mark.parametrize(
    ("n", "r", "p"),
    [
        (0, 8, 1), (1, 8, 1), (-2, 8, 1), (3, 8, 1), (1 << 21, 1, 1), (1 << 62, 8, 1),
        (1024, 0, 1), (1024, 33, 1), (1024, -1, 1), (1024, 8, 0), (1024, 8, 17), (1024, 8, -1),
        (1 << 20, 9, 1), (1 << 19, 17, 1), (1 << 18, 33, 1),
    ],
)  # fmt: skip
def test_costs_out_of_bounds_are_refused_before_any_work(n: int, r: int, p: int) -> None:
    with pytest.raises(KeyParametersRefused) as caught:
        kdf.derive(b"x", SALT, KdfParameters(n=n, r=r, p=p), key="0badkey0")
    assert caught.value.context == {"key": "0badkey0", "parameters": f"{n}/{r}/{p}"}


def test_parameters_the_library_cannot_do_are_refused() -> None:
    with pytest.raises(KeyParametersRefused):
        kdf.derive(b"x", SALT, KdfParameters(n=1 << 20, r=1, p=1))


def test_the_largest_costs_other_programs_use_are_within_bounds() -> None:
    for n, r, p in ((131_072, 8, 1), (16_384, 8, 5), (32_768, 8, 1), (1 << 20, 8, 1)):
        kdf.check_bounds(KdfParameters(n=n, r=r, p=p))


def test_new_keys_are_never_weak_by_accident() -> None:
    kdf.check_new(kdf.DEFAULT)
    kdf.check_new(kdf.MINIMUM)
    for n, r in ((8192, 8), (16_384, 7), (16, 1)):
        with pytest.raises(WeakKeyParameters):
            kdf.check_new(KdfParameters(n=n, r=r, p=1))
        kdf.check_new(KdfParameters(n=n, r=r, p=1), allow_weak=True)
    with pytest.raises(KeyParametersRefused):
        kdf.check_new(KdfParameters(n=3, r=8, p=1), allow_weak=True)


def test_key_file_has_its_fields_in_order() -> None:
    document = json.loads(key_file.encode(made_key()))
    assert list(document) == ["created", "username", "hostname", "kdf", "N", "r", "p", "salt", "data"]
    assert document["created"] == "2023-11-14T23:13:20.123456789+01:00"


def test_master_key_comes_back_with_the_right_password_only() -> None:
    decoded = key_file.decode(key_file.encode(made_key()))
    assert key_file.unwrap(decoded, kdf.derive(b"secret", decoded.salt, decoded.kdf)) == MASTER
    with pytest.raises(MacMismatch):
        key_file.unwrap(decoded, kdf.derive(b"secret ", decoded.salt, decoded.kdf))


@pytest.mark.parametrize(
    "change",
    [
        {"salt": "AAAA"}, {"salt": "!"}, {"data": 5}, {"N": "16"}, {"N": 1.5}, {"N": -1}, {"N": 10**30},
        {"created": "yesterday"}, {"username": 1}, {"kdf": None},
    ],
)  # fmt: skip
def test_malformed_key_files_are_refused(change: dict[str, object]) -> None:
    document = json.loads(key_file.encode(made_key())) | change
    with pytest.raises(FormatError):
        key_file.decode(json.dumps(document).encode())


def test_unknown_derivation_is_named() -> None:
    document = json.loads(key_file.encode(made_key())) | {"kdf": "argon2"}
    with pytest.raises(UnsupportedFormat, match="argon2"):
        key_file.decode(json.dumps(document).encode())


def test_oversized_key_file_is_refused_unread() -> None:
    with pytest.raises(FormatError):
        key_file.decode(key_file.encode(made_key()) + b" " * 70_000)


@pytest.mark.parametrize(
    "document",
    [
        b"", b"{}", b'{"mac":{"k":"a2s=","r":"a2s="},"encrypt":"a2s="}', b'{"mac":' + b"[" * 100_000,
        b'{"mac":{"k":"AAAAAAAAAAAAAAAAAAAAAA==","r":"AAAAAAAAAAAAAAAAAAAAAA=="},"encrypt":"c2VjcmV0"}',
    ],
)  # fmt: skip
def test_what_is_no_master_key_is_refused_without_showing_it(document: bytes) -> None:
    user_key = kdf.derive(b"secret", SALT, CHEAP)
    data = bytes(Sealer(user_key).seal(document, os.urandom(16)))
    made = KeyFile(created=Instant(ns=0), username="", hostname="", kdf=CHEAP, salt=SALT, data=data)
    with pytest.raises(DamageError) as caught:
        key_file.unwrap(made, user_key)
    assert caught.value.__cause__ is None
    assert "a2s" not in str(caught.value)
