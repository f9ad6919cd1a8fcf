"""Buckets of S3, Google and Azure, through obstore."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from obstore.exceptions import AlreadyExistsError, BaseError

from holdfast.backends import naming, urls
from holdfast.backends.object_store_errors import NOT_CONDITIONAL, NOT_PARTIAL, failure_of
from holdfast.backends.options import BackendOptions
from holdfast.errors import BackendError, ObjectExists, ObjectNotFound, Phrase, ShortRead, UsageError
from holdfast.model.event import Warned
from holdfast.protocols import FileKind, Handle, Payload, StoredObject

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import AzureStore, ClientConfig, GCSStore, RetryConfig, S3Store

    Store = S3Store | GCSStore | AzureStore

# Requests are repeated by our own wrapper and by nobody below it.
NO_RETRY: RetryConfig = {"max_retries": 0}
_SINGLE_PUT_BYTES = 200 * 1024 * 1024
_PART_BYTES = 64 * 1024 * 1024
_LIST_CHUNK = 1000
_ERRORS = (BaseError, OSError, ValueError)


class ObjectStoreBackend:
    """Keeps every object under a key of restic's layout below a prefix.

    Args:
        url: where this is, for people.
        reader: the store with time limits fit for answers that should start soon.
        writer: the same store with time limits fit for bodies that take long to send.
        connections: how many requests at once are useful.
        storage_class: asked for new packs, and for nothing else; empty is the bucket's default.
    """

    saves_are_atomic = True

    def __init__(
        self, url: str, reader: Store, writer: Store, *, connections: int = 5, storage_class: str = ""
    ) -> None:
        self._url = url
        self._reader = reader
        self._writer = writer
        self._connections = connections
        self._storage_class = storage_class
        self._ranges_work = True

    @property
    def url(self) -> str:
        """Where this is."""
        return self._url

    @property
    def connections(self) -> int:
        """How many requests at once are useful."""
        return self._connections

    def create(self) -> None:
        """Does nothing: a bucket has no folders, and making the bucket itself is its owner's decision."""

    def save(self, handle: Handle, data: Payload) -> None:
        """Stores an object with one request, or in parts above 200 MiB.

        Raises:
            ObjectExists: the config is already there.
        """
        path = naming.relative_path(handle, self.url)
        if handle.kind is FileKind.CONFIG:
            self._save_once(handle, path, b"".join(data))
            return
        size_bytes = sum(memoryview(buffer).nbytes for buffer in data)
        in_parts = size_bytes > _SINGLE_PUT_BYTES
        attributes: dict[str, str] = {}
        if self._storage_class and handle.kind is FileKind.PACK:
            # COMPAT(restic): only packs may go to a cheaper class; everything else is read by every command.
            attributes["Storage-Class"] = self._storage_class
        try:
            self._writer.put(
                path,
                list(data) or b"",
                attributes=attributes or None,
                use_multipart=in_parts,
                chunk_size=_PART_BYTES,
                max_concurrency=2,
            )
        except _ERRORS as error:
            raise self._failure(error, handle, writing=True) from None

    def load(self, handle: Handle, offset: int = 0, length: int | None = None) -> bytes:
        """Reads an object or a range of it. Raises `ObjectNotFound`, `ShortRead`."""
        naming.check_range(handle, offset, length, self.url)
        path = naming.relative_path(handle, self.url)
        try:
            content = self._fetch(path, offset, length)
        except _ERRORS as error:
            failure = failure_of(error)
            if failure.status != 416:
                raise self._failure(error, handle) from None
            content = b""
        if length is None and offset == 0:
            return content
        if (length is not None and len(content) != length) or not content:
            self._accept_empty(handle, offset, length, len(content))
        return content

    def size(self, handle: Handle) -> int:
        """Bytes of a stored object. Raises `ObjectNotFound`."""
        path = naming.relative_path(handle, self.url)
        try:
            return self._reader.head(path)["size"]
        except _ERRORS as error:
            raise self._failure(error, handle) from None

    def list(self, kind: FileKind) -> Iterator[StoredObject]:
        """Objects of a kind."""
        if kind is FileKind.CONFIG:
            return
        try:
            # The stub's other overload names a type of a library that is not installed.
            for chunk in self._reader.list(kind.value, chunk_size=_LIST_CHUNK):  # pyright: ignore[reportUnknownMemberType]
                for entry in chunk:
                    name = entry["path"].rpartition("/")[2]
                    if naming.is_object_name(name) and self._lies_at(kind, name, entry["path"]):
                        yield StoredObject(name, entry["size"])
        except _ERRORS as error:
            raise self._failure(error, kind.value, writing=True) from None

    def remove(self, handle: Handle) -> None:
        """Deletes an object. These stores do not tell whether there was one."""
        path = naming.relative_path(handle, self.url)
        try:
            # SAFETY: the caller decided on this one object; the name was checked above.
            self._writer.delete(path)
        except FileNotFoundError:
            raise ObjectNotFound(url=self.url, object=str(handle)) from None
        except _ERRORS as error:
            raise self._failure(error, handle, writing=True) from None

    def local_path(self, handle: Handle) -> Path | None:  # noqa: ARG002 - the protocol's signature
        """None: there are no files."""
        return None

    def close(self) -> None:
        """Does nothing: connections end with the object."""

    def _save_once(self, handle: Handle, path: str, content: bytes) -> None:
        # Some servers ignore the condition and overwrite, so that it must also be asked for beforehand.
        try:
            self.size(handle)
        except ObjectNotFound:
            pass
        else:
            raise ObjectExists(url=self.url, object=str(handle))
        try:
            self._writer.put(path, content, mode="create", use_multipart=False)
        except AlreadyExistsError:
            raise ObjectExists(url=self.url, object=str(handle)) from None
        except _ERRORS as error:
            if failure_of(error).status not in NOT_CONDITIONAL:
                raise self._failure(error, handle, writing=True) from None
            self._save_unconditionally(handle, path, content)

    def _save_unconditionally(self, handle: Handle, path: str, content: bytes) -> None:
        try:
            self._writer.put(path, content, use_multipart=False)
        except _ERRORS as error:
            raise self._failure(error, handle, writing=True) from None

    def _fetch(self, path: str, offset: int, length: int | None) -> bytes:
        if offset == 0 and length is None:
            return bytes(self._reader.get(path).bytes())
        if self._ranges_work:
            try:
                return self._fetch_range(path, offset, length)
            except BaseError as error:
                if NOT_PARTIAL not in str(error):
                    raise
                # This server sends the whole object with status 200 whatever range is asked for.
                self._ranges_work = False
        whole = memoryview(self._reader.get(path).bytes())
        return bytes(whole[offset : None if length is None else offset + length])

    def _fetch_range(self, path: str, offset: int, length: int | None) -> bytes:
        if length == 0:
            return b""
        if length is not None:
            return bytes(self._reader.get_range(path, start=offset, length=length))
        options: GetOptions = {"range": {"offset": offset}}
        return bytes(self._reader.get(path, options=options).bytes())

    def _accept_empty(self, handle: Handle, offset: int, length: int | None, got: int) -> None:
        """Raises unless nothing was asked for and the object reaches that far."""
        if not length and not got and self.size(handle) >= offset:
            return
        wanted = length if length is not None else "some"
        raise ShortRead(url=self.url, object=str(handle), got=got, wanted=wanted)

    def _lies_at(self, kind: FileKind, name: str, path: str) -> bool:
        return path == naming.relative_path(Handle(kind, name), self.url)

    def _failure(self, error: Exception, what: object, *, writing: bool = False) -> BackendError:
        return failure_of(error).as_error(self.url, str(what), writing=writing)


def open_stores(
    make: Callable[[ClientConfig], Store], url: str, options: BackendOptions, *, plain_http: bool = False
) -> tuple[Store, Store]:
    """Opens a store twice: for reading and for writing, which need different time limits.

    Args:
        make: opens it with given limits.
        url: the location, for the error.
        options: which certificates to trust.
        plain_http: whether connections without TLS are meant.

    Raises:
        UsageError: the configuration is not accepted.
    """
    insecure = options.insecure_tls
    _trust(options, url)
    # A limit on silence counts from the start of a request: it would cut off every long upload on a thin line.
    reading: ClientConfig = {
        "connect_timeout": timedelta(seconds=10),
        "read_timeout": timedelta(seconds=60),
        "timeout": timedelta(minutes=15),
        "allow_http": plain_http,
        "allow_invalid_certificates": insecure,
    }
    writing: ClientConfig = {
        "connect_timeout": timedelta(seconds=10),
        "timeout": timedelta(hours=1),
        "allow_http": plain_http,
        "allow_invalid_certificates": insecure,
    }
    try:
        return make(reading), make(writing)
    except _ERRORS as error:
        shown = urls.without_secrets(url)
        raise UsageError(
            detail=Phrase(
                "the location {shown} is not accepted: {kind}", {"shown": shown, "kind": type(error).__name__}
            )
        ) from None


def _trust(options: BackendOptions, url: str) -> None:
    """The library reads the certificates that it trusts from a file that only a variable can name."""
    shown = urls.without_secrets(url)
    if options.ca_file:
        if not os.access(options.ca_file, os.R_OK):
            raise UsageError(
                detail=Phrase(
                    "the certificates for {shown} cannot be read: {ca_file}",
                    {"shown": shown, "ca_file": options.ca_file},
                )
            )
        os.environ["SSL_CERT_FILE"] = options.ca_file
    if options.client_certificate:
        detail = "storage of this kind cannot be shown a client certificate"
        options.listener(Warned(code="option-ignored", subject=shown, detail=detail))
