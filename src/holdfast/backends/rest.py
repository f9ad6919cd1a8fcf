"""A server that speaks restic's REST protocol: rest-server, rclone, or our own.

Source: format.md, section 18.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from holdfast.backends import naming, urls
from holdfast.backends.options import BackendOptions
from holdfast.backends.rest_http import RestClient
from holdfast.errors import AccessDenied, BackendError, ObjectExists, ObjectNotFound, ShortRead
from holdfast.protocols import FileKind, Handle, Payload, StoredObject

T = TypeVar("T")

_MOST_OBJECT_BYTES = 4 << 30
_MOST_LISTING_BYTES = 1 << 30


class _Entry(msgspec.Struct, gc=False):
    name: str
    size: int


class RestBackend:
    """Keeps objects on a REST server.

    Args:
        url: where this is, for people.
        client: sends the requests.
        connections: how many requests at once are useful.
    """

    saves_are_atomic = False

    def __init__(self, url: str, client: RestClient, *, connections: int = 5) -> None:
        self._url = url
        self._client = client
        self._connections = connections

    @classmethod
    def from_url(cls, url: str, options: BackendOptions) -> RestBackend:
        """Opens `rest:http://user:password@host:port/path/`, with `https` or `http+unix` as well.

        Name and password may come from `RESTIC_REST_USERNAME` and `RESTIC_REST_PASSWORD` instead. Settings:
        `rest.ca-file` (or `cacert`), `rest.client-certificate` (or `tls-client-cert`), `insecure-tls`.
        """
        location = urls.rest_location(url)
        if not location.username and not location.password:
            username = options.setting("rest.username", "HOLDFAST_REST_USERNAME", "RESTIC_REST_USERNAME")
            password = options.setting("rest.password", "HOLDFAST_REST_PASSWORD", "RESTIC_REST_PASSWORD")
            location = location._replace(username=username, password=password)
        connections = options.connections or 5
        shown = urls.without_secrets(url)
        client = RestClient(
            shown,
            location,
            connections=connections,
            ca_file=options.setting("rest.ca-file") or options.ca_file,
            client_certificate=options.setting("rest.client-certificate") or options.client_certificate,
            insecure_tls=options.insecure_tls,
        )
        return cls(shown, client, connections=connections)

    @property
    def url(self) -> str:
        """Where this is, without the password."""
        return self._url

    @property
    def connections(self) -> int:
        """How many requests at once are useful."""
        return self._connections

    def create(self) -> None:
        """Asks the server to make the repository's folders."""
        self._client.post("?create=true", "the repository folder")

    def save(self, handle: Handle, data: Payload) -> None:
        """Stores an object.

        Raises:
            ObjectExists: the config is already there, or other bytes are stored under the name.
            OutOfSpace: the server is full.
        """
        path = self._path(handle)
        if handle.kind is FileKind.CONFIG and self._is_there(handle):
            raise ObjectExists(url=self.url, object=str(handle))
        size_bytes = sum(memoryview(buffer).nbytes for buffer in data)
        try:
            self._client.post(path, handle, data, size_bytes)
        except AccessDenied as denial:
            # A server that only lets add says the same for "not allowed" and "there already".
            if not self._is_there(handle):
                raise
            if handle.kind is FileKind.CONFIG or not self._holds(handle, data):
                raise ObjectExists(url=self.url, object=str(handle)) from denial

    def load(self, handle: Handle, offset: int = 0, length: int | None = None) -> bytes:
        """Reads an object or a range of it. Raises `ObjectNotFound`, `ShortRead`."""
        naming.check_range(handle, offset, length, self.url)
        path = self._path(handle)
        if length == 0 or (length is None and offset):
            # The protocol has no empty range, and does not tell the end of an object from what lies beyond.
            end = self.size(handle)
            if offset > end:
                raise ShortRead(
                    url=self.url, object=str(handle), got=0, wanted=length if length is not None else "some"
                )
            if length == 0 or offset == end:
                return b""
            length = end - offset
        content = self._client.get(path, handle, offset=offset, length=length, most=_MOST_OBJECT_BYTES)
        if length is not None and len(content) != length:
            raise ShortRead(url=self.url, object=str(handle), got=len(content), wanted=length)
        return content

    def size(self, handle: Handle) -> int:
        """Bytes of a stored object. Raises `ObjectNotFound`."""
        return self._client.head(self._path(handle), handle)

    def list(self, kind: FileKind) -> Iterator[StoredObject]:
        """Objects of a kind. An old server tells names only; their sizes are asked for one by one."""
        if kind is FileKind.CONFIG:
            return
        try:
            body, with_sizes = self._client.listing(f"{kind.value}/", kind.value, _MOST_LISTING_BYTES)
        except ObjectNotFound:
            return
        if with_sizes:
            for entry in self._decoded(_ENTRIES, body, kind):
                if naming.is_object_name(entry.name):
                    yield StoredObject(entry.name, entry.size)
            return
        for name in self._decoded(_NAMES, body, kind):
            if naming.is_object_name(name):
                try:
                    yield StoredObject(name, self.size(Handle(kind, name)))
                except ObjectNotFound:
                    continue  # removed since the listing

    def remove(self, handle: Handle) -> None:
        """Deletes an object. Some servers do not tell whether there was one."""
        # SAFETY: the caller decided on this one object.
        self._client.delete(self._path(handle), handle)

    def local_path(self, handle: Handle) -> Path | None:  # noqa: ARG002 - the protocol's signature
        """None: there are no files."""
        return None

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def _path(self, handle: Handle) -> str:
        """COMPAT(restic): the protocol has packs flat below `data/`, whatever the server does with them."""
        naming.relative_path(handle, self.url)
        return f"{handle.kind.value}/{handle.name}" if handle.name else handle.kind.value

    def _is_there(self, handle: Handle) -> bool:
        try:
            self.size(handle)
        except ObjectNotFound:
            return False
        return True

    def _holds(self, handle: Handle, data: Payload) -> bool:
        """Whether the server has exactly these bytes, as after a save whose answer was lost."""
        wanted = hashlib.sha256()
        for buffer in data:
            wanted.update(buffer)
        return hashlib.sha256(self.load(handle)).digest() == wanted.digest()

    def _decoded(self, decoder: msgspec.json.Decoder[T], body: bytes, kind: FileKind) -> T:
        try:
            return decoder.decode(body)
        except msgspec.DecodeError as error:
            raise BackendError(url=self.url, object=kind.value, reason="the listing cannot be read") from error


_ENTRIES = msgspec.json.Decoder(list[_Entry])
_NAMES = msgspec.json.Decoder(list[str])
