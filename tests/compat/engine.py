"""Our own engine over a local folder, in a few words."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from holdfast.backends.local import LocalBackend
from holdfast.model.snapshot import Snapshot
from holdfast.repository.backup.report import BackupOptions
from holdfast.repository.backup.run import backup
from holdfast.repository.index import Index
from holdfast.repository.locks import RepositoryLock, acquire
from holdfast.repository.opening import open_repository
from holdfast.repository.repository import Repository
from repository_kit import new_repository

PASSWORD = b"geheim"


class Session(NamedTuple):
    """An open repository, locked, with its index."""

    repository: Repository
    index: Index
    lock: RepositoryLock


@contextlib.contextmanager
def session(folder: Path, *, exclusive: bool = True) -> Iterator[Session]:
    """Opens and locks a repository that anybody made, without any cache."""
    repository = open_repository(LocalBackend(str(folder)), PASSWORD)
    with acquire(repository, exclusive) as lock, Index(repository) as index:
        index.sync()
        yield Session(repository, index, lock)
    repository.close()


def make_repository(folder: Path, *, version: int = 2) -> None:
    """An empty repository of ours."""
    new_repository(LocalBackend(str(folder)), password=PASSWORD, version=version).close()


def back_up(folder: Path, source: Path, **options: object) -> Snapshot:
    """A backup of ours."""
    with session(folder, exclusive=False) as (repository, index, lock):
        report = backup(repository, index, lock, [source], BackupOptions(**options))  # type: ignore[arg-type]
    assert report.snapshot is not None
    return report.snapshot
