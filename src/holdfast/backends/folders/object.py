"""An archive's files as objects of a bucket, through obstore."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError

from holdfast.backends.folders.names import check_name
from holdfast.backends.object_store_errors import NOT_CONDITIONAL, NOT_PARTIAL, failure_of
from holdfast.errors import BackendError, ObjectExists, ObjectNotFound
from holdfast.model.buffer import Buffer
from holdfast.protocols.content import ContentReader
from holdfast.protocols.folder import FolderFile, FolderWriter

if TYPE_CHECKING:
    from obstore import BytesStream, GetResult, WritableFile
    from obstore.store import AzureStore, GCSStore, S3Store

    Store = S3Store | GCSStore | AzureStore

PART_BYTES = 16 * 1024 * 1024
"""Parts of an upload. 10,000 of them are the most that S3 takes: files of up to 156 GiB."""
_PARTS_AT_ONCE = 2
_READ_BYTES = 1024 * 1024
_ERRORS = (BaseError, OSError, ValueError)


class ObjectFolder:
    """Keeps every file under its name below a prefix.

    Args:
        url: where this is, for people.
        reader: the store with time limits fit for answers that should start soon.
        writer: the same store with time limits fit for bodies that take long to send.
    """

    def __init__(self, url: str, reader: Store, writer: Store) -> None:
        self._url = url
        self._reader = reader
        self._writer = writer

    @property
    def url(self) -> str:
        """Where this is."""
        return self._url

    def create(self) -> None:
        """Does nothing: a bucket has no folders, and making the bucket itself is its owner's decision."""

    def write(self, name: str) -> FolderWriter:
        """Begins a file; nothing is sent before the first part is full."""
        return _ObjectWriter(self, self._writer, check_name(name, self.url))

    def replace(self, name: str, content: bytes) -> None:
        """Writes a small object over one that may be there."""
        check_name(name, self.url)
        try:
            self._writer.put(name, content, use_multipart=False)
        except _ERRORS as error:
            raise self.failure(error, name, writing=True) from None

    def read(self, name: str, offset: int = 0) -> ContentReader:
        """Opens an object. Raises `ObjectNotFound`."""
        check_name(name, self.url)
        skip = 0
        try:
            try:
                result = self._get(name, offset)
            except BaseError as error:
                if NOT_PARTIAL not in str(error):
                    raise
                # This server sends the whole object whatever range is asked for.
                result, skip = self._get(name, 0), offset
        except _ERRORS as error:
            if offset and failure_of(error).status == 416:
                return io.BytesIO()  # the offset is the end
            raise self.failure(error, name) from None
        reader = _ObjectReader(self, name, result.stream(min_chunk_size=_READ_BYTES))
        while skip and (block := reader.read(min(skip, _READ_BYTES))):
            skip -= len(block)
        return reader

    def list(self, prefix: str = "") -> Iterator[FolderFile]:
        """Objects whose name begins with a prefix."""
        start = prefix.rpartition("/")[0]
        try:
            # The stub's other overload names a type of a library that is not installed.
            for chunk in self._reader.list(start or None, chunk_size=1000):  # pyright: ignore[reportUnknownMemberType]
                for entry in chunk:
                    if entry["path"].startswith(prefix):
                        yield FolderFile(entry["path"], entry["size"], entry["last_modified"])
        except _ERRORS as error:
            raise self.failure(error, start or "the folder", writing=True) from None

    def size(self, name: str) -> int:
        """Bytes of an object. Raises `ObjectNotFound`."""
        check_name(name, self.url)
        try:
            return self._reader.head(name)["size"]
        except _ERRORS as error:
            raise self.failure(error, name) from None

    def remove(self, name: str) -> None:
        """Deletes an object; nothing happens if there is none."""
        check_name(name, self.url)
        try:
            # SAFETY: the caller decided on this one object; the name was checked above.
            self._writer.delete(name)
        except FileNotFoundError:
            return
        except _ERRORS as error:
            raise self.failure(error, name, writing=True) from None

    def free_bytes(self) -> int | None:
        """None: a bucket takes what its owner pays for."""
        return None

    def local_path(self, name: str) -> Path | None:  # noqa: ARG002 - the protocol's signature
        """None: there are no files."""
        return None

    def clean(self) -> None:
        """Does nothing: an upload that was not completed is no object; a lifecycle rule of the bucket removes it."""

    def close(self) -> None:
        """Does nothing: connections end with the object."""

    def failure(self, error: Exception, what: str, *, writing: bool = False) -> BackendError:
        """The error of ours that says the same as one of obstore."""
        return failure_of(error).as_error(self.url, what, writing=writing)

    def _get(self, name: str, offset: int) -> GetResult:
        return self._reader.get(name, options={"range": {"offset": offset}}) if offset else self._reader.get(name)


class _ObjectWriter:
    """An object on its way: in memory up to one part, then as an upload in parts."""

    def __init__(self, folder: ObjectFolder, store: Store, name: str) -> None:
        self._folder = folder
        self._store = store
        self._name = name
        self._pending = bytearray()
        self._upload: WritableFile | None = None

    def write(self, block: Buffer, /) -> object:
        """Takes more bytes."""
        if self._upload is None and len(self._pending) + memoryview(block).nbytes <= PART_BYTES:
            self._pending += block
            return None
        try:
            if self._upload is None:
                self._upload = obstore.open_writer(
                    self._store, self._name, buffer_size=PART_BYTES, max_concurrency=_PARTS_AT_ONCE
                )
                self._upload.write(bytes(self._pending))
                self._pending = bytearray()
            self._upload.write(bytes(block))
        except _ERRORS as error:
            self.abort()
            raise self._folder.failure(error, self._name, writing=True) from None
        return None

    def commit(self) -> None:
        """Makes the object visible. Raises `ObjectExists`.

        Not every store can refuse to replace, and none can for an upload in parts: it is asked for beforehand too.
        """
        try:
            self._folder.size(self._name)
        except ObjectNotFound:
            pass
        else:
            self.abort()
            raise ObjectExists(url=self._folder.url, object=self._name)
        upload, self._upload = self._upload, None
        if upload is None:
            self._put(bytes(self._pending))
            return
        try:
            upload.close()
        except _ERRORS as error:
            raise self._folder.failure(error, self._name, writing=True) from None

    def abort(self) -> None:
        """Takes back the upload, so that nobody pays for parts of nothing."""
        self._pending = bytearray()
        upload, self._upload = self._upload, None
        if upload is not None:
            reason = InterruptedError("the file was given up")
            with contextlib.suppress(*_ERRORS):
                # Leaving the block by an error is what makes the library abort instead of complete.
                upload.__exit__(InterruptedError, reason, None)  # pyright: ignore[reportUnknownMemberType]

    def _put(self, content: bytes) -> None:
        try:
            self._store.put(self._name, content, mode="create", use_multipart=False)
        except AlreadyExistsError:
            raise ObjectExists(url=self._folder.url, object=self._name) from None
        except _ERRORS as error:
            if failure_of(error).status not in NOT_CONDITIONAL:
                raise self._folder.failure(error, self._name, writing=True) from None
            self._folder.replace(self._name, content)


class _ObjectReader:
    """The body of an answer, as it arrives."""

    def __init__(self, folder: ObjectFolder, name: str, stream: BytesStream) -> None:
        self._folder = folder
        self._name = name
        self._stream: Iterator[bytes] | None = iter(stream)
        self._rest = memoryview(b"")

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; all that is left for a negative size."""
        if size < 0:
            parts: list[bytes] = []
            while part := self.read(_READ_BYTES):
                parts.append(part)
            return b"".join(parts)
        while not self._rest.nbytes and self._stream is not None:
            try:
                block = next(self._stream, None)
            except _ERRORS as error:
                raise self._folder.failure(error, self._name) from None
            if block is None:
                self._stream = None
            else:
                self._rest = memoryview(block)
        part, self._rest = bytes(self._rest[:size]), self._rest[size:]
        return part

    def close(self) -> None:
        """Drops the rest of the answer."""
        self._stream = None
        self._rest = memoryview(b"")
