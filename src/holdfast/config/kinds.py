"""Sources and targets: each kind brings the class of its options along."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from holdfast.config.model import Keep, SourceConfig, TargetConfig
from holdfast.config.positions import KeyPath
from holdfast.config.problems import listed, nearest
from holdfast.config.reader import Reader, fields_of
from holdfast.config.reasons import noun
from holdfast.config.secrets import is_secret, password_in_url
from holdfast.config.sections import named_tables, read_keep
from holdfast.config.shapes import table
from holdfast.runtime.plugins import PluginTable

# Kinds of ours that hold no database; `tables` reads from one and is none itself.
_NO_DATABASES = frozenset({"tables", "files", "config", "command", "docker-volume"})


def read_sources(reader: Reader, data: Mapping[str, object], kinds: PluginTable) -> dict[str, SourceConfig]:
    """Reads `[sources.…]`."""
    sources: dict[str, SourceConfig] = {}
    tables = named_tables(reader, data, "sources")
    for name, value in tables:
        found = _read_kind(reader, value, ("sources", name), kinds, also=())
        if found is not None:
            kind, options = found
            sources[name] = SourceConfig(name=name, kind=kind, options=options)
    _check_databases(reader, tables)
    if not data.get("sources"):
        reader.problems.add(("sources",), reason="there is none, so there is nothing to back up")
    return sources


def read_targets(reader: Reader, data: Mapping[str, object], kinds: PluginTable) -> dict[str, TargetConfig]:
    """Reads `[targets.…]`; `keep` is a matter of the configuration and not of the kind."""
    targets: dict[str, TargetConfig] = {}
    for name, value in named_tables(reader, data, "targets"):
        at: KeyPath = ("targets", name)
        found = _read_kind(reader, value, at, kinds, also=("keep",))
        given = table(value) or {}
        keep: Keep | None = None
        if "keep" in given:
            keep = read_keep(reader, given["keep"], (*at, "keep"))
        if found is not None:
            kind, options = found
            targets[name] = TargetConfig(name=name, kind=kind, options=options, keep=keep)
    _check_places(reader, table(data.get("targets")) or {})
    if not data.get("targets"):
        reader.problems.add(("targets",), reason="there is none, so there is nowhere to back up to")
    return targets


def _read_kind(
    reader: Reader, value: object, at: KeyPath, kinds: PluginTable, also: Collection[str]
) -> tuple[str, object] | None:
    given = table(value)
    if given is None:
        reader.problems.add(at, reason="expected a table, not {found}", found=noun(value))
        return None
    kind = _kind(reader, given, at, kinds)
    if kind is None:
        return None
    try:
        options_class = kinds.options_class(kind)
    except (ImportError, AttributeError, TypeError) as error:
        reader.problems.add(
            (*at, "kind"), reason="the kind {kind} cannot be loaded: {detail}", kind=kind, detail=str(error)
        )
        return None
    _warn_of_passwords(reader, options_class, given, at)
    rest = {key: one for key, one in given.items() if key not in ("kind", *also)}
    options = reader.struct(options_class, rest, at, also=("kind", *also))
    return None if options is None else (kind, options)


def _kind(reader: Reader, given: Mapping[str, object], at: KeyPath, kinds: PluginTable) -> str | None:
    kind = given.get("kind")
    if isinstance(kind, str) and kinds.has(kind):
        return kind
    known = kinds.kinds()
    if "kind" not in given:
        reader.problems.add((*at, "kind"), reason="this is missing; it is one of {known}", known=listed(known))
        near = nearest("kind", given)
        if near:
            reader.problems.add((*at, near), reason="there is no such key; did you mean {near}?", near="kind")
        return None
    if not isinstance(kind, str):
        reader.problems.add((*at, "kind"), reason="expected text, not {found}", found=noun(kind))
        return None
    near = nearest(kind, known)
    if near:
        reader.problems.add(
            (*at, "kind"), reason="there is no kind {name}; did you mean {near}?", name=repr(kind), near=near
        )
    else:
        reader.problems.add(
            (*at, "kind"), reason="there is no kind {name} (there is: {known})", name=repr(kind), known=listed(known)
        )
    return None


def _warn_of_passwords(reader: Reader, kind: type[object], given: Mapping[str, object], at: KeyPath) -> None:
    """A password in a location is one in clear, although the field as a whole is no secret."""
    fields = fields_of(kind)
    for key, value in given.items():
        secret = key in fields and is_secret(fields[key].type)
        if isinstance(value, str) and password_in_url(value) and not secret and not reader.was_filled((*at, key)):
            reader.problems.warn((*at, key), reason="a password stands here in clear; put it into a variable")


def _check_places(reader: Reader, targets: Mapping[str, object]) -> None:
    """Two targets in one place would delete each other's backups."""
    taken: dict[tuple[str, str], str] = {}
    for name, value in targets.items():
        given = table(value) or {}
        url = given.get("url")
        if isinstance(url, str) and url:
            place = (url.rstrip("/").removeprefix("./"), str(given.get("prefix", "")))
            other = taken.setdefault(place, name)
            if other != name:
                reader.problems.add(("targets", name, "url"), reason="the target {other} is there already", other=other)


def _check_databases(reader: Reader, tables: list[tuple[str, object]]) -> None:
    """The database of a source of tables is another source, and one that is a database."""
    by_name = {name: str((table(value) or {}).get("kind", "")) for name, value in tables}
    databases = [name for name, kind in by_name.items() if kind not in _NO_DATABASES]
    for name, value in tables:
        database = (table(value) or {}).get("database")
        if by_name[name] != "tables" or not isinstance(database, str):
            continue
        at = ("sources", name, "database")
        if database in databases:
            continue
        if database in by_name:
            kind = by_name[database]
            reader.problems.add(
                at, reason="the source {name} is of kind {kind}, which is no database", name=database, kind=kind
            )
        elif near := nearest(database, databases):
            reader.problems.add(
                at, reason="there is no source {name}; did you mean {near}?", name=repr(database), near=near
            )
        else:
            reader.problems.add(
                at,
                reason="there is no source {name} that is a database (there is: {known})",
                name=repr(database),
                known=listed(databases),
            )
