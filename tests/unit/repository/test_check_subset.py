"""Choosing which packs to read."""

from __future__ import annotations

import random

import pytest

from holdfast.errors import UsageError
from holdfast.protocols import StoredObject
from holdfast.repository.check.subset import Subset, parse


def packs(rng: random.Random, count: int) -> list[StoredObject]:
    return [StoredObject(rng.randbytes(32).hex(), 1000) for _ in range(count)]


@pytest.mark.parametrize(
    ("text", "subset"),
    [
        ("1/1", Subset(number=1, slices=1)),
        ("256/256", Subset(number=256, slices=256)),
        ("2.5%", Subset(percent=2.5)),
        ("100%", Subset(percent=100.0)),
        ("500M", Subset(size_bytes=500 << 20)),
        ("10G", Subset(size_bytes=10 << 30)),
        ("1024", Subset(size_bytes=1024)),
        ("7kib", Subset(size_bytes=7 << 10)),
    ],
)
def test_what_a_person_types(text: str, subset: Subset) -> None:
    assert parse(text) == subset


@pytest.mark.parametrize("text", ["0/5", "6/5", "1/257", "0%", "101%", "0", "x", "", "1/2/3", "-5M", "5X"])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse(text)


def test_slices_cover_everything_once(rng: random.Random) -> None:
    listed = packs(rng, 300)
    chosen = [pack for number in range(1, 8) for pack in Subset(number=number, slices=7).choose(listed, rng)]
    assert sorted(chosen) == sorted(listed)


def test_samples_have_about_the_size_asked_for(rng: random.Random) -> None:
    listed = packs(rng, 200)
    assert len(set(Subset(percent=10).choose(listed, rng))) == 20
    assert len(set(Subset(size_bytes=50_000).choose(listed, rng))) == 50
    assert len(Subset(percent=0.0001).choose(listed, rng)) == 1
    assert Subset(size_bytes=1 << 40).choose(listed, rng) != []
    assert Subset(percent=50).choose([], rng) == []
