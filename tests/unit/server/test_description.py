"""The description of the interface is complete, and what the server does is what it describes, whoever asks."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from holdfast.model.access import Scope

from .conftest import Bed

CHECKS = (not_a_server_error, status_code_conformance, response_schema_conformance)
# What restores, deletes or makes backups is asked less often: each of them really happens.
_EXAMPLES = 12


def document(bed: Bed) -> dict[str, Any]:
    found: dict[str, Any] = bed.client.get("/openapi.json", headers=bed.headers()).json()
    return found


def test_every_answer_is_described(bed: Bed) -> None:
    for path, methods in document(bed)["paths"].items():
        for method, operation in methods.items():
            where = f"{method} {path}"
            assert operation["description"], where
            success = [status for status in operation["responses"] if status.startswith("2")]
            assert success, where
            if path not in ("/healthz", "/readyz"):
                assert {"401", "403", "429", "500"} <= set(operation["responses"]), where
            for status, answer in operation["responses"].items():
                assert answer["description"], where
                assert answer.get("content") or status == "304", where


def test_bodies_have_examples_that_the_server_takes(bed: Bed) -> None:
    schemas = document(bed)["components"]["schemas"]
    for name, schema in schemas.items():
        if name.endswith("Body"):
            for field, described in schema["properties"].items():
                assert "examples" in described or "default" in described, (name, field)


@pytest.mark.parametrize("scope", [*(scope.value for scope in Scope), "nobody"])
def test_nothing_that_is_sent_gets_more_than_is_described(bed: Bed, scope: str) -> None:
    schema = schemathesis.openapi.from_asgi("/openapi.json", bed.client.app, headers=bed.headers())
    headers = {} if scope == "nobody" else bed.headers(scope)
    asked = 0
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=_EXAMPLES,
            deadline=None,
            database=None,
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            nonlocal asked
            asked += 1
            case.call_and_validate(headers=headers, checks=list(CHECKS))

        ask()
    assert asked > 100
