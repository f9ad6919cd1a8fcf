"""A folder in the memory of this process, for tests and for trying things."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from holdfast.backends.folders.names import check_name
from holdfast.backends.options import BackendOptions
from holdfast.errors import ObjectExists, ObjectNotFound
from holdfast.model.buffer import Buffer
from holdfast.protocols.content import ContentReader
from holdfast.protocols.folder import FolderFile, FolderWriter


def _now() -> datetime:
    return datetime.now(UTC)


class MemoryFolder:
    """Keeps files in a dictionary.

    Args:
        name: tells several of them apart in messages.
        now: the present, as an aware time.
    """

    def __init__(self, name: str = "", *, now: Callable[[], datetime] = _now) -> None:
        self._url = f"memory:{name}"
        self._now = now
        self._files: dict[str, tuple[bytes, datetime]] = {}
        self._guard = threading.Lock()

    @classmethod
    def from_url(cls, url: str, options: BackendOptions) -> MemoryFolder:  # noqa: ARG003 - the row's signature
        """Opens `memory:name`: always a new and empty one."""
        return cls(url.partition(":")[2])

    @property
    def url(self) -> str:
        """`memory:` and the name."""
        return self._url

    def create(self) -> None:
        """Does nothing: the dictionary is there."""

    def write(self, name: str) -> FolderWriter:
        """Begins a file."""
        return _MemoryWriter(self, check_name(name, self.url))

    def replace(self, name: str, content: bytes) -> None:
        """Writes a small file over one that may be there."""
        check_name(name, self.url)
        with self._guard:
            self._files[name] = (bytes(content), self._now())

    def add(self, name: str, content: bytes) -> None:
        """Writes a file that must not be there. Raises `ObjectExists`."""
        with self._guard:
            if name in self._files:
                raise ObjectExists(url=self.url, object=name)
            self._files[name] = (content, self._now())

    def read(self, name: str, offset: int = 0) -> ContentReader:
        """Opens a file."""
        return io.BytesIO(self._content(name)[offset:])

    def list(self, prefix: str = "") -> Iterator[FolderFile]:
        """Files whose name begins with a prefix, as they were when the listing began."""
        with self._guard:
            found = [FolderFile(name, len(content), at) for name, (content, at) in self._files.items()]
        return (file for file in found if file.name.startswith(prefix))

    def size(self, name: str) -> int:
        """Bytes of a file."""
        return len(self._content(name))

    def remove(self, name: str) -> None:
        """Deletes a file, if there is one."""
        check_name(name, self.url)
        with self._guard:
            self._files.pop(name, None)

    def free_bytes(self) -> int | None:
        """None: nobody can tell."""
        return None

    def local_path(self, name: str) -> Path | None:  # noqa: ARG002 - the protocol's signature
        """None: there are no files."""
        return None

    def clean(self) -> None:
        """Does nothing: what is not finished is nowhere but in its writer."""

    def close(self) -> None:
        """Does nothing: the files stay for as long as somebody holds the folder."""

    def _content(self, name: str) -> bytes:
        check_name(name, self.url)
        with self._guard:
            if name not in self._files:
                raise ObjectNotFound(url=self.url, object=name)
            return self._files[name][0]


class _MemoryWriter:
    """A file on its way into the dictionary."""

    def __init__(self, folder: MemoryFolder, name: str) -> None:
        self._folder = folder
        self._name = name
        self._content = io.BytesIO()

    def write(self, block: Buffer, /) -> object:
        """Takes more bytes."""
        return self._content.write(block)

    def reread(self) -> ContentReader:
        """Reads what was written."""
        return io.BytesIO(self._content.getvalue())

    def commit(self) -> None:
        """Makes the file visible. Raises `ObjectExists`."""
        self._folder.add(self._name, self._content.getvalue())

    def abort(self) -> None:
        """Forgets the file."""
        self._content = io.BytesIO()
