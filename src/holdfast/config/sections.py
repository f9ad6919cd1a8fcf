"""The sections of a configuration that say how backups are run: application, policies, objectives, hooks, server."""

from __future__ import annotations

import ipaddress
import shlex
import zoneinfo
from collections.abc import Collection, Mapping
from contextlib import suppress

import msgspec

from holdfast.config.model import HOOKS, App, Hooks, Keep, Objectives, Policy
from holdfast.config.notify import Notify, with_telegram
from holdfast.config.positions import KeyPath
from holdfast.config.problems import listed, nearest
from holdfast.config.reader import Reader
from holdfast.config.server import Server
from holdfast.config.shapes import items, table
from holdfast.config.spans import seconds
from holdfast.policy.cron import schedule_problem

_OPERATORS = frozenset({"&&", "||", "|", ";", ">", ">>", "<", "&", "2>&1"})


def read_app(reader: Reader, data: Mapping[str, object]) -> App | None:
    """Reads `[app]`."""
    if "app" not in data:
        reader.problems.add(("app", "name"), reason="this is missing")
        return None
    app = reader.struct(App, data["app"], ("app",))
    zone = (table(data["app"]) or {}).get("timezone")
    if isinstance(zone, str) and not _is_zone(zone):
        at = ("app", "timezone")
        known = {name.lower(): name for name in zoneinfo.available_timezones()}
        near = known.get(nearest(zone, known), "")
        if near and not near.startswith(f"{zone}/"):
            reader.problems.add(at, reason="{zone} is no time zone; did you mean {near}?", zone=zone, near=near)
        else:
            reader.problems.add(at, reason="{zone} is no time zone such as Europe/Istanbul", zone=repr(zone))
        return None
    return app


def read_keep(reader: Reader, value: object, at: KeyPath) -> Keep | None:
    """Reads rules of retention."""
    _check_keep(reader, value, at)
    return reader.struct(Keep, value, at)


def read_policies(
    reader: Reader, data: Mapping[str, object], sources: Collection[str], targets: Collection[str]
) -> dict[str, Policy]:
    """Reads `[policies.…]`, which may name only sources and targets that there are."""
    policies: dict[str, Policy] = {}
    for name, value in named_tables(reader, data, "policies"):
        at = ("policies", name)
        policy = reader.struct(Policy, value, at)
        given = table(value) or {}
        for key, known in (("sources", sources), ("targets", targets)):
            _check_names(reader, given.get(key), known, (*at, key))
        _check_keep(reader, given.get("keep"), (*at, "keep"))
        schedule = given.get("schedule")
        problem = schedule_problem(schedule) if isinstance(schedule, str) else None
        if problem is not None:
            reader.problems.add((*at, "schedule"), reason=problem.template, **problem.values)
        elif policy is not None:
            policies[name] = policy
    return policies


def read_objectives(reader: Reader, data: Mapping[str, object], sources: Collection[str]) -> Objectives:
    """Reads `[objectives]`."""
    value = data.get("objectives", {})
    objectives = reader.struct(Objectives, value, ("objectives",))
    given = table(value) or {}
    by_source = table(given.get("sources")) or {}
    for name in by_source:
        _check_name(reader, name, sources, ("objectives", "sources", name))
    spans: list[tuple[KeyPath, object]] = [
        (("objectives", key), given[key]) for key in ("rpo", "rto", "max_age") if key in given
    ]
    spans += [(("objectives", "sources", name), span) for name, span in by_source.items()]
    for at, span in spans:
        with suppress(ValueError):
            if isinstance(span, str) and not seconds(span):
                reader.problems.add(at, reason="this must be more than 0")
    return objectives or Objectives()


def read_notify(reader: Reader, data: Mapping[str, object], variables: Mapping[str, str]) -> Notify:
    """Reads `[notify]`, and what variables add to it."""
    notify = reader.struct(Notify, data.get("notify", {}), ("notify",)) or Notify()
    return with_telegram(notify, table(data.get("notify")) or {}, variables)


def read_hooks(reader: Reader, data: Mapping[str, object]) -> Hooks:
    """Reads `[hooks]`. No shell runs them, so its signs are refused rather than passed on as words."""
    value = data.get("hooks", {})
    hooks = reader.struct(Hooks, value, ("hooks",))
    for hook in HOOKS:
        for number, command in enumerate(items((table(value) or {}).get(hook)) or []):
            if isinstance(command, str) and command:
                _check_command(reader, command, ("hooks", hook, number))
    return hooks or Hooks()


def read_server(reader: Reader, data: Mapping[str, object]) -> Server:
    """Reads `[server]`."""
    value = data.get("server", {})
    server = reader.struct(Server, value, ("server",))
    given = table(value) or {}
    for key, other in (("tls_cert", "tls_key"), ("tls_key", "tls_cert")):
        if key in given and other not in given:
            reader.problems.add(("server", key), reason="{other} is needed with it", other=other)
    for number, proxy in enumerate(items(given.get("trusted_proxies")) or []):
        if isinstance(proxy, str) and not _is_network(proxy):
            reader.problems.add(
                ("server", "trusted_proxies", number), reason="{proxy} is no address or network", proxy=repr(proxy)
            )
    location = server.catalog.reveal().decode("utf-8", "replace") if server and server.catalog else ""
    if location and not location.startswith(("sqlite:///", "postgresql://", "postgres://")):
        # The value is not shown: it may hold a password.
        example = "postgresql://user@host/database"
        reader.problems.add(("server", "catalog"), reason="expected a URL such as {example}", example=example)
    return server or Server()


def named_tables(reader: Reader, data: Mapping[str, object], section: str) -> list[tuple[str, object]]:
    """The tables of a section by name; names that cannot be one are noted and left out."""
    value = data.get(section, {})
    tables = table(value)
    if tables is None:
        reader.problems.add((section,), reason="expected tables such as {example}", example=f"[{section}.name]")
        return []
    good: list[tuple[str, object]] = []
    for name, one in tables.items():
        if is_name(name):
            good.append((name, one))
        else:
            reader.problems.add(
                (section, name), reason="a name has up to 63 of a-z, 0-9, _ and -, and begins with a letter or digit"
            )
    return good


def is_name(text: str) -> bool:
    """Whether a source, target, policy or environment can be called that."""
    return (
        0 < len(text) <= 63
        and text[0] not in "_-"
        and all(character in "abcdefghijklmnopqrstuvwxyz0123456789_-" for character in text)
    )


def _is_zone(name: str) -> bool:
    """UTC is always one, even on a machine without the database."""
    if name == "UTC":
        return True
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _check_keep(reader: Reader, value: object, at: KeyPath) -> None:
    """SAFETY: rules that keep nothing would delete every backup. What else is wrong with them is said elsewhere."""
    if table(value) is None:
        return
    with suppress(msgspec.ValidationError):
        if msgspec.convert(value, Keep, strict=False).empty:
            reader.problems.add(
                at, reason="this keeps nothing, so it would delete every backup; leave it out to keep all"
            )


def _check_names(reader: Reader, value: object, known: Collection[str], at: KeyPath) -> None:
    names = items(value)
    if names is None:
        return
    if not names:
        reader.problems.add(at, reason="an empty list names nothing; leave it out to name all")
    seen: set[object] = set()
    for number, name in enumerate(names):
        if isinstance(name, str):
            _check_name(reader, name, known, (*at, number))
            if name in seen:
                reader.problems.add((*at, number), reason="{name} is named twice", name=name)
            seen.add(name)


def _check_name(reader: Reader, name: str, known: Collection[str], at: KeyPath) -> None:
    if name in known:
        return
    near = nearest(name, known)
    if near:
        reader.problems.add(at, reason="there is no {name}; did you mean {near}?", name=repr(name), near=near)
    else:
        reader.problems.add(at, reason="there is no {name} (there is: {known})", name=repr(name), known=listed(known))


def _check_command(reader: Reader, command: str, at: KeyPath) -> None:
    try:
        words = shlex.split(command)
    except ValueError:
        reader.problems.add(at, reason="a quote is not closed")
        return
    found = next((word for word in words if word in _OPERATORS), "")
    if found:
        reader.problems.add(
            at,
            reason="no shell runs this, so {sign} would be a mere word; write {example}",
            sign=found,
            example='["sh", "-c", "…"]',
        )
    elif not words:
        reader.problems.add(at, reason="this must not be empty")
