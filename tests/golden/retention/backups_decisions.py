"""Decisions about backups as documents: reading cases, deciding, writing down what was decided."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from holdfast.model.backup import BackupType, backup_id
from holdfast.policy import durations
from holdfast.policy.backup_retention import BackupFacts, KeepRules, plan

SEED = 20260103
GENERATED = 40
NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)


def facts_of(line: str) -> BackupFacts:
    """A backup from a line such as `2026-01-02T03:04:05 full partial verified held:audit base:2026-01-01T00:00:00`."""
    time, kind, *words = line.split()
    created_at = datetime.fromisoformat(time).replace(tzinfo=UTC)
    named = dict(word.split(":", 1) for word in words if ":" in word)
    base = named.get("base")
    return BackupFacts(
        backup_id=backup_id(created_at),
        type=BackupType(kind),
        created_at=created_at,
        complete="partial" not in words,
        damaged="damaged" in words,
        verified="verified" in words,
        hold_reason=named.get("held", ""),
        base_id=backup_id(datetime.fromisoformat(base)) if base else "",
    )


def rules_of(fields: dict[str, Any]) -> KeepRules:
    """Rules from JSON: counts, and `within` as text."""
    return KeepRules(**{name: durations.parse(value) if name == "within" else value for name, value in fields.items()})


def decide(case: dict[str, Any]) -> dict[str, Any]:
    """Reasons by id, newest first, for those that stay and those that go."""
    now = datetime.fromisoformat(case["now"]).replace(tzinfo=UTC) if "now" in case else NOW
    decided = plan([facts_of(line) for line in case["backups"]], rules_of(case["rules"]), now)
    return {
        "keep": {decision.backup_id: list(decision.reasons) for decision in decided.keep},
        "remove": {decision.backup_id: list(decision.reasons) for decision in decided.remove},
    }


def generated_cases() -> list[dict[str, Any]]:
    """The same cases in every run: random histories under random rules."""
    rng = random.Random(SEED)
    return [_random_case(rng) for _ in range(GENERATED)]


def _random_case(rng: random.Random) -> dict[str, Any]:
    span_s = rng.choice([86400, 20 * 86400, 400 * 86400, 4000 * 86400])
    moments = sorted({NOW - timedelta(seconds=rng.randrange(span_s)) for _ in range(rng.randrange(1, 30))})
    lines: list[str] = []
    for moment in moments:
        words = [f"{moment:%Y-%m-%dT%H:%M:%S}", rng.choice(["full", "full", "database", "incremental"])]
        words += [word for word in ("partial", "damaged", "verified") if rng.random() < 0.2]
        if rng.random() < 0.05:
            words.append("held:audit")
        if words[1] == "incremental" and lines:
            words.append(f"base:{lines[-1].split()[0]}")
        lines.append(" ".join(words))
    rules: dict[str, Any] = {}
    for name in rng.sample(["last", "max_backups", "hourly", "daily", "weekly", "monthly", "yearly"], rng.randrange(3)):
        rules[name] = rng.choice([1, 2, 5, 12])
    if rng.random() < 0.5:
        rules["days"] = rng.choice([1, 7, 30])
    if rng.random() < 0.2:
        rules["within"] = rng.choice(["5h", "1d12h", "2m"])
    return {"rules": rules, "backups": lines[::-1]}
