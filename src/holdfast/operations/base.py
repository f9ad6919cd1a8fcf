"""What an incremental backup builds on, and how its chain is followed back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from holdfast.errors import BackupDamaged, NoBase, Phrase
from holdfast.model.backup import BackupType, Outcome, StoredBackup
from holdfast.model.component import Form, Role
from holdfast.protocols.source import Source
from holdfast.protocols.target import Target

_BASE_TYPES = (BackupType.FULL, BackupType.INCREMENTAL)
_CHAIN_LIMIT = 1000
_ALWAYS_WHOLE = (Role.TABLES, Role.COMMAND)


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """A backup to build on, and the state of each source in it; a source it does not hold is dumped whole."""

    backup_id: str
    states: dict[str, Path]


def choose_base(
    targets: Sequence[Target],
    found: Mapping[str, Sequence[StoredBackup]],
    sources: Sequence[Source],
    since: datetime | None,
    scratch: Path,
) -> Base:
    """The newest backup that every target can build on, not later than `since`.

    Args:
        targets: those that keep changes; at least one.
        found: what each of them has, newest first.
        sources: what is to be backed up.
        since: None for any time.
        scratch: where states are written.

    Raises:
        NoBase: there is none.
    """
    names = ", ".join(target.name for target in targets)
    reason = Phrase("it has no complete backup", {})
    if since is not None:
        moment = since.isoformat(timespec="seconds")
        reason = Phrase("it has no complete backup from before {moment}", {"moment": moment})
    for stored in found[targets[0].name]:
        if since is not None and stored.manifest.created_at > since:
            continue
        if not all(_builds_on(stored.backup_id, found[target.name]) for target in targets):
            continue
        states = _states(targets, found, stored, sources, scratch)
        if states is not None:
            return Base(backup_id=stored.backup_id, states=states)
        reason = Phrase("{backup_id} does not keep what changes are compared with", {"backup_id": stored.backup_id})
    raise NoBase(target=names, reason=reason)


def _builds_on(backup_id: str, backups: Sequence[StoredBackup]) -> bool:
    """Whether a backup is there, whole, and everything it is built on is too."""
    by_id = {stored.backup_id: stored for stored in backups}
    for _ in range(_CHAIN_LIMIT):
        stored = by_id.get(backup_id)
        if stored is None or stored.manifest.type not in _BASE_TYPES:
            return False
        if stored.manifest.outcome is not Outcome.COMPLETE or stored.marks.damaged_at is not None:
            return False
        if not stored.manifest.base_id:
            return True
        backup_id = stored.manifest.base_id
    return False


def _states(
    targets: Sequence[Target],
    found: Mapping[str, Sequence[StoredBackup]],
    stored: StoredBackup,
    sources: Sequence[Source],
    scratch: Path,
) -> dict[str, Path] | None:
    """The states of all sources that the backup holds; None if one is missing that would be needed."""
    states: dict[str, Path] = {}
    copies = [(target, copy) for target in targets for copy in found[target.name] if copy.backup_id == stored.backup_id]
    for number, source in enumerate(sources):
        component = stored.manifest.components.get(source.name)
        if component is None or source.role in _ALWAYS_WHOLE:
            continue
        path = scratch / f"base-{number}"
        if not any(target.state(copy, source.name, path) for target, copy in copies):
            return None
        states[source.name] = path
    return states


def chain_of(stored: StoredBackup, component: str, backups: Sequence[StoredBackup]) -> list[StoredBackup]:
    """The backups that a component is put together from, the base first; just the one unless it holds changes.

    Args:
        stored: the backup to bring back.
        component: the name of one of its components.
        backups: what the same target has.

    Raises:
        BackupDamaged: something it is built on is not there.
    """
    by_id = {other.backup_id: other for other in backups}
    chain = [stored]
    while component in chain[0].manifest.components and len(chain) <= _CHAIN_LIMIT:
        manifest = chain[0].manifest
        if manifest.components[component].form is not Form.CHANGES or not manifest.base_id:
            return chain
        base = by_id.get(manifest.base_id)
        if base is None:
            reason = Phrase("{base_id}, which it is built on, is not there", {"base_id": manifest.base_id})
            raise BackupDamaged(backup=stored.backup_id, target=stored.target, reason=reason)
        if component not in base.manifest.components:
            return chain
        chain.insert(0, base)
    reason = Phrase("{component} cannot be followed back to where its changes begin", {"component": component})
    raise BackupDamaged(backup=stored.backup_id, target=stored.target, reason=reason)
