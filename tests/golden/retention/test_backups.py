"""Decisions about backups that must never change unnoticed."""

from __future__ import annotations

import json
from pathlib import Path

from golden.retention.backups_decisions import decide, generated_cases

GOLDEN = Path(__file__).parent / "backups.json"


def test_decisions(update_golden: bool) -> None:
    decided = [case | decide(case) for case in generated_cases()]
    if update_golden:
        GOLDEN.write_text(json.dumps(decided, indent=1) + "\n")
    assert decided == json.loads(GOLDEN.read_text())
