"""Repositories made by hand with the real key: blob by blob, or with whatever a faulty writer might have stored."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from hashlib import sha256

from holdfast.backends.memory import MemoryBackend
from holdfast.format import pack as pack_format
from holdfast.format.index import encode_index
from holdfast.format.node import encode_node
from holdfast.format.tree import encode_tree
from holdfast.model.blob import BlobType, PackedBlob
from holdfast.model.ids import BlobId, IndexId, PackId
from holdfast.model.instant import Instant
from holdfast.model.node import Node, NodeType
from holdfast.model.pack import Pack
from holdfast.model.snapshot import Snapshot
from holdfast.protocols import FileKind, Handle
from holdfast.repository.blobs import Compression, seal_blob
from holdfast.repository.check.report import CheckOptions, CheckReport
from holdfast.repository.check.run import check
from holdfast.repository.repository import Repository
from holdfast.repository.snapshots import save_snapshot
from repository_kit import new_repository

FILE_MODE = 0o644
DIR_MODE = 0o755 | 1 << 31


def file_node(name: bytes, content: Sequence[BlobId], size: int, **more: object) -> Node:
    """A regular file."""
    return Node(
        **{"name": name, "type": NodeType.FILE, "mode": FILE_MODE, "size": size, "content": tuple(content), **more}
    )


def dir_node(name: bytes, subtree: bytes, **more: object) -> Node:
    """A directory."""
    return Node(**{"name": name, "type": NodeType.DIR, "mode": DIR_MODE, "subtree": BlobId(subtree), **more})


class Forge:
    """Puts blobs into packs and lists them, in whatever shape is asked for.

    Attributes:
        repository: where everything goes.
        waiting: sealed blobs (type, id, bytes, raw length) of the pack that is being made.
        packs: packs stored and not listed yet.
    """

    def __init__(self, repository: Repository | None = None) -> None:
        self.repository = repository or new_repository(MemoryBackend("forge"))
        self.waiting: list[tuple[BlobType, BlobId, bytes, int]] = []
        self.packs: list[Pack] = []

    def blob(
        self, kind: BlobType, content: bytes, compression: Compression = Compression.AUTO, name: bytes | None = None
    ) -> BlobId:
        """Seals a blob for the next pack; `name` forges its id."""
        blob_id = BlobId(sha256(content).digest() if name is None else name)
        sealed, raw_length = seal_blob(self.repository.sealer(), kind, content, compression)
        self.waiting.append((kind, blob_id, bytes(sealed), raw_length))
        return blob_id

    def data(self, content: bytes, compression: Compression = Compression.AUTO) -> BlobId:
        """A data blob."""
        return self.blob(BlobType.DATA, content, compression)

    def file(self, name: bytes, content: bytes, **more: object) -> Node:
        """A file of one blob (none if it is empty)."""
        return file_node(name, [self.data(content)] if content else [], len(content), **more)

    def tree(self, nodes: Iterable[Node]) -> BlobId:
        """A tree of these nodes in the order given, right or wrong."""
        return self.raw_tree(encode_tree(map(encode_node, nodes)))

    def raw_tree(self, plaintext: bytes) -> BlobId:
        """A tree blob with any content."""
        return self.blob(BlobType.TREE, plaintext)

    def pack(self, *, mixed: bool = False) -> list[Pack]:
        """Stores the waiting blobs, one pack for each type."""
        kinds = [set(BlobType)] if mixed else [{BlobType.DATA}, {BlobType.TREE}]
        made = [self._pack([blob for blob in self.waiting if blob[0] in kind]) for kind in kinds]
        self.waiting = []
        found = [pack for pack in made if pack is not None]
        self.packs += found
        return found

    def _pack(self, blobs: Sequence[tuple[BlobType, BlobId, bytes, int]]) -> Pack | None:
        if not blobs:
            return None
        offset = 0
        entries: list[PackedBlob] = []
        for kind, blob_id, sealed, raw_length in blobs:
            entries.append(PackedBlob(kind, blob_id, offset, len(sealed), raw_length))
            offset += len(sealed)
        header = bytes(self.repository.sealer().seal(pack_format.encode_header(entries), os.urandom(16)))
        content = b"".join(blob[2] for blob in blobs) + header + pack_format.encode_header_length(len(header))
        pack_id = PackId(sha256(content).digest())
        self.repository.backend.save(Handle(FileKind.PACK, pack_id.hex()), [content])
        return Pack(pack_id, tuple(entries))

    def index(self, packs: Sequence[Pack] | None = None) -> IndexId:
        """Lists packs: those given, or all that are not listed yet."""
        if packs is None:
            packs, self.packs = self.packs, []
        return IndexId(self.repository.save_unpacked(FileKind.INDEX, encode_index(packs)))

    def snapshot(self, tree: bytes, *, second: int = 0, **more: object) -> Snapshot:
        """A snapshot; `second` tells several of them apart."""
        draft = {"time": Instant(ns=(1_700_000_000 + second) * 10**9), "tree": BlobId(tree), "paths": ("/source",)}
        return save_snapshot(self.repository, Snapshot(**{**draft, **more}))

    def finish(self, tree: bytes, **more: object) -> Snapshot:
        """Packs, lists, and makes a snapshot."""
        self.pack()
        self.index()
        return self.snapshot(tree, **more)


def sample(forge: Forge) -> Snapshot:
    """A small snapshot: two files (one of two blobs), a directory, a link."""
    first, second = b"first piece " * 40, b"second piece " * 50
    inner = forge.tree([forge.file(b"inner.txt", b"in a directory\n")])
    both = file_node(b"both.txt", [forge.data(first), forge.data(second)], len(first) + len(second))
    link = Node(name=b"link", type=NodeType.SYMLINK, mode=0o777 | 1 << 27, linktarget=b"a.txt", links=1)
    root = forge.tree([forge.file(b"a.txt", b"content of a\n"), both, dir_node(b"dir", inner), link])
    return forge.finish(root)


def check_all(repository: Repository) -> CheckReport:
    """A check that reads everything."""
    return check(repository, None, CheckOptions(read_data=True))


def check_plain(repository: Repository) -> CheckReport:
    """A check that reads no packs of data."""
    return check(repository, None, CheckOptions())


def codes(report: CheckReport) -> set[str]:
    """The kinds of errors a check found."""
    return {finding.code for finding in report.errors}


def stored(repository: Repository, kind: FileKind) -> dict[Handle, bytes]:
    """Every stored file of a kind with its content."""
    backend = repository.backend
    handles = [Handle(kind, entry.name) for entry in backend.list(kind)]
    return {handle: backend.load(handle) for handle in handles}


def overwrite(repository: Repository, handle: Handle, content: bytes) -> None:
    """Puts other bytes in place of a stored file, as decay or a stranger does."""
    backend = repository.backend
    backend.remove(handle)
    backend.save(handle, [content])
