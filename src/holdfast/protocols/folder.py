"""What keeps the plain files of an archive."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from holdfast.model.buffer import Buffer
from holdfast.protocols.content import ContentReader


class FolderFile(NamedTuple):
    """One entry of a folder's listing: a name relative to its root with `/`, bytes, and when it was stored."""

    name: str
    size_bytes: int
    modified_at: datetime


class FolderWriter(Protocol):
    """A file on its way into a folder: invisible under its name until `commit`."""

    def write(self, block: Buffer, /) -> object:
        """Takes more bytes. Raises `BackendError`."""
        ...

    def commit(self) -> None:
        """Makes the file durable and visible in one step; never replaces one that is there.

        Raises:
            ObjectExists: the name is taken.
            OutOfSpace: nothing is left.
        """
        ...

    def abort(self) -> None:
        """Leaves nothing behind; does nothing after `commit`."""
        ...


class Folder(Protocol):
    """Keeps files under plain relative names: what `Backend` is for repositories, this is for archives.

    Safe in threads. Errors are `BackendError`s.
    """

    @property
    def url(self) -> str:
        """Where this is, for people, with secrets left out."""
        ...

    def create(self) -> None:
        """Prepares an empty location. Does nothing where that is already done."""
        ...

    def write(self, name: str) -> FolderWriter:
        """Begins a file."""
        ...

    def replace(self, name: str, content: bytes) -> None:
        """Writes a small file, whole and durably, over one that may be there."""
        ...

    def read(self, name: str, offset: int = 0) -> ContentReader:
        """Opens a file. Raises `ObjectNotFound`."""
        ...

    def list(self, prefix: str = "") -> Iterator[FolderFile]:
        """Committed files whose name begins with a prefix, in any order."""
        ...

    def size(self, name: str) -> int:
        """Bytes of a file. Raises `ObjectNotFound`."""
        ...

    def remove(self, name: str) -> None:
        """Deletes a file durably; nothing happens if there is none."""
        ...

    def free_bytes(self) -> int | None:
        """How much more fits; None where nobody can tell."""
        ...

    def local_path(self, name: str) -> Path | None:
        """The file itself, where it can be opened directly; None elsewhere."""
        ...

    def clean(self) -> None:
        """Removes what interrupted writers of this folder left. The caller holds the app's lock."""
        ...

    def close(self) -> None:
        """Gives back connections."""
        ...
