from __future__ import annotations

import json
import random

import pytest

from holdfast.errors import FormatError, UnsupportedFormat
from holdfast.format import config, polynomial
from holdfast.model.repository_config import RepositoryConfig

GOOD = {"version": 2, "id": "ab" * 32, "chunker_polynomial": "3da3358b4dc173"}


def test_config_is_read_and_written() -> None:
    made = RepositoryConfig(version=1, id=b"\xab" * 32, chunker_polynomial=0x3DA3358B4DC173)
    assert config.decode(config.encode(made)) == made


def test_fields_of_other_programs_are_tolerated() -> None:
    document = json.dumps(GOOD | {"is_hot": True, "extra": [{"a": 1}]}).encode()
    assert config.decode(document).version == 2


@pytest.mark.parametrize("version", [0, 3, -1, 10**20])
def test_other_versions_are_named(version: int) -> None:
    with pytest.raises(UnsupportedFormat, match=str(version)):
        config.decode(json.dumps(GOOD | {"version": version}).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"id": "ab" * 31}, {"id": "zz" * 32}, {"id": "ab " * 32}, {"id": 5}, {"version": "2"}, {"version": None},
        {"chunker_polynomial": ""}, {"chunker_polynomial": "0x3da3358b4dc173"}, {"chunker_polynomial": "7"},
        {"chunker_polynomial": "3da3358b4dc171"}, {"chunker_polynomial": "3da3358b4dc172"},
        {"chunker_polynomial": "f" * 5000}, {"chunker_polynomial": "3DA3358B4DC173"},
    ],
)  # fmt: skip
def test_malformed_configs_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(FormatError):
        config.decode(json.dumps(GOOD | change).encode())


def test_oversized_config_is_refused() -> None:
    with pytest.raises(FormatError):
        config.decode(json.dumps(GOOD).encode() + b" " * (1 << 21))


def multiply(a: int, b: int) -> int:
    product = 0
    while b:
        if b & 1:
            product ^= a
        a, b = a << 1, b >> 1
    return product


def test_irreducible_polynomials_of_low_degree_are_found_exactly() -> None:
    products = {multiply(a, b) for a in range(2, 128) for b in range(2, 128)}
    for candidate in range(2, 256):
        assert polynomial.is_irreducible(candidate) == (candidate not in products), bin(candidate)
    assert not polynomial.is_irreducible(0)
    assert not polynomial.is_irreducible(1)


def test_products_of_degree_53_are_reducible(rng: random.Random) -> None:
    for _ in range(20):
        degree = rng.randrange(1, 27)
        factor = 1 << degree | rng.getrandbits(degree)
        other = 1 << (53 - degree) | rng.getrandbits(53 - degree)
        assert not polynomial.is_irreducible(multiply(factor, other))


def test_random_polynomials_are_fit_for_chunking(rng: random.Random) -> None:
    drawn = {polynomial.from_random(rng.randbytes(32)) for _ in range(5)}
    assert len(drawn) == 5
    for made in drawn:
        assert made.bit_length() == 54
        assert made & 1
        assert config.decode(json.dumps(GOOD | {"chunker_polynomial": f"{made:x}"}).encode()).chunker_polynomial == made
    with pytest.raises(ValueError, match="16 random bytes"):
        polynomial.from_random(b"short")
