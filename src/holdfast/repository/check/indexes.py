"""The index files: each loads, all agree, and the packs they list are there in the right size."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Self

import msgspec

from holdfast.errors import FormatError, HoldfastError, Phrase
from holdfast.format.index import decode_index
from holdfast.format.seal import OVERHEAD
from holdfast.model.blob import BlobType
from holdfast.model.ids import IndexId, PackId
from holdfast.model.pack import Pack
from holdfast.protocols import FileKind, Handle
from holdfast.repository.check.documents import fetch
from holdfast.repository.check.findings import Findings, blob_key
from holdfast.repository.check.pack_check import reason_of
from holdfast.repository.index import Index
from holdfast.repository.pack_header import facts
from holdfast.repository.repository import Repository

_SMALL_INDEX_BYTES = 8 << 20
"""Index files of this size altogether list some 170,000 blobs."""

_LENGTHS_MAX = 400_000


class IndexedPack(msgspec.Struct, gc=False):
    """What the index says of a pack.

    Attributes:
        size: bytes of the whole pack; 0 if its blobs cannot follow each other.
        header: digest of the header that such a pack has; empty if there can be none.
    """

    size: int
    header: bytes


class IndexContent:
    """All index files of a repository, loaded past every cache. Use as a context manager.

    Of a small index, only trees are put into a database, and of data blobs no more is kept than how long they are:
    that is all that a check of a whole repository asks for. `everything` reads the index files once more.

    Attributes:
        trees: for looking up trees.
        packs: what is known of each pack.
        loaded: whether every index file could be read.
    """

    def __init__(self, repository: Repository, findings: Findings) -> None:
        self.trees = Index(repository, private=True)
        self.packs: dict[PackId, IndexedPack] = {}
        self.loaded = True
        self._everything: Index | None = None
        self._repository = repository
        self._findings = findings
        self._lengths: dict[bytes, int] | None = {}

    def load(self) -> None:
        """Reads every index file."""
        listed = self._repository.backend.list(FileKind.INDEX)
        if sum(entry.size_bytes for entry in listed) > _SMALL_INDEX_BYTES:
            self._everything, self._lengths = self.trees, None
        for name, packs in self._read():
            if isinstance(packs, HoldfastError):
                self.loaded = False
                self._findings.error("index-damaged", f"index/{name.hex()}", packs)
                continue
            whole = self.trees is self._everything
            self.trees.add(IndexId(name), packs if whole else _trees_in(packs))
            for pack in packs:
                self._add(name, pack)

    def _read(self) -> Iterator[tuple[bytes, list[Pack] | HoldfastError]]:
        def decode(name: bytes) -> list[Pack]:
            handle = Handle(FileKind.INDEX, name.hex())
            return decode_index(self._repository.load_unpacked(FileKind.INDEX, name), handle)

        return fetch(self._repository.backend, list(self._repository.names(FileKind.INDEX)), decode)

    def everything(self) -> Index:
        """All blobs, for looking into damage."""
        if self._everything is None:
            self._everything = Index(self._repository, private=True)
            for name, packs in self._read():
                # What cannot be read has been reported.
                if not isinstance(packs, HoldfastError):
                    self._everything.add(IndexId(name), packs)
        return self._everything

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.trees.close()
        if self._everything is not None and self._everything is not self.trees:
            self._everything.close()

    def _add(self, name: bytes, pack: Pack) -> None:
        try:
            size, header = facts(pack)
        except FormatError as error:
            self._findings.pack_error(
                "index-impossible",
                pack.id,
                Phrase("index/{name} lists it wrongly: {reason}", {"name": name.hex(), "reason": reason_of(error)}),
            )
            entry = IndexedPack(0, b"")
        else:
            entry = IndexedPack(size, sha256(header).digest())
        known = self.packs.setdefault(pack.id, entry)
        if known is not entry:
            self._compare(name, pack.id, known, entry)
        elif len({blob.type for blob in pack.blobs}) > 1:
            self._findings.hint("pack-mixed", f"data/{pack.id.hex()}", "it holds both trees and data")
        self._note_lengths(pack)

    def _compare(self, name: bytes, pack_id: PackId, known: IndexedPack, entry: IndexedPack) -> None:
        if known == entry and entry.header:
            self._findings.hint("pack-listed-twice", f"data/{pack_id.hex()}", "several index files list it")
        else:
            self._findings.pack_error(
                "index-split",
                pack_id,
                Phrase("index/{name} lists other blobs in it than another index file", {"name": name.hex()}),
            )

    def _note_lengths(self, pack: Pack) -> None:
        lengths = self._lengths
        if lengths is None:
            return
        for blob in pack.blobs:
            if not blob.type:
                lengths[blob.id] = blob.raw_length or blob.length - OVERHEAD
        if len(lengths) > _LENGTHS_MAX:
            self._lengths = None

    def data_length(self, blob_id: bytes) -> int | None:
        """Plaintext bytes of a data blob; None if no index file lists it."""
        if self._lengths is not None:
            return self._lengths.get(blob_id)
        place = self.everything().lookup(BlobType.DATA, blob_id)
        return None if place is None else place.plain_length

    def compare_with_listing(self, listed: dict[PackId, int], *, note_extra: bool) -> list[PackId]:
        """Holds the index to what is stored.

        Args:
            listed: size of each stored pack.
            note_extra: mention packs that no index file lists.

        Returns:
            Packs that are there in another size than they should be, to be read.
        """
        wrong: list[PackId] = []
        for pack_id, entry in self.packs.items():
            size = listed.get(pack_id)
            if size is None:
                self._findings.pack_error(
                    "pack-missing", pack_id, "the index lists it and it is not there", self.keys_in(pack_id)
                )
            elif entry.size and size != entry.size:
                wrong.append(pack_id)
        if note_extra:
            for pack_id in listed.keys() - self.packs.keys():
                self._findings.note("pack-unreferenced", f"data/{pack_id.hex()}", "no index file lists it")
        return wrong

    def keys_in(self, pack_id: PackId) -> list[bytes]:
        """Keys of all blobs that the index has in a pack."""
        pack = self.everything().pack(pack_id)
        return [] if pack is None else [blob_key(blob.type, blob.id) for blob in pack.blobs]


def _trees_in(packs: list[Pack]) -> list[Pack]:
    """The packs that hold trees, without anything else in them."""
    trees = [Pack(pack.id, tuple([blob for blob in pack.blobs if blob.type])) for pack in packs]
    return [pack for pack in trees if pack.blobs]
