"""Replacing index files by others that no longer list certain packs."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from holdfast.format.index import encode_index
from holdfast.model.event import Listener, Progress, ignore
from holdfast.model.ids import IndexId, PackId
from holdfast.model.pack import Pack
from holdfast.protocols import FileKind
from holdfast.repository.index import Index
from holdfast.repository.locks import RepositoryLock
from holdfast.repository.removal import remove_files
from holdfast.repository.repository import Repository
from holdfast.repository.writer import INDEX_BLOBS
from holdfast.runtime.cancel import CancelToken


class IndexRewrite:
    """One change of the index: `write`, `remove_former`, `settle`, in this order unless space is short.

    Only files that list one of the packs, and small ones, which are merged on this occasion, are replaced.

    Attributes:
        former: the index files that are replaced.
        written: those that take their place, and the packs each of them lists.
    """

    def __init__(
        self,
        repository: Repository,
        index: Index,
        lock: RepositoryLock,
        dropped: Collection[PackId],
        *,
        keep: Collection[IndexId] = (),
        listener: Listener = ignore,
        cancel: CancelToken | None = None,
    ) -> None:
        """Finds out which index files are concerned.

        Args:
            index: synchronised.
            dropped: packs that no index file may list afterwards.
            keep: index files that list none of them and shall not be merged although they are small.
        """
        self._repository = repository
        self._index = index
        self._lock = lock
        self._dropped = dropped
        self._listener = listener
        self._cancel = cancel
        concerned = {name for pack_id in dropped for name in index.indexes_of(pack_id)}
        counts = index.blob_counts()
        small = {name for name, blobs in counts.items() if blobs < INDEX_BLOBS and name not in keep}
        self.former: list[IndexId] = sorted(concerned | small) if concerned or len(small) > 1 else []
        self.written: list[tuple[IndexId, list[PackId]]] = []

    def write(self) -> None:
        """Stores the new index files."""
        for packs in self._batches():
            if self._cancel is not None:
                self._cancel.raise_if_cancelled()
            self._lock.ensure_held()
            name = IndexId(self._repository.save_unpacked(FileKind.INDEX, encode_index(packs)))
            self.written.append((name, [pack.id for pack in packs]))
            self._listener(Progress(phase="index", items_done=len(self.written)))

    def _batches(self) -> Iterator[list[Pack]]:
        """The packs that stay, each once, as many at a time as an index file holds."""
        batch: list[Pack] = []
        blobs = 0
        for pack in self._staying():
            batch.append(pack)
            blobs += len(pack.blobs)
            if blobs >= INDEX_BLOBS:
                yield batch
                batch, blobs = [], 0
        if batch:
            yield batch

    def _staying(self) -> Iterator[Pack]:
        seen: set[PackId] = set()
        for name in self.former:
            for pack in self._index.packs_of(name):
                if pack.id not in seen and pack.id not in self._dropped:
                    seen.add(pack.id)
                    yield pack

    def remove_former(self) -> None:
        """Deletes the replaced index files.

        Raises:
            BackendError: one could not be deleted. It still lists the packs, so none of them may be deleted.
        """
        # SAFETY: everything they list, but for the dropped packs, is listed by the files written before. Where space
        # is short they go first, and `repair index` would list the packs again.
        remove_files(
            self._repository,
            self._lock,
            FileKind.INDEX,
            self.former,
            strict=True,
            listener=self._listener,
            cancel=self._cancel,
        )

    def settle(self) -> None:
        """Takes the change up in the local index."""
        # INVARIANT: only now. Until the former files are gone, the local index must know all that they list, or a
        # later run would delete a pack that an index file still lists.
        self._index.replace(self.former, self.written)
