"""A repository in the memory of this process, for tests and for trying things."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

from holdfast.backends import naming
from holdfast.backends.options import BackendOptions
from holdfast.errors import ObjectExists, ObjectNotFound, ShortRead
from holdfast.protocols import FileKind, Handle, Payload, StoredObject


class MemoryBackend:
    """Keeps objects in a dictionary.

    Args:
        name: tells several of them apart in messages.
        connections: how many requests at once are useful.
    """

    def __init__(self, name: str = "", *, connections: int = 5) -> None:
        self._url = f"memory:{name}"
        self._connections = connections
        self._objects: dict[Handle, bytes] = {}
        self._guard = threading.Lock()

    @classmethod
    def from_url(cls, url: str, options: BackendOptions) -> MemoryBackend:
        """Opens `memory:name`: always a new and empty one."""
        return cls(url.partition(":")[2], connections=options.connections or 5)

    @property
    def url(self) -> str:
        """`memory:` and the name."""
        return self._url

    @property
    def connections(self) -> int:
        """How many requests at once are useful."""
        return self._connections

    def create(self) -> None:
        """Does nothing: the dictionary is there."""

    def save(self, handle: Handle, data: Payload) -> None:
        """Stores a copy of the bytes. Raises `ObjectExists` for a second config."""
        naming.relative_path(handle, self.url)
        content = b"".join(data)
        with self._guard:
            if handle.kind is FileKind.CONFIG and handle in self._objects:
                raise ObjectExists(url=self.url, object=str(handle))
            self._objects[handle] = content

    def load(self, handle: Handle, offset: int = 0, length: int | None = None) -> bytes:
        """Reads an object or a range of it. Raises `ObjectNotFound`, `ShortRead`."""
        naming.check_range(handle, offset, length, self.url)
        content = self._content(handle)
        end = len(content) if length is None else offset + length
        if offset > len(content) or end > len(content):
            got = max(0, len(content) - offset)
            raise ShortRead(url=self.url, object=str(handle), got=got, wanted=end - offset)
        return content[offset:end]

    def size(self, handle: Handle) -> int:
        """Bytes of a stored object. Raises `ObjectNotFound`."""
        return len(self._content(handle))

    def list(self, kind: FileKind) -> Iterator[StoredObject]:
        """Objects of a kind as they were when the listing began."""
        with self._guard:
            found = [StoredObject(key.name, len(value)) for key, value in self._objects.items() if key.kind is kind]
        return iter(() if kind is FileKind.CONFIG else found)

    def remove(self, handle: Handle) -> None:
        """Deletes an object. Raises `ObjectNotFound`."""
        naming.relative_path(handle, self.url)
        with self._guard:
            if self._objects.pop(handle, None) is None:
                raise ObjectNotFound(url=self.url, object=str(handle))

    def local_path(self, handle: Handle) -> Path | None:  # noqa: ARG002 - the protocol's signature
        """None: there are no files."""
        return None

    def close(self) -> None:
        """Does nothing: the objects stay for as long as somebody holds the backend."""

    def _content(self, handle: Handle) -> bytes:
        naming.relative_path(handle, self.url)
        content = self._objects.get(handle)
        if content is None:
            raise ObjectNotFound(url=self.url, object=str(handle))
        return content
