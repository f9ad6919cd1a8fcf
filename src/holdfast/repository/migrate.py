"""Raising the format version of a repository.

Version 2 allows compression and changes nothing that is stored; only the config says which version it is. The config
cannot be replaced in one step on every storage, so a copy of it is kept on this machine until the new one is proved.

Source: format sheet, section 4.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

import msgspec

from holdfast.errors import BackendError, ConfigNotRestored, HoldfastError, SealVerificationFailed
from holdfast.format import config as config_format
from holdfast.protocols import CONFIG_HANDLE
from holdfast.repository.locks import RepositoryLock
from holdfast.repository.repository import Repository
from holdfast.runtime.randomness import random_nonce

VERSION = 2


class MigrationReport(msgspec.Struct, frozen=True):
    """The version before and after; equal if there was nothing to do."""

    former: int
    present: int


def upgrade_repo_v2(
    repository: Repository, lock: RepositoryLock, *, copy_folder: Path | None = None
) -> MigrationReport:
    """Makes a repository of version 1 one of version 2. Check the repository first.

    Args:
        repository: its `config` is the new one afterwards.
        lock: held exclusively.
        copy_folder: where the copy of the old config is kept meanwhile; by default with the other data about this
            repository, or in the folder for temporary files.

    Raises:
        BackendError: the storage refused; the repository is what it was.
        ConfigNotRestored: the storage took the old config away and took neither the new nor the old one back.
    """
    if not lock.exclusive:
        raise ValueError("an upgrade needs an exclusive lock")
    former = repository.config.version
    if former >= VERSION:
        return MigrationReport(former, former)
    stored = repository.backend.load(CONFIG_HANDLE)
    sealed = _upgraded(repository, stored)
    copy = _keep_copy(copy_folder or repository.cache_dir, repository, stored)
    try:
        lock.ensure_held()
        _replace(repository, sealed, stored, copy)
    except ConfigNotRestored:
        raise
    except HoldfastError:
        copy.unlink()
        raise
    repository.config = config_format.decode(_opened(repository, sealed))
    copy.unlink()
    return MigrationReport(former, VERSION)


def _upgraded(repository: Repository, stored: bytes) -> bytes:
    document = config_format.with_version(_opened(repository, stored), VERSION)
    sealed = bytes(repository.sealer().seal(document, random_nonce()))
    if _opened(repository, sealed) != document:
        raise SealVerificationFailed(object=CONFIG_HANDLE)
    return sealed


def _opened(repository: Repository, sealed: bytes) -> bytes:
    return bytes(repository.sealer().open(sealed, CONFIG_HANDLE))


def _keep_copy(folder: Path | None, repository: Repository, stored: bytes) -> Path:
    """Writes the old config, sealed as it is, to a file of its own, durably."""
    prefix = f"holdfast-config-{repository.config.id.hex()[:8]}-"
    descriptor, name = tempfile.mkstemp(prefix=prefix, dir=folder)
    with open(descriptor, "wb") as file:
        file.write(stored)
        file.flush()
        # DURABILITY: a power cut between deleting and writing the config must not take this copy along.
        os.fsync(file.fileno())
    return Path(name)


def _replace(repository: Repository, sealed: bytes, stored: bytes, copy: Path) -> None:
    backend = repository.backend
    try:
        # SAFETY: the bytes are in `copy` and in memory, and the new config has been opened already.
        backend.remove(CONFIG_HANDLE)
        backend.save(CONFIG_HANDLE, [sealed])
        if not _reads_as(repository, sealed):
            raise BackendError(url=repository.url, object=CONFIG_HANDLE, reason="it did not read back as written")
    except BackendError as error:
        _put_back(repository, stored, copy, error)
        raise


def _put_back(repository: Repository, stored: bytes, copy: Path, cause: BackendError) -> None:
    """Sees to it that the old config is there. A request that failed may have been carried out all the same."""
    if _reads_as(repository, stored):
        return
    backend = repository.backend
    with contextlib.suppress(BackendError):
        # SAFETY: what is there, if anything, is the new config, which the storage did not take properly.
        backend.remove(CONFIG_HANDLE)
    with contextlib.suppress(BackendError):
        backend.save(CONFIG_HANDLE, [stored])
    if not _reads_as(repository, stored):
        raise ConfigNotRestored(url=repository.url, reason=str(cause), path=copy) from cause


def _reads_as(repository: Repository, expected: bytes) -> bool:
    try:
        return repository.backend.load(CONFIG_HANDLE) == expected
    except BackendError:
        return False
