"""Making a manager: from a configuration file, or from a few parameters."""

from __future__ import annotations

import os
from pathlib import Path

from holdfast.app import Overrides, app_from_config, config_from_parameters, load_app
from holdfast.app.overrides import Compression
from holdfast.backends.urls import scheme_of
from holdfast.errors import ContradictoryOptions
from holdfast.manager.manager import BackupManager
from holdfast.model.event import Listener, ignore
from holdfast.policy.backup_retention import KeepRules

_DEFAULT_DIRECTORY = "backups"
_DEFAULT_KEPT = 7


def create_backup_manager(
    *,
    config: Path | str | None = None,
    db_path: Path | str | None = None,
    storage_path: Path | str | None = None,
    backup_dir: Path | str | None = None,
    compression: Compression | None = None,
    compress_databases: bool | None = None,
    max_backups: int | None = None,
    environment: str | None = None,
    listener: Listener = ignore,
) -> BackupManager:
    """Makes a manager.

    With `db_path` or `storage_path` the application is what these parameters say, and no file is read. Without them it
    is what `holdfast.toml` says, in the working directory or above it, and the other parameters win over it.

    Args:
        config: the configuration file, if not the one that would be found.
        db_path: a SQLite database.
        storage_path: a folder of files.
        backup_dir: where backups go: a folder, or a URL; `backups` if there is no configuration.
        compression: of archives of files: `gz`, `zst`, or empty for none.
        compress_databases: whether copies of databases are compressed, too.
        max_backups: how many of each type `rotate_backups` keeps; by default what the configuration says, else 7.
        environment: an environment of the configuration.
        listener: told about progress and warnings.

    Raises:
        ConfigNotFound: there is neither a configuration nor a parameter that says what to back up.
        ConfigInvalid: the configuration says something that cannot be.
        ContradictoryOptions: both a configuration and such a parameter are given.
    """
    command = "BackupManager"
    keep = None if max_backups is None else KeepRules(last=max_backups)
    here = Path.cwd()
    directory = None if backup_dir is None else _absolute(here, backup_dir)
    if db_path is None and storage_path is None:
        overrides = Overrides(
            archive_url=directory, compression=compression, compress_databases=compress_databases, keep_last=max_backups
        )
        path = None if config is None else Path(config)
        return BackupManager(
            load_app(path, environment, os.environ, here, overrides=overrides, command=command), listener, keep
        )
    if config is not None:
        raise ContradictoryOptions(first="config", second="db_path" if db_path is not None else "storage_path")
    described = config_from_parameters(
        directory=here,
        db_path=None if db_path is None else here / db_path,
        storage_path=None if storage_path is None else here / storage_path,
        backup_dir=directory or str(here / _DEFAULT_DIRECTORY),
        compression="gz" if compression is None else compression,
        compress_databases=compress_databases,
        max_backups=_DEFAULT_KEPT if max_backups is None else max_backups,
    )
    return BackupManager(app_from_config(described, command=command), listener, keep)


def _absolute(here: Path, location: Path | str) -> str:
    """A path from the working directory, not from the configuration; a URL as it is."""
    text = os.fspath(location)
    return str(here / Path(text).expanduser()) if scheme_of(text) == "local" and ":" not in text else text
