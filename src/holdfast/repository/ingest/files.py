"""The content of files that are pushed: small ones are sealed where they are, large ones stream to other threads."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import msgspec

from holdfast.errors import FormatError, Phrase, SealVerificationFailed
from holdfast.model.buffer import Buffer
from holdfast.model.ids import BlobId
from holdfast.repository.backup.small_files import SMALL_BYTES, pieces_of
from holdfast.repository.backup.streams import StreamSaver
from holdfast.repository.ingest.feed import Feed

INLINE_BYTES = 64 * 1024
"""Up to here, asking another thread costs more than sealing does."""


class SavedContent(msgspec.Struct, frozen=True, gc=False):
    """What became of a file's content. `ids` is a future where another thread is still at it."""

    ids: list[BlobId] | Future[list[BlobId]]
    size_bytes: int
    sha256: bytes
    name: bytes

    def ready(self) -> bool:
        """Whether `result` would return at once."""
        return not isinstance(self.ids, Future) or self.ids.done()

    def result(self) -> list[BlobId]:
        """The ids of its blobs in order.

        Raises:
            SealVerificationFailed: the bytes that were sealed are not those the source gave.
            TargetError: something could not be stored.
        """
        ids = self.ids.result() if isinstance(self.ids, Future) else self.ids
        # A file of one blob is named by the very hash that whoever read the source has computed.
        if len(ids) == 1 and ids[0] != self.sha256:
            raise SealVerificationFailed(object=f"file {self.name!r}")
        return ids


class FileSaver:
    """Stores the files of one tree, one after the other.

    Args:
        streams: stores pieces and streams; may be shared with others.
    """

    def __init__(self, streams: StreamSaver) -> None:
        self._streams = streams
        self._executor: ThreadPoolExecutor | None = None
        self._path = b""
        self._blocks: list[bytes] = []
        self._size = 0
        self._feed: Feed | None = None
        self._saving: Future[tuple[list[BlobId], int]] | None = None

    def begin(self, path: bytes, size_bytes: int) -> None:
        """The next file.

        Args:
            path: helps to choose how it is cut.
            size_bytes: about how large it is; 0 if nobody knows.
        """
        self._path = path
        self._blocks, self._size = [], 0
        if size_bytes > SMALL_BYTES:
            self._start_stream()

    def write(self, block: Buffer) -> None:
        """More of the file."""
        # A block may be a view of a buffer that its owner fills again.
        data = block if isinstance(block, bytes) else bytes(block)
        self._size += len(data)
        if self._feed is None:
            self._blocks.append(data)
            if self._size > SMALL_BYTES:
                self._start_stream()
            return
        self._feed.put(data)
        if self._saving is not None and self._saving.done():
            # It cannot have come to the end of what has not ended: this raises why it stopped.
            self._saving.result()

    def _start_stream(self) -> None:
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="holdfast-feed")
        self._feed = Feed()
        self._saving = self._executor.submit(self._save_stream, self._feed, self._path)
        for block in self._blocks:
            self._feed.put(block)
        self._blocks = []

    def _save_stream(self, feed: Feed, path: bytes) -> tuple[list[BlobId], int]:
        try:
            return self._streams.save(feed, path)
        finally:
            feed.abandon()

    def end(self, sha256: bytes, size_bytes: int) -> SavedContent:
        """The file is whole.

        Args:
            sha256: of its content, as whoever read it computed it.
            size_bytes: the same.

        Raises:
            FormatError: that is not how much was written.
            TargetError: something could not be stored.
        """
        name = self._path.rpartition(b"/")[2]
        if size_bytes != self._size:
            self.drop()
            raise FormatError(
                object=f"file {name!r}",
                reason=Phrase(
                    "{size} of {size_bytes} bytes were written", {"size": self._size, "size_bytes": size_bytes}
                ),
            )
        if self._feed is not None and self._saving is not None:
            self._feed.end()
            saving, self._feed, self._saving = self._saving, None, None
            ids, size = saving.result()
            if size != size_bytes:
                raise FormatError(
                    object=f"file {name!r}",
                    reason=Phrase("{size} of {size_bytes} bytes were stored", {"size": size, "size_bytes": size_bytes}),
                )
            return SavedContent(ids, size, sha256, name)
        pieces = pieces_of(b"".join(self._blocks), self._path)
        self._blocks = []
        if size_bytes <= INLINE_BYTES:
            return SavedContent(self._streams.save_now(pieces), size_bytes, sha256, name)
        return SavedContent(self._streams.save_soon(pieces), size_bytes, sha256, name)

    def drop(self) -> None:
        """The file shall not be; what was stored of it stays unreferenced."""
        feed, saving = self._feed, self._saving
        self._blocks, self._feed, self._saving = [], None, None
        if feed is not None and saving is not None:
            feed.break_off()
            saving.exception()

    def close(self) -> None:
        """Drops the current file and ends the thread."""
        self.drop()
        if self._executor is not None:
            self._executor.shutdown(wait=True)
