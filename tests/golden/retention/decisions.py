"""Retention decisions as documents: reading cases, deciding, writing down what was decided."""

from __future__ import annotations

import random
from typing import Any

from holdfast.format import timestamp
from holdfast.model.ids import BlobId, SnapshotId
from holdfast.model.instant import Instant
from holdfast.model.snapshot import Snapshot
from holdfast.policy import durations, retention
from holdfast.policy.retention import KeepPolicy

SEED = 20260102
GENERATED = 60
NOW = timestamp.parse("2026-06-30T12:00:00Z")


def snapshot_of(text: str) -> Snapshot:
    """A snapshot from a line such as `2026-01-02T03:04:05Z monday full`; the words are its tags."""
    time, *tags = text.split()
    return Snapshot(
        time=timestamp.parse(time),
        tree=BlobId(bytes(32)),
        paths=("/",),
        tags=tuple(tags),
        id=SnapshotId(text.encode().ljust(32)[:32]),
    )


def line_of(snapshot: Snapshot) -> str:
    """The line that `snapshot_of` reads."""
    return " ".join([timestamp.render_instant(snapshot.time), *snapshot.tags])


def policy_of(fields: dict[str, Any]) -> KeepPolicy:
    """A policy from JSON: counts (`unlimited` for all), durations as text, tag sets as lists."""
    values: dict[str, Any] = {}
    for name, value in fields.items():
        if name == "tags":
            values[name] = tuple(map(tuple, value))
        elif name.startswith("within"):
            values[name] = durations.parse(value)
        else:
            values[name] = retention.UNLIMITED if value == "unlimited" else value
    return KeepPolicy(**values)


def decide(case: dict[str, Any]) -> dict[str, list[str]]:
    """{kept line: reasons}, newest first; a line that is missing is removed."""
    snapshots = [snapshot_of(text) for text in case["snapshots"]]
    now = timestamp.parse(case["now"]) if "now" in case else NOW
    plan = retention.apply(snapshots, policy_of(case["policy"]), now=now)
    return {line_of(kept.snapshot): list(kept.reasons) for kept in plan.keep}


def generated_cases() -> list[dict[str, Any]]:
    """The same cases in every run: random histories under random policies."""
    rng = random.Random(SEED)
    return [_random_case(rng) for _ in range(GENERATED)]


def _random_case(rng: random.Random) -> dict[str, Any]:
    span_s = rng.choice([3600, 86400, 20 * 86400, 400 * 86400, 4000 * 86400])
    offsets_s = rng.choice([[0], [7200], [0, 12600, -34200, 50400]])
    instants = {NOW.ns // 10**9 - rng.randrange(span_s): rng.choice(offsets_s) for _ in range(rng.randrange(1, 40))}
    lines = [
        " ".join([timestamp.render_instant(Instant(ns=second * 10**9, offset_s=offset_s)), *_random_tags(rng)])
        for second, offset_s in instants.items()
    ]
    return {"policy": _random_policy(rng), "snapshots": lines}


def _random_tags(rng: random.Random) -> list[str]:
    return sorted(rng.sample(["full", "keep", "monday"], rng.choice([0, 0, 1, 2])))


def _random_policy(rng: random.Random) -> dict[str, Any]:
    policy: dict[str, Any] = {"last": rng.randrange(1, 4)}
    for name in rng.sample(["hourly", "daily", "weekly", "monthly", "yearly"], rng.randrange(4)):
        policy[name] = rng.choice([1, 2, 5, 12, "unlimited"])
    for name in rng.sample(
        ["within", "within_hourly", "within_daily", "within_weekly", "within_monthly"], rng.randrange(2)
    ):
        policy[name] = rng.choice(["5h", "1d12h", "2m", "1y1m1d"])
    if rng.randrange(4) == 0:
        policy["tags"] = [rng.sample(["full", "keep", "monday"], rng.randrange(1, 3))]
    return policy
