"""Restoring from a file that no target keeps: copied from an archive, unpacked by hand, made by another program."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Protocol, cast, runtime_checkable

import msgspec

from holdfast.archive.encryption.keys import Keys
from holdfast.archive.loose import LooseFile, open_loose
from holdfast.errors import DecryptionFailed, Phrase, RestoreRefused
from holdfast.model.backup import BackupType, Manifest, StoredBackup, backup_id
from holdfast.model.component import Component, Problem, Role
from holdfast.operations.context import AppContext
from holdfast.operations.requests import RestoreRequest
from holdfast.protocols.content import Entry, StoredContent
from holdfast.protocols.source import Source
from holdfast.sources.rows.store import DatabaseSource
from holdfast.sources.tables import Tables
from holdfast.sources.tables_options import TablesOptions
from holdfast.sources.tables_safety import KEPT_PREFIX, KeptTables
from holdfast.targets.loose_file import LooseFileTarget

_STAMP = re.compile(r"[0-9]{8}_[0-9]{6}")
_TREES = ("files", "config", "docker-volume")
_TYPES = {Role.STORAGE: BackupType.STORAGE, Role.CONFIG: BackupType.CONFIG, Role.DATABASE: BackupType.DATABASE}


@runtime_checkable
class OpensFiles(Protocol):
    """A target that understands files which a person names, with the keys that it has."""

    def open_path(self, path: Path, *, verify: bool = True) -> tuple[StoredBackup, str] | LooseFile:
        """What is in a file. Raises `DecryptionFailed` and `BackupDamaged`."""
        ...


class _Renamed:
    """A component under the name of the source that it is for."""

    def __init__(self, content: StoredContent, name: str) -> None:
        self._content = content
        self._component = msgspec.structs.replace(content.component, name=name)

    @property
    def component(self) -> Component:
        """What is there."""
        return self._component

    def entries(self, paths: Sequence[bytes] = ()) -> Iterator[Entry]:
        """As they are."""
        return self._content.entries(paths)


def is_file(what: str) -> bool:
    """Whether a request names a file that is there, or a folder of tables that a restore kept."""
    return Path(what).is_file() or _is_kept(Path(what))


class FromFile(NamedTuple):
    """What a restore from a file works with: an application whose only target is the file."""

    context: AppContext
    stored: StoredBackup
    problems: list[Problem]


def from_file(context: AppContext, request: RestoreRequest) -> FromFile:
    """A file as a target with one backup, its components named like the sources that they are for.

    Raises:
        RestoreRefused: it is for none of the sources, or might be for several.
        DecryptionFailed: no target has the key to it.
        BackupDamaged: it cannot be understood.
    """
    path = Path(request.what).absolute()
    if _is_kept(path):
        name, source = _undoing(context, request, path)
        loose = LooseFile(path, {name: KeptTables(path)}, proved=True)
        context = msgspec.structs.replace(context, sources={name: source})
    else:
        loose = _opened(context, request, path)
    contents: dict[str, StoredContent] = {}
    for content in loose.contents.values():
        name = _source_for(context, request, content.component, path)
        contents[name] = _Renamed(content, name)
    components = {name: content.component for name, content in contents.items()}
    target = LooseFileTarget(path, _manifest(context, loose, path, components), contents)
    (stored,) = target.backups()
    alone = msgspec.structs.replace(context, targets={target.name: target})
    return FromFile(alone, stored, _problems(context, loose))


def _is_kept(path: Path) -> bool:
    return path.name.startswith(KEPT_PREFIX) and path.is_dir()


def _undoing(context: AppContext, request: RestoreRequest, path: Path) -> tuple[str, Source]:
    """The database that tables which a restore kept go back into, as a source of tables."""
    able = {name: source for name, source in context.sources.items() if isinstance(source, DatabaseSource)}
    names = [name for name in able if name in request.only] or list(able)
    if len(names) != 1:
        reason = Phrase("it may be for any of {names}; name one with --only", {"names": ", ".join(names) or "none"})
        raise RestoreRefused(destination=str(path), reason=reason)
    (name,) = names
    # Beside a database that is a file, or in our own folder below that of the application.
    base_dir = path.parent.parent
    # The sources share a protocol that not every checker can see through generators.
    return name, cast(Source, Tables(name, TablesOptions(database=name), base_dir, able[name]))


def _opened(context: AppContext, request: RestoreRequest, path: Path) -> LooseFile:
    """The file, opened with the keys of the first target that has the right ones."""
    refused: DecryptionFailed | None = None
    names = [request.from_target] if request.from_target else list(context.targets)
    for target in (context.targets[name] for name in names):
        if not isinstance(target, OpensFiles):
            continue
        try:
            found = target.open_path(path, verify=request.verify)
        except DecryptionFailed as error:
            refused = refused or error
            continue
        if isinstance(found, LooseFile):
            return found
    if refused is not None:
        raise refused
    return open_loose(path, Keys(), verify=request.verify)


def _source_for(context: AppContext, request: RestoreRequest, component: Component, path: Path) -> str:
    fitting = [name for name, source in context.sources.items() if _fits(source, component)]
    wanted = [name for name in fitting if name in request.only] or fitting
    if component.name in wanted:
        return component.name
    if len(wanted) == 1:
        return wanted[0]
    if not wanted:
        reason = Phrase("no source takes {what}, which it holds", {"what": component.kind})
    else:
        reason = Phrase("it may be for any of {names}; name one with --only", {"names": ", ".join(wanted)})
    raise RestoreRefused(destination=str(path), reason=reason)


def _fits(source: Source, component: Component) -> bool:
    if component.kind in _TREES:
        return source.kind in _TREES and source.role is component.role
    return source.kind == component.kind


def _manifest(context: AppContext, loose: LooseFile, path: Path, components: dict[str, Component]) -> Manifest:
    """What is known of the backup; where nothing is, the name and the date of the file have to do."""
    if loose.manifest is not None:
        return msgspec.structs.replace(loose.manifest, components=components)
    made_at = _made_at(path)
    (role, *others) = {component.role for component in components.values()}
    return Manifest(
        backup_id=backup_id(made_at),
        app=context.app,
        type=BackupType.FULL if others else _TYPES.get(role, BackupType.FULL),
        created_at=made_at,
        finished_at=made_at,
        components=components,
    )


def _made_at(path: Path) -> datetime:
    for stamp in _STAMP.findall(path.name):
        try:
            return datetime.strptime(stamp, "%Y%m%d_%H%M%S").replace(tzinfo=UTC)
        except ValueError:
            continue  # digits that are no date
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).replace(microsecond=0)


def _problems(context: AppContext, loose: LooseFile) -> list[Problem]:
    name, problems = loose.path.name, list(loose.problems)
    if not loose.proved:
        detail = "no checksum of it is known: nothing proves that it is what was backed up"
        problems.append(Problem(code="not-proved", subject=name, detail=detail))
    if loose.manifest is not None and loose.manifest.app != context.app:
        problems.append(Problem(code="other-app", subject=name, detail="it is a backup of another application"))
    return problems
