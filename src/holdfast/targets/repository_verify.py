"""Reading a backup in a repository again: every tree, every blob once, and the digests the manifest gives."""

from __future__ import annotations

import threading
from hashlib import sha256

from holdfast.archive.digest import ContentDigest
from holdfast.errors import DamageError, ObjectNotFound, Phrase, ShortRead
from holdfast.model.backup import StoredBackup
from holdfast.model.blob import BlobType
from holdfast.model.component import Component, Problem
from holdfast.model.event import Listener, Progress
from holdfast.model.ids import BlobId
from holdfast.model.node import Node, NodeType
from holdfast.protocols.content import Entry
from holdfast.repository.reader import Reader
from holdfast.targets.repository_content import RepositoryContent
from holdfast.targets.repository_listing import MANIFEST_NAME
from holdfast.targets.repository_packs import NeededPacks

_PROBLEMS_MAX = 1000
_BLOCK_BYTES = 1 << 20


class Verification:
    """One verification. Blobs of small files are read pack by pack; files of many, for their digest, in their order.

    Args:
        reader: past all caches, its index read from the storage just now.
        listener: is told about progress.
    """

    def __init__(self, reader: Reader, backup: StoredBackup, listener: Listener) -> None:
        self._reader = reader
        self._backup = backup
        self._listener = listener
        self._problems: list[Problem] = []
        self._mutex = threading.Lock()
        self._packs = NeededPacks(reader, self._note, self._progressed)
        self._bytes_done = 0
        self._bytes_total = sum(one.content_bytes for one in backup.manifest.components.values())

    def run(self, tree: BlobId, root: dict[bytes, Node]) -> list[Problem]:
        """Reads all components. Returns what is wrong, or nothing.

        Args:
            tree: the snapshot's.
            root: its entries.

        Raises:
            BackendUnavailable: the storage does not answer, so nothing can be said.
        """
        self._packs.note(BlobType.TREE, [tree], "snapshot", read=False)
        manifest = root[MANIFEST_NAME]
        self._packs.note(BlobType.DATA, manifest.content or (), MANIFEST_NAME.decode(), read=False)
        for name, component in self._backup.manifest.components.items():
            folder = root.get(name.encode())
            if folder is None or folder.subtree is None:
                self._note("component-missing", name, "the snapshot has no such folder")
                continue
            try:
                self._component(component, folder)
            except (DamageError, ObjectNotFound, ShortRead) as error:
                self._note("tree-damaged", name, error.phrase)
        self._packs.read()
        self._packs.read_headers()
        return self._problems

    def _note(self, code: str, subject: str, detail: str) -> None:
        with self._mutex:
            if len(self._problems) < _PROBLEMS_MAX:
                self._problems.append(Problem(code=code, subject=subject, detail=detail))

    def _progressed(self, size: int) -> None:
        with self._mutex:
            self._bytes_done += size
            done = self._bytes_done
        self._listener(Progress(phase="verify", bytes_done=done, bytes_total=self._bytes_total))

    def _component(self, component: Component, folder: Node) -> None:
        digest = ContentDigest() if component.content_sha256 else None
        files = size = 0
        self._note_tree(folder, component.name)
        for entry in RepositoryContent(self._reader, component, folder).entries():
            if entry.node.type is NodeType.DIR:
                self._note_tree(entry.node, _shown(component, entry))
            content: bytes | None = None
            if entry.node.type is NodeType.FILE:
                content = self._file(component, entry, in_order=digest is not None)
                files += 1
                size += entry.node.size
            if digest is not None:
                digest.feed(entry, content, entry.node.size)
        if (files, size) != (component.file_count, component.content_bytes):
            detail = Phrase(
                "{files} files with {size} bytes instead of {expected} with {expected_bytes}",
                {
                    "files": files,
                    "size": size,
                    "expected": component.file_count,
                    "expected_bytes": component.content_bytes,
                },
            )
            self._note("count-differs", component.name, detail)
        elif digest is not None and digest.hexdigest() not in ("", component.content_sha256):
            self._note(
                "digest-differs",
                component.name,
                Phrase("the manifest says {digest}", {"digest": component.content_sha256}),
            )

    def _note_tree(self, node: Node, shown: str) -> None:
        if node.subtree is not None:
            self._packs.note(BlobType.TREE, [node.subtree], shown, read=False)

    def _file(self, component: Component, entry: Entry, *, in_order: bool) -> bytes | None:
        """SHA-256 of a file's content; None if it is damaged or nobody asks."""
        node, shown = entry.node, _shown(component, entry)
        ids = node.content or ()
        streamed = in_order and len(ids) > 1
        size = self._packs.note(BlobType.DATA, ids, shown, read=not streamed)
        if size is not None and size != node.size:
            self._note(
                "file-damaged",
                shown,
                Phrase("it has {size} bytes, its content {expected}", {"size": node.size, "expected": size}),
            )
        if size != node.size:
            return None
        if streamed:
            return self._read(entry, shown)
        # A blob is named by the hash of its content, which is proved when its turn comes.
        return ids[0] if ids else sha256(b"").digest()

    def _read(self, entry: Entry, shown: str) -> bytes | None:
        assert entry.open is not None
        content = sha256()
        reader = entry.open()
        try:
            while block := reader.read(_BLOCK_BYTES):
                content.update(block)
                self._progressed(len(block))
        except (DamageError, ObjectNotFound, ShortRead) as error:
            self._note("file-damaged", shown, error.phrase)
            return None
        finally:
            reader.close()
        return content.digest()


def _shown(component: Component, entry: Entry) -> str:
    return f"{component.name}/{entry.path.decode('utf-8', 'backslashreplace')}"
