"""From the snapshots down: every tree is there and valid, every file's content is there and as long as it should be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future

from holdfast.errors import BlobNotFound, HoldfastError, Phrase
from holdfast.format.tree import decode_tree
from holdfast.model.blob import BlobType
from holdfast.model.buffer import Buffer
from holdfast.model.event import Listener, Progress
from holdfast.model.ids import ID_BYTES
from holdfast.protocols import FileKind, Handle
from holdfast.repository.check.findings import Findings, blob_key, is_about_object
from holdfast.repository.check.indexes import IndexContent
from holdfast.repository.check.tree_check import InspectedTree, inspect, inspect_in_worker
from holdfast.repository.reader import Reader
from holdfast.repository.tree_loader import PackRange, TreeLoader, plan_ranges
from holdfast.runtime.cancel import CancelToken
from holdfast.runtime.workers import WorkerPool

_BATCH = 1024
_BATCH_FOR_PROCESSES = 32
_TREES_A_JOB = 32


class Structure:
    """Checks all trees that snapshots lead to, each once."""

    def __init__(
        self,
        reader: Reader,
        content: IndexContent,
        findings: Findings,
        pool: WorkerPool,
        listener: Listener,
        cancel: CancelToken,
    ) -> None:
        self._reader = reader
        self._content = content
        self._findings = findings
        self._pool = pool
        self._listener = listener
        self._cancel = cancel
        self._seen: set[bytes] = set()
        self._missing: set[bytes] = set()
        backend = reader.repository.backend
        self._in_processes = (
            pool.parallel and backend.local_path(Handle(FileKind.PACK, bytes(ID_BYTES).hex())) is not None
        )

    def check(self, roots: Iterable[bytes]) -> int:
        """Goes through everything below the roots. Returns how many trees there are."""
        # INVARIANT: a tree is noted when it is put on the list, so neither sharing nor a cycle leads to it twice.
        waiting = list(dict.fromkeys(roots))
        self._seen.update(waiting)
        done = 0
        with TreeLoader(self._reader) as loader:
            while waiting:
                self._cancel.raise_if_cancelled()
                batch = waiting[-_BATCH:]
                del waiting[-_BATCH:]
                for tree_id, tree in self._inspect(loader, batch):
                    self._check_files(tree_id, tree)
                    waiting += self._fresh(tree.subtrees)
                done += len(batch)
                self._listener(Progress(phase="trees", items_done=done, items_total=done + len(waiting)))
        return done

    def _fresh(self, subtrees: bytes) -> list[bytes]:
        ids = [subtrees[start : start + ID_BYTES] for start in range(0, len(subtrees), ID_BYTES)]
        fresh = [tree_id for tree_id in dict.fromkeys(ids) if tree_id not in self._seen]
        self._seen.update(fresh)
        return fresh

    # --- trees ----------------------------------------------------------------------------------

    def _inspect(self, loader: TreeLoader, batch: Sequence[bytes]) -> Iterator[tuple[bytes, InspectedTree]]:
        if self._in_processes and len(batch) >= _BATCH_FOR_PROCESSES:
            yield from self._inspect_in_processes(batch)
            return
        for tree_id, loaded in loader.load(batch):
            if isinstance(loaded, HoldfastError):
                self._tree_error(tree_id, loaded)
            else:
                yield from self._inspect_here(tree_id, loaded)

    def _inspect_here(self, tree_id: bytes, plaintext: Buffer) -> Iterator[tuple[bytes, InspectedTree]]:
        try:
            yield tree_id, inspect(plaintext, f"tree {tree_id.hex()[:12]}")
        except HoldfastError as error:
            self._tree_error(tree_id, error)

    def _inspect_in_processes(self, batch: Sequence[bytes]) -> Iterator[tuple[bytes, InspectedTree]]:
        ranges, missing = plan_ranges(self._reader, batch)
        for tree_id in missing:
            self._tree_error(tree_id, BlobNotFound(object=f"tree blob {tree_id.hex()[:12]}"))
        jobs = [job for part in ranges for job in self._submit(part)]
        for tree_ids, future in jobs:
            for tree_id, fields in zip(tree_ids, future.result(), strict=True):
                if fields is not None:
                    yield tree_id, InspectedTree(*fields)  # type: ignore[arg-type]
                else:
                    yield from self._inspect_again(tree_id)

    def _submit(self, part: PackRange) -> Iterator[tuple[list[bytes], Future[list[tuple[object, ...] | None]]]]:
        repository = self._reader.repository
        path = repository.backend.local_path(Handle(FileKind.PACK, part.pack.hex()))
        for start in range(0, len(part.blobs), _TREES_A_JOB):
            blobs = part.blobs[start : start + _TREES_A_JOB]
            places = [(tree_id, place.offset, place.length, place.raw_length) for tree_id, place in blobs]
            yield (
                [tree_id for tree_id, _ in blobs],
                self._pool.submit(inspect_in_worker, repository.master, str(path), places),
            )

    def _inspect_again(self, tree_id: bytes) -> Iterator[tuple[bytes, InspectedTree]]:
        """What a process stumbled over: another copy may be sound, and if not, the error says what is wrong."""
        try:
            plaintext = self._reader.load_blob(BlobType.TREE, tree_id)
        except HoldfastError as error:
            self._tree_error(tree_id, error)
        else:
            yield from self._inspect_here(tree_id, plaintext)

    def _tree_error(self, tree_id: bytes, error: HoldfastError) -> None:
        if not is_about_object(error):
            raise error
        code = "blob-missing" if isinstance(error, BlobNotFound) else "tree-damaged"
        self._findings.error(code, f"tree {tree_id.hex()}", error, [blob_key(BlobType.TREE, tree_id)])

    # --- files ----------------------------------------------------------------------------------

    def _check_files(self, tree_id: bytes, tree: InspectedTree) -> None:
        contents = tree.contents
        length_of = self._content.data_length
        start = 0
        for number, (size, count) in enumerate(zip(tree.sizes, tree.counts, strict=True)):
            total = 0
            whole = True
            for position in range(start, start + count * ID_BYTES, ID_BYTES):
                blob_id = contents[position : position + ID_BYTES]
                length = length_of(blob_id)
                if length is None:
                    whole = False
                    self._missing_data(blob_id)
                else:
                    total += length
            start += count * ID_BYTES
            if whole and total != size:
                self._size_error(tree_id, number, size, total)

    def _missing_data(self, blob_id: bytes) -> None:
        if blob_id not in self._missing:
            self._missing.add(blob_id)
            key = blob_key(BlobType.DATA, blob_id)
            self._findings.error("blob-missing", f"data blob {blob_id.hex()}", "no index file lists it", [key])

    def _size_error(self, tree_id: bytes, number: int, size: int, total: int) -> None:
        """COMPAT(restic): restic does not compare these; a wrong size is restored as a hole or a cut."""
        plaintext = self._reader.load_blob(BlobType.TREE, tree_id)
        files = [node for node in decode_tree(plaintext, strict=False) if node.type == "file"]
        detail = Phrase(
            "file {name} is said to have {size} bytes, and its content has {total}",
            {"name": repr(files[number].name), "size": size, "total": total},
        )
        self._findings.error("file-size", f"tree {tree_id.hex()}", detail)
