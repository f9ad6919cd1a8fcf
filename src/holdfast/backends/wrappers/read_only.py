"""A guard that lets nothing be written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from holdfast.errors import BackendReadOnly
from holdfast.protocols import Backend, FileKind, Handle, Payload, StoredObject


class ReadOnlyBackend:
    """Passes reading on and refuses everything else with `BackendReadOnly`."""

    def __init__(self, inner: Backend) -> None:
        self._inner = inner

    @property
    def url(self) -> str:
        """The location of the storage within."""
        return self._inner.url

    @property
    def connections(self) -> int:
        """How many requests at once are useful."""
        return self._inner.connections

    def create(self) -> None:
        """Refused."""
        raise BackendReadOnly(url=self.url, object="the repository folder")

    def save(self, handle: Handle, data: Payload) -> None:  # noqa: ARG002 - the protocol's signature
        """Refused."""
        raise BackendReadOnly(url=self.url, object=str(handle))

    def load(self, handle: Handle, offset: int = 0, length: int | None = None) -> bytes:
        """Reads an object or a range of it."""
        return self._inner.load(handle, offset, length)

    def size(self, handle: Handle) -> int:
        """Bytes of a stored object."""
        return self._inner.size(handle)

    def list(self, kind: FileKind) -> Iterator[StoredObject]:
        """Objects of a kind."""
        return self._inner.list(kind)

    def remove(self, handle: Handle) -> None:
        """Refused."""
        raise BackendReadOnly(url=self.url, object=str(handle))

    def local_path(self, handle: Handle) -> Path | None:
        """The file that holds the object, if there is one."""
        return self._inner.local_path(handle)

    def close(self) -> None:
        """Closes the storage within."""
        self._inner.close()
