"""An open repository: unpacked documents, sealed and verified, over a backend."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from holdfast.errors import FormatError, HashMismatch, Phrase, SealVerificationFailed
from holdfast.format import envelope
from holdfast.format.seal import Sealer
from holdfast.model.ids import is_hex_id
from holdfast.model.key import MasterKey
from holdfast.model.repository_config import RepositoryConfig
from holdfast.protocols import Backend, FileKind, Handle
from holdfast.runtime.clock import Clock, SystemClock


class Repository:
    """A repository whose master key is known.

    Safe to use from several threads. Holds no index: operations that need one make an
    `holdfast.repository.index.Index` of it.

    Attributes:
        backend: where the files are.
        config: version, identity and chunker polynomial.
        master: the key that seals everything but the key files.
        key_id: the key file that opened the repository, 32 bytes.
        cache_dir: the folder for derived data about this repository, or None for none.
        clock: where times come from.
    """

    def __init__(
        self,
        backend: Backend,
        config: RepositoryConfig,
        master: MasterKey,
        *,
        key_id: bytes,
        cache_dir: Path | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.backend = backend
        self.config = config
        self.master = master
        self.key_id = key_id
        self.cache_dir = cache_dir
        self.clock = clock or SystemClock()
        self._sealers = threading.local()

    @property
    def url(self) -> str:
        """Where the repository is, for people."""
        return self.backend.url

    def sealer(self) -> Sealer:
        """The calling thread's own sealer (sealers keep cipher state and must not be shared)."""
        sealer: Sealer | None = getattr(self._sealers, "sealer", None)
        if sealer is None:
            sealer = self._sealers.sealer = Sealer(self.master)
        return sealer

    def load_unpacked(self, kind: FileKind, name: bytes) -> bytes:
        """Reads an index, snapshot or lock document and proves it is the one named.

        Returns:
            The JSON text.

        Raises:
            ObjectNotFound: there is no such file.
            HashMismatch: the stored bytes do not hash to their name, twice in a row.
            MacMismatch, FormatError: the stored bytes are not a document of this repository.
        """
        handle = Handle(kind, name.hex())
        stored = self.backend.load(handle)
        if sha256(stored).digest() != name:
            # One more attempt: a broken cache or connection must not look like a broken repository.
            stored = _load_uncached(self.backend, handle)
            actual = sha256(stored).digest()
            if actual != name:
                raise HashMismatch(object=handle, actual=actual.hex())
        return envelope.unwrap(bytes(self.sealer().open(stored, handle)), self.config.version)

    def save_unpacked(self, kind: FileKind, document: bytes) -> bytes:
        """Seals a JSON document, proves that it opens again, and stores it durably.

        Returns:
            The new file's name, 32 bytes.

        Raises:
            SealVerificationFailed: the sealed bytes do not open to `document`; nothing was stored.
        """
        sealer = self.sealer()
        stored = bytes(sealer.seal(envelope.wrap(document, self.config.version), os.urandom(16)))
        again = envelope.unwrap(bytes(sealer.open(stored, kind.value)), self.config.version)
        if again != document:
            raise SealVerificationFailed(object=f"{kind.value} document")
        name = sha256(stored).digest()
        self.backend.save(Handle(kind, name.hex()), [stored])
        return name

    def remove(self, kind: FileKind, name: bytes) -> None:
        """Deletes one file. SAFETY: callers hold the lock their operation needs."""
        self.backend.remove(Handle(kind, name.hex()))

    def names(self, kind: FileKind) -> Iterator[bytes]:
        """Names of all files of a kind as 32 raw bytes, in the backend's order."""
        for entry in self.backend.list(kind):
            if is_hex_id(entry.name):
                yield bytes.fromhex(entry.name)

    def require_version(self, version: int, feature: str) -> None:
        """Raises `FormatError` unless the repository has at least this format version."""
        if self.config.version < version:
            raise FormatError(
                object=self.url,
                reason=Phrase("{feature} needs repository version {version}", {"feature": feature, "version": version}),
            )

    def close(self) -> None:
        """Gives the backend's connections back."""
        self.backend.close()


def _load_uncached(backend: Backend, handle: Handle) -> bytes:
    """Loads past a cache, if the backend has one."""
    bypass = getattr(backend, "load_uncached", None)
    stored: bytes = bypass(handle) if bypass is not None else backend.load(handle)
    return stored
