"""A cache on local disk of the objects that every command reads: snapshots, indexes and packs of trees."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator

from holdfast.backends import naming
from holdfast.backends.wrappers.cache_folder import CacheFolder
from holdfast.backends.wrappers.passing import PassingBackend
from holdfast.errors import ShortRead
from holdfast.protocols import Backend, FileKind, Handle, Payload, StoredObject

_ALWAYS = frozenset({FileKind.SNAPSHOT, FileKind.INDEX})
_LISTED = _ALWAYS | {FileKind.PACK}
_LOCKS = 64


class CacheBackend(PassingBackend):
    """Keeps copies of objects, encrypted and named as in the storage, so that the folder may be lost or shared.

    The cache only ever helps: when its disk is full or broken, everything goes to the storage.

    Args:
        inner: the storage.
        folder: where the copies are; made with mode 0700.
        cache_packs: whether a pack of this name is worth keeping whole.
    """

    def __init__(self, inner: Backend, folder: str, cache_packs: Callable[[str], bool]) -> None:
        super().__init__(inner)
        self._folder = CacheFolder(folder)
        self._cache_packs = cache_packs
        self._locks = tuple(threading.Lock() for _ in range(_LOCKS))

    def save(self, handle: Handle, data: Payload) -> None:
        """Stores an object, then keeps a copy."""
        self._inner.save(handle, data)
        if self._is_kept(handle):
            self._folder.write(self._path(handle), data)

    def load(self, handle: Handle, offset: int = 0, length: int | None = None) -> bytes:
        """Reads an object or a range of it, from the copy if there is a sound one.

        A whole copy is compared with the hash in its name. A range is not: whoever reads one checks the seal of what
        is in it, and asks `load_uncached` if that is broken.
        """
        if not self._is_kept(handle):
            return self._inner.load(handle, offset, length)
        naming.check_range(handle, offset, length, self.url)
        path = self._path(handle)
        content = self._from_cache(handle, path, offset, length)
        if content is not None:
            return content
        # One thread fetches; others that want the same object meanwhile find its copy.
        with self._locks[hash(handle) % _LOCKS]:
            content = self._from_cache(handle, path, offset, length)
            if content is not None:
                return content
            return self._slice(handle, self._fetch(handle, path), offset, length)

    def load_uncached(self, handle: Handle, offset: int = 0, length: int | None = None) -> bytes:
        """Reads past the cache and forgets the copy, which the caller has found wanting."""
        if self._is_kept(handle):
            self._folder.drop(self._path(handle))
        return self._inner.load(handle, offset, length)

    def list(self, kind: FileKind) -> Iterator[StoredObject]:
        """Objects of a kind; when the listing is complete, copies of what is not in it are removed."""
        if kind not in _LISTED:
            yield from self._inner.list(kind)
            return
        before = self._folder.names(kind)
        for entry in self._inner.list(kind):
            before.discard(entry.name)
            yield entry
        for name in before:
            self._folder.drop(self._path(Handle(kind, name)))

    def remove(self, handle: Handle) -> None:
        """Forgets the copy, then deletes the object."""
        if handle.kind in _LISTED:
            self._folder.drop(self._path(handle))
        self._inner.remove(handle)

    def _is_kept(self, handle: Handle) -> bool:
        return handle.kind in _ALWAYS or (handle.kind is FileKind.PACK and self._cache_packs(handle.name))

    def _path(self, handle: Handle) -> str:
        return naming.relative_path(handle, self.url)

    def _from_cache(self, handle: Handle, path: str, offset: int, length: int | None) -> bytes | None:
        whole = offset == 0 and length is None
        content = self._folder.read(path, offset, length)
        if content is None:
            return None
        if whole and hashlib.sha256(content).hexdigest() != handle.name:
            self._folder.drop(path)
            return None
        return content

    def _fetch(self, handle: Handle, path: str) -> bytes:
        content = self._inner.load(handle)
        # INVARIANT: only bytes that hash to their name enter the cache; damaged ones go to the caller alone.
        if hashlib.sha256(content).hexdigest() == handle.name:
            self._folder.write(path, [content])
        return content

    def _slice(self, handle: Handle, content: bytes, offset: int, length: int | None) -> bytes:
        end = len(content) if length is None else offset + length
        if offset > len(content) or end > len(content):
            got = max(0, len(content) - offset)
            raise ShortRead(url=self.url, object=str(handle), got=got, wanted=end - offset)
        return content if offset == 0 and end == len(content) else content[offset:end]
