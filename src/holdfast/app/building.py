"""Sources and targets out of a configuration, and what follows from where they are."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import msgspec

from holdfast.backends.urls import local_path, scheme_of
from holdfast.config.model import Config, Keep, SourceConfig, TargetConfig
from holdfast.errors import UnknownName
from holdfast.model.backup import BackupType
from holdfast.policy.backup_retention import KeepRules
from holdfast.policy.durations import CalendarDuration
from holdfast.protocols.source import Source
from holdfast.protocols.target import Target
from holdfast.runtime.clock import Clock
from holdfast.sources.registry import SOURCES
from holdfast.targets.archive_options import ArchiveOptions
from holdfast.targets.registry import TARGETS

_TREES = ("files", "docker-volume")
_COUNTS = ("last", "hourly", "daily", "weekly", "monthly", "yearly", "days")


def built_sources(config: Config) -> dict[str, Source]:
    """All sources by name. Those of tables are given their database; those of files leave our own places out.

    Raises:
        UnknownName: a source of tables names a database that is none of the sources.
    """
    skip = own_places(config)
    plain = {name: _source(config, source, skip) for name, source in config.sources.items() if source.kind != "tables"}
    sources: dict[str, Source] = {}
    for name, source in config.sources.items():
        sources[name] = plain[name] if name in plain else _tables(config, source, plain)
    return sources


def _source(config: Config, source: SourceConfig, skip: tuple[Path, ...]) -> Source:
    # The classes behind the table of kinds share a constructor, not a base class.
    make = cast(Any, SOURCES.target_class(source.kind))
    if source.kind in _TREES:
        return cast(Source, make(source.name, source.options, config.base_dir, skip=skip))
    return cast(Source, make(source.name, source.options, config.base_dir))


def _tables(config: Config, source: SourceConfig, databases: dict[str, Source]) -> Source:
    name: str = getattr(source.options, "database", "")
    able = {key: database for key, database in databases.items() if hasattr(database, "row_store")}
    if name not in able:
        raise UnknownName(what="database source", name=name or "?", known=", ".join(able) or "none")
    make = cast(Any, SOURCES.target_class(source.kind))
    return cast(Source, make(source.name, source.options, config.base_dir, able[name]))


def built_targets(config: Config, clock: Clock, resources: ExitStack) -> dict[str, Target]:
    """All targets by name; each is closed with `resources`."""
    targets: dict[str, Target] = {}
    for name, target in config.targets.items():
        make = cast(Any, TARGETS.target_class(target.kind))
        made = cast(Target, make(name, target.options, config.base_dir, config.app.name, config.state_dir, clock))
        resources.callback(made.close)
        targets[name] = made
    return targets


def own_places(config: Config) -> tuple[Path, ...]:
    """Folders that a backup of files must not contain: what the targets keep on this machine, and our own state.

    INVARIANT: a backup never contains backups, or each would be as large as all before it together.
    """
    places = [config.state_dir, *([config.scratch_dir] if config.scratch_dir else [])]
    return tuple(
        dict.fromkeys([*places, *(root for target in config.targets.values() if (root := local_root(config, target)))])
    )


def local_root(config: Config, target: TargetConfig) -> Path | None:
    """The folder on this machine that a target keeps its files in; None for one elsewhere."""
    url: str = getattr(target.options, "url", "")
    if not url or scheme_of(url) != "local":
        return None
    root = config.base_dir / os.path.expanduser(local_path(url))
    prefix: str = getattr(target.options, "prefix", "")
    return root / prefix if prefix else root


def log_paths(config: Config) -> tuple[Path, ...]:
    """`backup.log` at the root of each archive on this machine, and the log file that was asked for."""
    roots = [
        local_root(config, target) for target in config.targets.values() if isinstance(target.options, ArchiveOptions)
    ]
    logs = [root / "backup.log" for root in roots if root is not None]
    return tuple(dict.fromkeys([*logs, *([config.log_file] if config.log_file else [])]))


def keep_by_target(config: Config) -> dict[str, KeepRules]:
    """What to keep in each target: its own rules, else everything that any policy of its keeps."""
    rules: dict[str, KeepRules] = {}
    for name, target in config.targets.items():
        policies = [policy for policy in config.policies.values() if not policy.targets or name in policy.targets]
        keeps = [target.keep] if target.keep is not None else [policy.keep for policy in policies]
        # SAFETY: a policy that says nothing about keeping removes nothing, and no other one removes its backups.
        rules[name] = KeepRules() if None in keeps else union([keep for keep in keeps if keep is not None])
    return rules


def keeps_state(config: Config) -> bool:
    """Whether full backups keep what incremental ones compare with.

    To hash every row takes several times as long as to copy the database, so it is done only where it will be of use.
    """
    if config.app.keep_state is not None:
        return config.app.keep_state
    return any(policy.type is BackupType.INCREMENTAL for policy in config.policies.values())


def union(keeps: list[Keep]) -> KeepRules:
    """Rules that keep whatever one of several rules keeps.

    SAFETY: two policies may fill one target; what one of them keeps must not be removed by the other.
    """
    counts: dict[str, int] = {name: max((getattr(keep, name) for keep in keeps), default=0) for name in _COUNTS}
    spans = [keep.within_span for keep in keeps if keep.within_span]
    longest = max(spans, key=_about_hours, default=CalendarDuration())
    return msgspec.structs.replace(KeepRules(within=longest), **counts)


def _about_hours(span: CalendarDuration) -> int:
    return ((span.years * 12 + span.months) * 31 + span.days) * 24 + span.hours
