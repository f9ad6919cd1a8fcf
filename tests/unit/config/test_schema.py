"""The schema for editors says what the reader takes, no more and no less."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

from holdfast.config.load import SECTIONS, Kinds
from holdfast.config.reader import fields_of
from holdfast.config.schema import DIALECT, json_schema
from holdfast.config.secrets import is_secret
from unit.config.conftest import APP, SOURCE, TARGET
from unit.config.fake_kinds import KINDS, BoxOptions


def parts(value: Any) -> Iterator[Any]:
    yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        yield from parts(one)


def test_it_is_a_schema_whose_references_lead_somewhere() -> None:
    for kinds in (KINDS, Kinds()):
        schema = json.loads(json.dumps(json_schema(kinds)))
        assert schema["$schema"] == DIALECT
        assert set(schema["properties"]) == set(SECTIONS)
        references = {part["$ref"] for part in parts(schema) if isinstance(part, dict) and "$ref" in part}
        assert references
        assert {reference.removeprefix("#/$defs/") for reference in references} <= set(schema["$defs"])
        for part in parts(schema):
            if isinstance(part, dict) and isinstance(part.get("pattern"), str):
                re.compile(part["pattern"])


def test_every_key_of_a_kind_is_there_and_secrets_three_times() -> None:
    schema = json_schema(KINDS)["$defs"]["source-box"]
    fields = fields_of(BoxOptions)
    secrets = [key for key, field in fields.items() if is_secret(field.type)]
    expected = {"kind", *fields, *(key + suffix for key in secrets for suffix in ("_file", "_command"))}
    assert set(schema["properties"]) == expected
    assert schema["required"] == ["kind"]
    assert schema["additionalProperties"] is False


def test_every_real_kind_is_offered() -> None:
    kinds = Kinds()
    definitions = json_schema(kinds)["$defs"]
    for role, table in (("source", kinds.sources), ("target", kinds.targets)):
        for kind in table.kinds():
            assert definitions[f"{role}-{kind}"]["properties"]["kind"] == {"const": kind}


def test_a_good_file_fits() -> None:
    data = tomllib.loads(APP + SOURCE + 'port = "${PORT}"\n' + TARGET + "[policies.p]\nkeep = { last = 1 }\n")
    schema = json_schema(KINDS)
    assert set(data) <= set(schema["properties"])
    assert set(schema["required"]) <= set(data)
    assert set(data["sources"]["box"]) <= set(schema["$defs"]["source-box"]["properties"])
    assert {"type": "string", "pattern": r"\$\{"} in schema["$defs"]["source-box"]["properties"]["port"]["anyOf"]
