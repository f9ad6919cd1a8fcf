"""An application that is described by a few parameters instead of a configuration file."""

from __future__ import annotations

import re
from pathlib import Path

from holdfast.app.overrides import Compression
from holdfast.backends.urls import scheme_of
from holdfast.config.model import App as AppConfig
from holdfast.config.model import Config, Keep, SourceConfig, TargetConfig
from holdfast.errors import NothingToDo
from holdfast.sources.files_options import FilesOptions
from holdfast.sources.sqlite_options import SqliteOptions
from holdfast.targets.archive_options import ArchiveOptions


def config_from_parameters(
    *,
    directory: Path,
    db_path: Path | None,
    storage_path: Path | None,
    backup_dir: str,
    compression: Compression,
    compress_databases: bool | None,
    max_backups: int,
) -> Config:
    """A configuration with an archive of dated files, made from parameters.

    Args:
        directory: names the application, and keeps its state if backups are elsewhere.
        db_path: a SQLite database; absolute.
        storage_path: a folder; absolute.
        backup_dir: an absolute path, or the URL of a folder elsewhere.
        compression: of the folder's archive.
        compress_databases: whether the copy of the database is compressed, too; by default it is not.
        max_backups: keep the newest so many.

    Raises:
        NothingToDo: neither a database nor a folder is named.
    """
    sources: dict[str, SourceConfig] = {}
    if db_path is not None:
        options = SqliteOptions(path=str(db_path))
        sources["database"] = SourceConfig(name="database", kind="sqlite", options=options)
    if storage_path is not None:
        # Relative to the folder above it, so that `tar -xzf` in that folder puts everything where it was.
        folder = FilesOptions(paths=(storage_path.name,))
        sources["storage"] = SourceConfig(name="storage", kind="files", options=folder)
    if not sources:
        raise NothingToDo(reason="neither a database nor a folder was named")
    archive = ArchiveOptions(url=backup_dir, compression=compression, compress_databases=compress_databases)
    target = TargetConfig(name="local", kind="archive", options=archive, keep=Keep(last=max_backups))
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", directory.name).strip("-._")[:63] or "app"
    state = directory
    if scheme_of(backup_dir) == "local":
        # Two processes in different folders that back up to one place must meet each other's lock.
        state = directory / Path(backup_dir).expanduser()
    base = directory if storage_path is None else storage_path.parent
    return Config(
        path=base / "holdfast.toml",
        app=AppConfig(name=name, state_dir=str(state / ".holdfast" / "app")),
        sources=sources,
        targets={"local": target},
    )
