"""Copies on this machine of what every command reads from a storage elsewhere."""

from __future__ import annotations

from holdfast.backends.wrappers.cache import CacheBackend
from holdfast.model.blob import BlobType
from holdfast.model.ids import PackId
from holdfast.protocols import Backend, FileKind, Handle
from holdfast.repository.index import Index
from holdfast.repository.repository import Repository


class LocalCopies:
    """Keeps copies of snapshots, index files and packs of trees of one repository in its cache folder.

    Nothing is kept of a storage on this machine, nor where there is no cache folder.

    Args:
        repository: its backend is put behind the cache.
    """

    def __init__(self, repository: Repository) -> None:
        self._index: Index | None = None
        self._known: dict[str, bool] = {}
        backend = repository.backend
        if repository.cache_dir is not None and backend.local_path(Handle(FileKind.PACK, "0" * 64)) is None:
            repository.backend = CacheBackend(backend, str(repository.cache_dir), self._holds_trees)

    def follow(self, index: Index) -> None:
        """Learns from an index which packs hold trees; until then no pack is kept."""
        self._index = index

    def _holds_trees(self, name: str) -> bool:
        known = self._known.get(name)
        if known is None:
            kind = None if self._index is None else self._index.kind_of_pack(PackId(bytes.fromhex(name)))
            if kind is None:
                return False
            known = self._known[name] = kind is BlobType.TREE
        return known


def past_caches(repository: Repository) -> Repository:
    """The same repository without its cache of stored files: a sound copy must not hide a damaged original."""
    storage: Backend = getattr(repository.backend, "storage", repository.backend)
    return Repository(storage, repository.config, repository.master, key_id=repository.key_id, clock=repository.clock)
