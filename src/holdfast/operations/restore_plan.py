"""What a restore from one copy of a backup would do."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec

from holdfast.errors import ComponentNotFound, Phrase, RestoreNeedsSpace, RestoreRefused, UnknownName
from holdfast.model.backup import StoredBackup
from holdfast.model.component import Component, Role, Shape
from holdfast.operations.base import chain_of
from holdfast.operations.choice import in_role_order
from holdfast.operations.context import AppContext
from holdfast.operations.log import amount
from holdfast.operations.reports import PlannedComponent
from holdfast.operations.requests import RestoreRequest
from holdfast.operations.scratch import scratch_base
from holdfast.operations.space import free_at
from holdfast.protocols.content import StoredContent
from holdfast.protocols.source import LoadRequest

_WITH_ROWS = (Role.DATABASE, Role.TABLES)
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_KINDS = {"postgres": "postgresql", "mariadb": "mysql"}


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """One copy of a backup and everything else its target has, newest first."""

    stored: StoredBackup
    backups: tuple[StoredBackup, ...]


def load_request(context: AppContext, request: RestoreRequest, stamp: str, scratch: Path) -> LoadRequest:
    """What sources are asked to load."""
    return LoadRequest(
        scratch=scratch,
        listener=context.listener,
        cancelled=context.cancel.raise_if_cancelled,
        stamp=stamp,
        destination=request.to,
        tables=request.tables,
        paths=tuple(os.fsencode(path).strip(b"/") for path in request.paths),
        safety_copy=request.safety_copy,
        timeout_s=context.dump_timeout_s,
    )


@runtime_checkable
class GivesUnproved(Protocol):
    """A target whose files people may change on purpose and restore all the same."""

    def unproved_content(self, backup: StoredBackup, component: str) -> StoredContent:
        """A component without its checksums compared, and with an empty digest. Raises `ComponentNotFound`."""
        ...


def contents(context: AppContext, copy: Copy, component: str, *, proved: bool = True) -> list[StoredContent]:
    """A component of a backup with everything it is built on, the base first.

    Args:
        proved: False takes what is there as it is, where a target can give it so.

    Raises:
        TargetError: it cannot be read.
    """
    target = context.targets[copy.stored.target]
    chain = chain_of(copy.stored, component, copy.backups)
    if not proved and isinstance(target, GivesUnproved):
        return [target.unproved_content(stored, component) for stored in chain]
    return [target.content(stored, component) for stored in chain]


def plan_components(
    context: AppContext, request: RestoreRequest, copy: Copy, stamp: str
) -> tuple[PlannedComponent, ...]:
    """What would be loaded, in the order of roles; changes nothing.

    Raises:
        ComponentNotFound, UnknownName: the backup or the application does not have what was asked for.
        RestoreError: it cannot be loaded.
        TargetError: it cannot be read.
    """
    wanted = _wanted(context, request, copy)
    asked = load_request(context, request, stamp, scratch_base(context))
    planned: list[PlannedComponent] = []
    for source in in_role_order(context.sources[name] for name in wanted):
        chain = contents(context, copy, source.name, proved=request.verify)
        backups = chain_of(copy.stored, source.name, copy.backups)
        planned.append(
            PlannedComponent(
                source=source.name,
                role=source.role,
                chain=tuple(stored.backup_id for stored in backups),
                component=copy.stored.manifest.components[source.name],
                load=source.plan(chain, asked),
            )
        )
    return tuple(planned)


def _wanted(context: AppContext, request: RestoreRequest, copy: Copy) -> list[str]:
    """Names of components to load."""
    components = copy.stored.manifest.components
    for name in request.only:
        if name not in components:
            known = ", ".join(components) or "none"
            raise ComponentNotFound(backup=copy.stored.backup_id, component=name, known=known)
    names = [name for name in components if not request.only or name in request.only]
    if not request.only and not request.tables:
        names = [name for name in names if not _comes_with_database(components, name)]
    if request.tables:
        names = _with_tables(request, {name: components[name] for name in names})
    elif request.paths:
        names = _with_paths(context, request, copy, [name for name in names if components[name].shape is Shape.TREE])
    for name in names:
        if name not in context.sources:
            raise UnknownName(what="source", name=name, known=", ".join(context.sources) or "none")
    url = _URL.match(request.to or "")
    return _of_url(url[1].lower(), request, {name: components[name] for name in names}) if url else names


def _of_url(scheme: str, request: RestoreRequest, components: Mapping[str, Component]) -> list[str]:
    """What can be restored to the URL of a database.

    SAFETY: everything else would take the URL, with its password, for the name of a folder.
    """
    kind = _KINDS.get(scheme, scheme)
    fitting = [
        name for name, component in components.items() if component.kind == kind or component.role is Role.TABLES
    ]
    others = [name for name in components if name not in fitting]
    shown = f"{scheme}://…"
    if not fitting or (others and set(others) & set(request.only)):
        known = ", ".join(others) or "nothing"
        raise RestoreRefused(destination=shown, reason=Phrase("it is no place for {known}", {"known": known}))
    if len(fitting) > 1:
        reason = Phrase("only one of {names} can be restored there; name it with --only", {"names": ", ".join(fitting)})
        raise RestoreRefused(destination=shown, reason=reason)
    return fitting


def _comes_with_database(components: Mapping[str, Component], name: str) -> bool:
    """Whether a component holds tables of a database that is restored anyway.

    A whole database brings all its tables, from one moment: tables that were read a little later are not loaded over
    it. Who names them gets them.
    """
    component = components[name]
    return component.role is Role.TABLES and component.facts.get("source") in components


def _with_tables(request: RestoreRequest, components: dict[str, Component]) -> list[str]:
    """Each table once: from where tables are kept one by one, else from a whole database."""
    found: list[str] = []
    for wanted in request.tables:
        table = wanted.partition(":")[0]
        having = [name for name, component in components.items() if holds_table(component, table)]
        if not having:
            known = sorted({row for component in components.values() for row in component.rows})
            raise UnknownName(what="table", name=table, known=", ".join(known) or "none")
        by_itself = [name for name in having if components[name].role is Role.TABLES]
        chosen = (by_itself or having)[0]
        if chosen not in found:
            found.append(chosen)
    return found


def plain_tables(request: RestoreRequest, components: Iterable[Component]) -> RestoreRequest:
    """The request with tables as backups name them: `public.users` is `users`, and so is `shop.users` in `shop`.

    A name that a backup has as it is stays as it is.
    """
    prefixes: set[str] = set()
    known: set[str] = set()
    for component in components:
        if component.role in _WITH_ROWS:
            known |= component.rows.keys()
            prefixes |= _default_schemas(component)
    return msgspec.structs.replace(request, tables=tuple(_plain(table, known, prefixes) for table in request.tables))


def _default_schemas(component: Component) -> set[str]:
    """What may stand before the names of tables that are kept without it."""
    database = component.facts.get("database", component.kind)
    names = {"postgresql": "public", "sqlite": "main"}
    if component.role is Role.TABLES:
        return {names[database]} if database in names else set()
    return {names.get(component.kind, database)}


def _plain(table: str, known: Collection[str], prefixes: Iterable[str]) -> str:
    name = table.partition(":")[0]
    if table in known or name in known:
        return table
    for prefix in prefixes:
        if name.startswith(f"{prefix}.") and name.removeprefix(f"{prefix}.") in known:
            return table.removeprefix(f"{prefix}.")
    return table


def holds_table(component: Component, table: str) -> bool:
    """Whether a component has a table, named with its schema or without."""
    if component.role not in _WITH_ROWS:
        return False
    return any(table in (name, name.rpartition(".")[2]) for name in component.rows)


def _with_paths(context: AppContext, request: RestoreRequest, copy: Copy, names: Sequence[str]) -> list[str]:
    """Folders that have one of the paths; looking is only needed where there is a choice."""
    if len(names) == 1:
        return list(names)
    paths = [os.fsencode(path).strip(b"/") for path in request.paths]
    having = [name for name in names if _has(contents(context, copy, name), paths)]
    if not having:
        known = Phrase("in {names}", {"names": ", ".join(names) or "-"})
        raise UnknownName(what="path", name=", ".join(request.paths), known=known)
    return having


def _has(chain: Iterable[StoredContent], paths: Sequence[bytes]) -> bool:
    return any(
        entry.path == path or entry.path.startswith(path + b"/")
        for content in chain
        for entry in content.entries(paths)
        for path in paths
    )


def needed_space(planned: Iterable[PlannedComponent]) -> dict[str, int]:
    """Bytes needed by directory."""
    needed: dict[str, int] = {}
    for component in planned:
        if component.load.directory is not None and component.load.needed_bytes:
            name = str(component.load.directory)
            needed[name] = needed.get(name, 0) + component.load.needed_bytes
    return needed


def check_space(needed: dict[str, int]) -> None:
    """Raises `RestoreNeedsSpace` if a disk has less than what all directories on it need together."""
    by_disk: dict[int, tuple[str, int]] = {}
    for directory, size_bytes in needed.items():
        disk = _disk(Path(directory))
        first, before = by_disk.get(disk, (directory, 0))
        by_disk[disk] = first, before + size_bytes
    for directory, size_bytes in by_disk.values():
        free = free_at(Path(directory))
        if free is not None and size_bytes > free:
            raise RestoreNeedsSpace(needed=amount(size_bytes), available=amount(free), directory=directory)


def _disk(directory: Path) -> int:
    while not directory.exists() and directory != directory.parent:
        directory = directory.parent
    return directory.stat().st_dev
