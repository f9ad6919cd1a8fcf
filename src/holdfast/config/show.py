"""The configuration that counts, for people to read: defaults filled in, secrets hidden."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import cast

import msgspec

from holdfast.config.effective import Effective
from holdfast.config.model import Config, SourceConfig, TargetConfig
from holdfast.config.positions import KeyPath
from holdfast.config.reader import fields_of
from holdfast.config.secrets import COMMAND, FILE, is_secret, password_in_url
from holdfast.config.shapes import items, table
from holdfast.runtime.secret import Secret

HIDDEN = "(hidden)"

_SECRET_NAME = re.compile(r"passw|passphrase|secret|token|credential|private|api_?key|dsn|database_url", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?://)?")


def shown(config: Config, effective: Effective) -> dict[str, object]:
    """The sections of a configuration as plain values.

    Hidden are secrets, passwords in locations, all of a notification URL but its scheme, and values whose key says
    that they are secret. A text made of variables whose names say so is shown as it was written.
    """
    view = _View(effective)
    return {
        "app": view.struct(config.app, ("app",)),
        "sources": {name: view.kind(source, ("sources", name)) for name, source in config.sources.items()},
        "targets": {name: view.kind(target, ("targets", name)) for name, target in config.targets.items()},
        "policies": {name: view.struct(policy, ("policies", name)) for name, policy in config.policies.items()},
        "objectives": view.struct(config.objectives, ("objectives",)),
        "notify": {
            **view.struct(config.notify, ("notify",)),
            "urls": [_scheme_only(url) for url in config.notify.urls],
            **({"healthchecks": _scheme_only(config.notify.healthchecks)} if config.notify.healthchecks else {}),
        },
        "hooks": view.struct(config.hooks, ("hooks",)),
        "server": view.struct(config.server, ("server",)),
    }


def _scheme_only(url: str) -> str:
    return _SCHEME.match(url)[0] + HIDDEN  # type: ignore[index]


class _View:
    """Hides what must not be seen."""

    def __init__(self, effective: Effective) -> None:
        self._effective = effective

    def kind(self, one: SourceConfig | TargetConfig, at: KeyPath) -> dict[str, object]:
        """A source or target: its kind, its options, and what is given besides."""
        view: dict[str, object] = {"kind": one.kind, **self.struct(one.options, at)}
        if isinstance(one, TargetConfig) and one.keep is not None:
            view["keep"] = self.struct(one.keep, (*at, "keep"))
        return view

    def struct(self, struct: object, at: KeyPath) -> dict[str, object]:
        """A Struct; fields that are None are left out."""
        view: dict[str, object] = {}
        for key, field in fields_of(type(struct)).items():
            value: object = getattr(struct, field.name)
            if is_secret(field.type):
                view |= self._secret(key, at)
            elif value is not None:
                view[key] = self._value(_plain(value), (*at, key))
        return view

    def _secret(self, key: str, at: KeyPath) -> dict[str, object]:
        """Where a secret comes from, if that itself is none."""
        given: object = self._effective.data
        for part in at:
            given = (table(given) or {}).get(str(part))
        found = table(given) or {}
        if key + FILE in found:
            return {key + FILE: found[key + FILE]}
        if key + COMMAND in found:
            command = found[key + COMMAND]
            words = items(command) or str(command).split()
            return {key + COMMAND: f"{words[0]} {HIDDEN}" if len(words) > 1 else str(words[0])}
        return {key: HIDDEN} if found.get(key) else {}

    def _value(self, value: object, at: KeyPath) -> object:
        inner = table(value)
        if inner is not None:
            return {key: self._value(one, (*at, key)) for key, one in inner.items() if one is not None}
        if isinstance(value, list | tuple):
            many = cast(Sequence[object], value)
            return [self._value(one, (*at, number)) for number, one in enumerate(many)]
        return self._text(value, at) if isinstance(value, str) else value

    def _text(self, value: str, at: KeyPath) -> str:
        filled = self._effective.filled.get(at)
        if filled is not None and any(map(_SECRET_NAME.search, filled.names)):
            value = filled.written
        if value and _SECRET_NAME.search(str(at[-1])) and filled is None:
            return HIDDEN
        password = password_in_url(value)
        return value if not password or password.startswith("${") else value.replace(f":{password}@", f":{HIDDEN}@")


def _plain(value: object) -> object:
    """Lists, tables, texts and numbers."""
    return msgspec.to_builtins(value, enc_hook=_hidden)


def _hidden(value: object) -> str:
    if isinstance(value, Secret):
        return HIDDEN
    raise NotImplementedError(f"a configuration holds no {type(value).__name__}")
