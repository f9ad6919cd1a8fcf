"""Polynomials over GF(2), bit i of an integer being the coefficient of x^i."""

from __future__ import annotations

import hashlib
from functools import lru_cache

DEGREE = 53
"""Degree of a chunker polynomial."""

_MASK = (1 << (DEGREE + 1)) - 1
_SEED_BYTES_MIN = 16


def remainder(dividend: int, divisor: int) -> int:
    """The remainder of a division."""
    width = divisor.bit_length()
    while (excess := dividend.bit_length() - width) >= 0:
        dividend ^= divisor << excess
    return dividend


def square(polynomial: int) -> int:
    """The square: over GF(2) a zero comes between any two coefficients, as reading the bits in base 4 does."""
    return int(f"{polynomial:b}", 4)


def greatest_common_divisor(a: int, b: int) -> int:
    """Euclid's algorithm."""
    while b:
        a, b = b, remainder(a, b)
    return a


@lru_cache(maxsize=16)
def is_irreducible(polynomial: int) -> bool:
    """Ben-Or's test: no factor of degree i divides x^(2^i) - x, for i up to half the degree."""
    degree = polynomial.bit_length() - 1
    if degree < 1:
        return False
    power = x = 2
    for _ in range(degree // 2):
        power = remainder(square(power), polynomial)
        if greatest_common_divisor(polynomial, power ^ x) != 1:
            return False
    return True


def from_random(seed: bytes) -> int:
    """An irreducible polynomial of degree 53, drawn uniformly.

    Args:
        seed: at least 16 random bytes, the only source of randomness; candidates are drawn from it by SHA-256.
    """
    if len(seed) < _SEED_BYTES_MIN:
        raise ValueError("a polynomial needs at least 16 random bytes")
    attempt = 0
    while True:
        digest = hashlib.sha256(seed + attempt.to_bytes(8, "little")).digest()
        candidate = int.from_bytes(digest[:8], "little") & _MASK | 1 << DEGREE | 1
        if is_irreducible(candidate):
            return candidate
        attempt += 1
