"""Retention decisions that must never change unnoticed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from golden.retention.decisions import decide, generated_cases

FOLDER = Path(__file__).parent
HAND_MADE = json.loads((FOLDER / "hand_made.json").read_text())


@pytest.mark.parametrize("case", HAND_MADE, ids=lambda case: case["name"])
def test_hand_made_case(case: dict[str, Any]) -> None:
    kept = decide(case)
    assert kept == case["keep"], case["why"]
    assert list(kept) == [line for line in case["snapshots"] if line in kept], "hand-made cases list the newest first"


def test_generated_cases(update_golden: bool) -> None:
    golden = FOLDER / "generated.json"
    decided = [case | {"keep": decide(case)} for case in generated_cases()]
    if update_golden:
        golden.write_text(json.dumps(decided, indent=1) + "\n")
    assert decided == json.loads(golden.read_text())
