"""Proving, before a snapshot is written, that everything it will lead to is in the storage."""

from __future__ import annotations

from holdfast.errors import BlobNotFound, DamageError, HoldfastError, Phrase
from holdfast.format.pack import pack_bytes
from holdfast.format.tree import references
from holdfast.model.blob import BlobType
from holdfast.model.ids import BlobId, PackId
from holdfast.protocols import FileKind
from holdfast.repository.reader import Reader
from holdfast.repository.tree_loader import TreeLoader

_BATCH = 256
_LOOKED_UP = 5000


def packs_needed(reader: Reader, root: BlobId) -> set[PackId]:
    """The packs that hold what a tree leads to, one for each blob; reads every tree.

    Memory: some 100 bytes for each tree and pack; nothing for data.

    Raises:
        BlobNotFound: no index file lists some blob.
        DamageError: a tree is not what its name says.
    """
    needed: set[PackId] = set()
    seen: set[bytes] = {root}
    waiting: list[bytes] = [root]
    with TreeLoader(reader) as loader:
        while waiting:
            batch = waiting[-_BATCH:]
            del waiting[-_BATCH:]
            _take(reader, needed, BlobType.TREE, batch)
            for tree_id, loaded in loader.load(batch):
                if isinstance(loaded, HoldfastError):
                    raise loaded
                contents, subtrees = references(loaded, f"tree {tree_id.hex()[:12]}")
                _take(reader, needed, BlobType.DATA, contents)
                fresh = [subtree for subtree in dict.fromkeys(subtrees) if subtree not in seen]
                seen.update(fresh)
                waiting += fresh
    return needed


def _take(reader: Reader, needed: set[PackId], kind: BlobType, blob_ids: list[bytes] | list[BlobId]) -> None:
    # Not all blobs of a large folder at once.
    for first in range(0, len(blob_ids), _LOOKED_UP):
        wanted = set(blob_ids[first : first + _LOOKED_UP])
        places = reader.index.lookup_many(kind, wanted)
        missing = next((blob_id for blob_id in wanted if blob_id not in places), None)
        if missing is not None:
            raise BlobNotFound(object=f"{kind.label} blob {missing.hex()[:12]}")
        needed.update(place.pack for place in places.values())


def ensure_stored(reader: Reader, root: BlobId) -> None:
    """Holds the packs a tree needs to a listing of the storage.

    Args:
        reader: past all caches.

    Raises:
        DamageError: a pack is missing or has another size than the index says; nothing that needs it may be committed.
    """
    needed = packs_needed(reader, root)
    listed = {entry.name: entry.size_bytes for entry in reader.repository.backend.list(FileKind.PACK)}
    for pack_id in needed:
        pack = reader.index.pack(pack_id)
        wanted = pack_bytes(pack.blobs) if pack is not None else 0
        size = listed.get(pack_id.hex())
        if size is None:
            raise DamageError(object=f"data/{pack_id.hex()}", reason="the backup needs it and it is not there")
        if size != wanted:
            raise DamageError(
                object=f"data/{pack_id.hex()}",
                reason=Phrase("it has {size} bytes and should have {wanted}", {"size": size, "wanted": wanted}),
            )
