"""What keeps the objects of a repository."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Protocol

from holdfast.model.buffer import Buffer

Payload = Sequence[Buffer]
"""Bytes to store as a sequence of buffers, so that a pack need never be joined in memory. Replayable."""


class FileKind(StrEnum):
    """The seven kinds of repository file; the value is the folder (or, for the config, the file) name."""

    CONFIG = "config"
    KEY = "keys"
    PACK = "data"
    INDEX = "index"
    SNAPSHOT = "snapshots"
    LOCK = "locks"


class Handle(NamedTuple):
    """A stored object: its kind and its name of 64 hexadecimal digits (empty for the config)."""

    kind: FileKind
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind.value}/{self.name[:12]}" if self.name else self.kind.value


CONFIG_HANDLE = Handle(FileKind.CONFIG)


class StoredObject(NamedTuple):
    """One entry of a listing."""

    name: str
    size_bytes: int


class Backend(Protocol):
    """Keeps named objects; knows names and bytes and nothing of what they mean.

    Every method may be called from several threads at once, up to `connections` of them usefully.
    Errors are `BackendError`s; those with `transient=True` may be retried by a wrapper, and by nobody else.
    """

    @property
    def url(self) -> str:
        """Where this is, for people, with secrets left out."""
        ...

    @property
    def connections(self) -> int:
        """How many requests at once are useful."""
        ...

    def create(self) -> None:
        """Prepares an empty location (folders, bucket prefix). Does nothing where that is already done."""
        ...

    def save(self, handle: Handle, data: Payload) -> None:
        """Stores an object, durably and whole, before it returns.

        Content-addressed objects may be saved again with the same bytes. The config is created once.

        Raises:
            ObjectExists: the config is already there.
            OutOfSpace: nothing is left under the final name.
        """
        ...

    def load(self, handle: Handle, offset: int = 0, length: int | None = None) -> bytes:
        """Reads an object or a range of it.

        Raises:
            ObjectNotFound: there is no such object.
            ShortRead: the range lies beyond the end, or the answer was cut.
        """
        ...

    def size(self, handle: Handle) -> int:
        """Bytes of a stored object. Raises `ObjectNotFound`."""
        ...

    def list(self, kind: FileKind) -> Iterator[StoredObject]:
        """Objects of a kind, in any order; names that are not 64 hexadecimal digits are left out."""
        ...

    def remove(self, handle: Handle) -> None:
        """Deletes an object. Raises `ObjectNotFound` if there is none and the storage tells so; S3 and REST do not."""
        ...

    def local_path(self, handle: Handle) -> Path | None:
        """The file that holds the object, where one can be opened directly; None elsewhere."""
        ...

    def close(self) -> None:
        """Gives back connections and threads."""
        ...
