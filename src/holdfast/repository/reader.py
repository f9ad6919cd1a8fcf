"""Reading single blobs and trees through the index, from any good copy."""

from __future__ import annotations

from holdfast.errors import BlobNotFound, DamageError, FormatError, ObjectNotFound, Phrase, ShortRead
from holdfast.format.tree import decode_tree
from holdfast.model.blob import BlobLocation, BlobType
from holdfast.model.buffer import Buffer
from holdfast.model.node import Node
from holdfast.protocols import FileKind, Handle
from holdfast.repository.blobs import open_blob
from holdfast.repository.index import Index
from holdfast.repository.repository import Repository

MAX_BLOB_BYTES = 1 << 30
"""Largest plaintext read into memory at once; writers stay far below."""


class Reader:
    """Reads blobs one at a time. Safe to use from several threads."""

    def __init__(self, repository: Repository, index: Index) -> None:
        self.repository = repository
        self.index = index

    def load_blob(self, kind: BlobType, blob_id: bytes) -> Buffer:
        """The plaintext of a blob, proved by its hash.

        Raises:
            BlobNotFound: no index lists it.
            DamageError: every copy is damaged or missing; the error of the last one tried.
        """
        what = f"{kind.label} blob {blob_id.hex()[:12]}"
        location = self.index.lookup(kind, blob_id)
        if location is None:
            raise BlobNotFound(object=what)
        try:
            return self.load_at(location, blob_id, what)
        except (DamageError, ObjectNotFound, ShortRead) as error:
            return self._load_another(kind, blob_id, location, what, error)

    def _load_another(self, kind: BlobType, blob_id: bytes, tried: BlobLocation, what: str, error: Exception) -> Buffer:
        """Tries the first place once more past any cache, then every other copy."""
        places = [tried, *(place for place in self.index.lookup_all(kind, blob_id) if place != tried)]
        for place in places:
            try:
                return self.load_at(place, blob_id, what, uncached=True)
            except (DamageError, ObjectNotFound, ShortRead) as another:
                error = another
        if isinstance(error, DamageError):
            raise error
        raise FormatError(object=what, reason=str(error)) from error

    def load_at(self, place: BlobLocation, blob_id: bytes, what: str, *, uncached: bool = False) -> Buffer:
        """The plaintext of one particular copy."""
        if place.plain_length > MAX_BLOB_BYTES:
            raise FormatError(
                object=what,
                reason=Phrase(
                    "{plain_length} bytes are more than a blob may have", {"plain_length": place.plain_length}
                ),
            )
        backend = self.repository.backend
        load = getattr(backend, "load_uncached", backend.load) if uncached else backend.load
        sealed = load(Handle(FileKind.PACK, place.pack.hex()), place.offset, place.length)
        return open_blob(self.repository.sealer(), sealed, 0, place.length, place.raw_length, blob_id, what)

    def load_tree(self, tree_id: bytes) -> tuple[Node, ...]:
        """The entries of a directory, in stored order."""
        return decode_tree(bytes(self.load_blob(BlobType.TREE, tree_id)))
