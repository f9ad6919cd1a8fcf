"""What restic forgets and keeps, we forget and keep, for the same reasons."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from compat.handmade import write_repository
from compat.reference import Restic
from holdfast.model.ids import BlobId
from holdfast.model.instant import Instant
from holdfast.model.snapshot import Snapshot
from holdfast.policy import durations, grouping, retention
from holdfast.policy.calendar import day_number_of
from holdfast.policy.retention import KeepPolicy
from holdfast.policy.selection import parse_tags
from holdfast.runtime.clock import SystemClock

SECOND_NS = 10**9
DAY_S = 86400
# Offsets of an hour, of half and quarter hours, on both sides and up to the date line.
ZONES_S = [0, 3600, 7200, 12600, 19800, 20700, -18000, -34200, 50400, -39600]

POLICIES = [
    {"last": 1},
    {"last": 7},
    {"last": 1000},
    {"last": "unlimited"},
    {"hourly": 5},
    {"daily": 1},
    {"daily": 12},
    {"weekly": 9},
    {"monthly": 5},
    {"yearly": 3},
    {"yearly": 40},
    {"weekly": "unlimited"},
    {"monthly": "unlimited"},
    {"hourly": "unlimited"},
    {"last": 2, "daily": 7, "weekly": 4, "monthly": 12, "yearly": 10},
    {"hourly": 3, "yearly": "unlimited"},
    {"within": "1h"},
    {"within": "36h"},
    {"within": "1y5m7d2h"},
    {"within": "1m"},
    {"within-daily": "14d"},
    {"within-hourly": "3d", "within-daily": "1m", "within-weekly": "3m"},
    {"within-monthly": "2y", "within-yearly": "100y"},
    {"tag": ["monday"]},
    {"tag": ["monday,full", "keep"]},
    {"tag": ["keep"], "last": 2, "within": "2d", "within-weekly": "1y"},
    {"daily": 3, "tag": [""]},
]


def snapshots_of_all_kinds(rng: random.Random) -> list[Snapshot]:
    """Dense lately, sparse long ago, around ends of days, months and years, with one from the future."""
    newest_s = day_number_of(2024, 3, 31) * DAY_S + 80_000
    ages_s = [rng.randrange(4 * 3600) for _ in range(6)]
    ages_s += [rng.randrange(6 * DAY_S) for _ in range(16)]
    ages_s += [rng.randrange(120 * DAY_S) for _ in range(16)]
    ages_s += [rng.randrange(1500 * DAY_S) for _ in range(16)]
    times_s = {newest_s - age_s for age_s in ages_s}
    for year in (2019, 2020, 2021):
        new_year_s = day_number_of(year, 1, 1) * DAY_S
        times_s |= {new_year_s - 1, new_year_s, new_year_s + 3 * DAY_S}
    times_s |= {newest_s, newest_s - DAY_S, newest_s + 20 * 365 * DAY_S * 5}
    return [
        Snapshot(
            time=Instant(ns=time_s * SECOND_NS + rng.randrange(SECOND_NS), offset_s=rng.choice(ZONES_S)),
            tree=BlobId(bytes(31) + b"\x01"),
            paths=("/data",),
            hostname="host",
            tags=tuple(rng.sample(["monday", "full", "keep"], rng.randrange(3))),
        )
        for time_s in times_s
    ]


def options_of(policy: dict[str, Any]) -> list[str]:
    """The policy as restic's command line takes it."""
    return [
        f"--keep-{name}={value}"
        for name, values in policy.items()
        for value in (values if isinstance(values, list) else [values])
    ]


def keep_policy_of(policy: dict[str, Any]) -> KeepPolicy:
    """The policy as ours."""
    fields: dict[str, Any] = {}
    for name, value in policy.items():
        if name == "tag":
            fields["tags"] = tuple(map(parse_tags, value))
        elif name.startswith("within"):
            fields[name.replace("-", "_")] = durations.parse(value)
        else:
            fields[name] = retention.UNLIMITED if value == "unlimited" else value
    return KeepPolicy(**fields)


def decision_of_restic(restic: Restic, repo: Path, policy: dict[str, Any]) -> tuple[dict[str, set[str]], set[str]]:
    """(reasons by kept id, removed ids). Old versions leave the id out of `reasons`, in the order of `keep`."""
    arguments = ["forget", "--dry-run", "--no-lock", "--no-cache", *options_of(policy)]
    documents = restic.documents(*arguments, repo=repo)
    (group,) = next(document for document in documents if isinstance(document, list))
    kept = [one["id"] for one in group["keep"] or []]
    reasons = [set(reason["matches"]) for reason in group["reasons"] or []]
    return dict(zip(kept, reasons, strict=True)), {one["id"] for one in group["remove"] or []}


def without_oldest(reasons: dict[str, set[str]]) -> dict[str, set[str]]:
    """What is kept by a restic that does not know yet to keep the oldest snapshot while a count lasts."""
    others = {name: {reason for reason in why if not reason.startswith("oldest")} for name, why in reasons.items()}
    return {name: why for name, why in others.items() if why}


def test_same_decisions_and_reasons(restic: Restic, tmp_path: Path, rng: random.Random) -> None:
    snapshots = write_repository(tmp_path / "repo", restic.password, snapshots_of_all_kinds(rng))
    now = SystemClock().now()
    # Old versions have no word for "all of them".
    sayable = [one for one in POLICIES if restic.at_least("0.16") or "unlimited" not in one.values()]
    for policy in sayable:
        kept, removed = decision_of_restic(restic, tmp_path / "repo", policy)
        plan = retention.apply(snapshots, keep_policy_of(policy), now=now, allow_remove_all=True)
        reasons = {one.snapshot.id.hex(): set(one.reasons) for one in plan.keep if one.snapshot.id}
        if not restic.at_least("0.18"):
            reasons = without_oldest(reasons)
        assert reasons == kept, policy
        assert {one.id.hex() for one in snapshots if one.id} - reasons.keys() == removed, policy


@pytest.mark.parametrize("by", ["host,paths", "host", "paths,tags", "tags", ""])
def test_same_groups(restic: Restic, tmp_path: Path, rng: random.Random, by: str) -> None:
    snapshots = [
        Snapshot(
            time=Instant(ns=number * SECOND_NS),
            tree=BlobId(bytes(31) + b"\x01"),
            paths=tuple(rng.sample(["/a", "/b", "/c"], rng.randrange(1, 3))),
            hostname=rng.choice(["x", "y"]),
            tags=tuple(rng.sample(["s", "t"], rng.randrange(3))),
        )
        for number in range(40)
    ]
    stored = write_repository(tmp_path / "repo", restic.password, snapshots)
    arguments = ["snapshots", "--no-lock", "--no-cache", "--group-by", by]
    (groups,) = restic.documents(*arguments, repo=tmp_path / "repo")
    if not by:
        groups = [{"group_key": {}, "snapshots": groups}] if "group_key" not in groups[0] else groups
    theirs = {
        (
            group["group_key"].get("hostname") or "",
            tuple(group["group_key"].get("paths") or ()),
            tuple(group["group_key"].get("tags") or ()),
        ): {one["id"] for one in group["snapshots"]}
        for group in groups
    }
    ours = {
        (key.hostname, key.paths, key.tags): {one.id.hex() for one in members if one.id}
        for key, members in grouping.group(stored, grouping.parse(by)).items()
    }
    assert ours == theirs
