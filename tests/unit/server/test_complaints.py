"""Whoever asks for something wrong is told why in their language."""

from __future__ import annotations

import json
import re

import pytest

from holdfast.server.complaints import complaint
from unit.server.conftest import Bed

ADMIN = "/api/v1/admin/backup"
GOOD = {
    "full_backup_frequency": "weekly",
    "incremental_backup_frequency": "daily",
    "retention_days": 30,
    "enabled": True,
}
WRONG: dict[str, object] = {
    "it is no JSON": "{",
    "it is no object": "[]",
    "something is missing": "{}",
    "no text": {**GOOD, "full_backup_frequency": 5},
    "no such word": {**GOOD, "full_backup_frequency": "often"},
    "too little": {**GOOD, "retention_days": 0},
    "too much": {**GOOD, "retention_days": 10**6},
    "a part of a day": {**GOOD, "retention_days": 1.5},
    "a word for a number": {**GOOD, "retention_days": "many"},
    "neither yes nor no": {**GOOD, "enabled": "perhaps"},
    "a field too many": {**GOOD, "colour": "red"},
    "no mapping": {**GOOD, "components": 3},
    "a name that is too long": {**GOOD, "components": {"x" * 300: "daily"}},
    "a name that is too short": {**GOOD, "components": {"": "daily"}},
    "too many": {**GOOD, "components": {f"c{number}": "daily" for number in range(200)}},
}
TIMES = ("yesterday", "2026-99-99T00:00:00Z", "2026-01-01T00:00:00", "no-time")
SENTENCE = re.compile(r"[A-Za-z]?[a-z]+(?: [a-z]{2,}){2,}")


@pytest.mark.parametrize("language", ["fa", "ru"])
def test_what_is_wrong_with_a_request_is_told_in_the_language(bed: Bed, language: str) -> None:
    asked = [("schedule", wrong if isinstance(wrong, str) else json.dumps(wrong)) for wrong in WRONG.values()]
    asked += [("create-incremental", json.dumps({"since": time})) for time in TIMES]
    headers = bed.headers(**{"Accept-Language": language, "Content-Type": "application/json"})
    for place, body in asked:
        answer = bed.client.post(f"{ADMIN}/{place}", content=body, headers=headers)
        assert answer.status_code == 422, (body, answer.text)
        told = answer.json()
        assert told["error"]["code"] == "request-invalid"
        assert not SENTENCE.search(told["message"] + told["error"]["hint"]), (body, told)


def test_what_has_no_words_of_ours_is_told_as_it_was_said() -> None:
    assert complaint("from_the_future", {}, "It is odd") == "It is odd"
