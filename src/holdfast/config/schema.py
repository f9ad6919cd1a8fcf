"""JSON Schema 2020-12 of the configuration, made from the classes that read it, for editors."""

from __future__ import annotations

from typing import Any

import msgspec

from holdfast.config.load import Kinds
from holdfast.config.model import App, Hooks, Keep, Objectives, Policy
from holdfast.config.notify import Notify
from holdfast.config.reader import fields_of
from holdfast.config.secrets import COMMAND, FILE, is_secret
from holdfast.config.server import Server
from holdfast.runtime.plugins import PluginTable
from holdfast.runtime.secret import Secret

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
NAME = "^[a-z0-9][a-z0-9_-]{0,62}$"

_REFERENCE = "#/$defs/{name}"
_SECTIONS: dict[str, type[msgspec.Struct]] = {
    "app": App,
    "objectives": Objectives,
    "notify": Notify,
    "hooks": Hooks,
    "server": Server,
}
# A variable stands for any value that can be written as text.
_VARIABLE: Schema = {"type": "string", "pattern": r"\$\{"}


def json_schema(kinds: Kinds | None = None) -> Schema:
    """The schema of a whole file."""
    table = kinds or Kinds()
    definitions: Schema = {}
    _define([*_SECTIONS.values(), Policy, Keep], definitions)
    definitions["Server"]["properties"] = _with_secrets(definitions["Server"]["properties"], Server)
    sources = _kinds(table.sources, "source", definitions, {})
    targets = _kinds(table.targets, "target", definitions, {"keep": {"$ref": _REFERENCE.format(name="Keep")}})
    properties: Schema = {
        **{name: {"$ref": _REFERENCE.format(name=cls.__name__)} for name, cls in _SECTIONS.items()},
        "sources": {**_named({"oneOf": sources}), "minProperties": 1},
        "targets": {**_named({"oneOf": targets}), "minProperties": 1},
        "policies": _named({"$ref": _REFERENCE.format(name="Policy")}),
    }
    # An environment holds parts of sections, so nothing in it is required.
    definitions["Environment"] = {
        "type": "object",
        "properties": {name: {"type": "object"} for name in properties},
        "additionalProperties": False,
    }
    properties["environments"] = _named({"$ref": _REFERENCE.format(name="Environment")})
    return {
        "$schema": DIALECT,
        "title": "holdfast.toml",
        "type": "object",
        "properties": properties,
        "required": ["app", "sources", "targets"],
        "additionalProperties": False,
        "$defs": definitions,
    }


def _named(schema: Schema) -> Schema:
    return {"type": "object", "patternProperties": {NAME: schema}, "additionalProperties": False}


def _kinds(table: PluginTable, role: str, definitions: Schema, more: Schema) -> list[Schema]:
    """One schema for each kind, told apart by `kind`."""
    rows: list[Schema] = []
    for kind in table.kinds():
        try:
            options = table.options_class(kind)
        except ImportError:
            # A kind of somebody else whose package is broken; reading a configuration that names it says so.
            continue
        name = f"{role}-{kind}"
        made: Schema = {}
        _define([options], made)
        own = made.pop(options.__name__)
        definitions |= made
        properties = _with_secrets(own["properties"], options)
        definitions[name] = {
            **own,
            "title": f"{kind} {role}",
            "properties": {"kind": {"const": kind}, **properties, **more},
            "required": ["kind", *(one for one in own.get("required", []) if not _secret_keys(options, one))],
            "additionalProperties": False,
        }
        rows.append({"$ref": _REFERENCE.format(name=name)})
    return rows


def _with_secrets(properties: Schema, options: type[object]) -> Schema:
    """Each secret has two more keys."""
    found: Schema = {}
    for key, schema in properties.items():
        found[key] = schema
        for extra, text in _secret_keys(options, key).items():
            command = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
            found[extra] = {**(command if extra.endswith(COMMAND) else {"type": "string"}), "description": text}
    return found


def _secret_keys(options: type[object], key: str) -> dict[str, str]:
    if not is_secret(fields_of(options)[key].type):
        return {}
    return {key + FILE: f"file to read {key} from", key + COMMAND: f"command that prints {key}"}


def _define(classes: list[Any], definitions: Schema) -> None:
    _schemas, made = msgspec.json.schema_components(classes, schema_hook=_hook, ref_template=_REFERENCE)
    for name, schema in made.items():
        definitions[name] = _allowing_variables(schema)


def _allowing_variables(schema: Schema) -> Schema:
    """Numbers, truth values and choices may also come from a variable."""
    properties = {
        key: {"anyOf": [one, _VARIABLE], **({"default": one["default"]} if "default" in one else {})}
        if one.get("type") in ("integer", "number", "boolean") or "enum" in one or "pattern" in one
        else one
        for key, one in schema.get("properties", {}).items()
    }
    return {**schema, "properties": properties} if properties else schema


def _hook(kind: type[object]) -> Schema:
    if kind is Secret:
        return {"type": "string", "minLength": 1}
    raise NotImplementedError(f"no schema for {kind.__name__}")
