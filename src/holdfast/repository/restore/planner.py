"""From files to the blobs they need: what exists is compared, what is new is prepared."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from holdfast.errors import BlobNotFound, FormatError, HoldfastError, Phrase
from holdfast.model.blob import BlobLocation, BlobType
from holdfast.model.ids import BlobId
from holdfast.repository.index import Index
from holdfast.repository.reader import MAX_BLOB_BYTES
from holdfast.repository.restore.batch import Batch, PlannedFile
from holdfast.repository.restore.directories import Directories
from holdfast.repository.restore.fetch import Fetcher
from holdfast.repository.restore.safe_fs import preallocate, restore_error
from holdfast.repository.restore.work import BlobWork, Range
from holdfast.repository.restore.writing import CREATE_FLAGS, PRIVATE

ZERO_BLOB = BlobId(bytes.fromhex("07854d2fef297a06ba81685e660c332de36d5d18d546927d30daad6d7fda1541"))
"""512 KiB of zeros, as both restic and this program cut them: never fetched for a file that reads as zeros anyway."""

_ZERO_BLOB_BYTES = 512 << 10
_REWRITE_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Planner:
    """Turns the files of a batch into work for `Fetcher`.

    Args:
        keep_ranges: remember what each file consists of, to verify it later.
        sparse: zeros are to become holes wherever they are found.
        dry: prepare nothing on disk.
        on_problem: told what is wrong with a file.
    """

    def __init__(
        self,
        index: Index,
        directories: Directories,
        fetcher: Fetcher,
        on_problem: Callable[[PlannedFile, HoldfastError], None],
        *,
        keep_ranges: bool,
        sparse: bool,
        dry: bool,
    ) -> None:
        self._index = index
        self._directories = directories
        self._fetcher = fetcher
        self._on_problem = on_problem
        self._keep_ranges = keep_ranges
        self._sparse = sparse
        self._dry = dry

    def plan(self, batch: Batch) -> None:
        """Fills `batch.packs`, and prepares files that are written in several steps."""
        existing: list[tuple[int, PlannedFile, list[BlobLocation]]] = []
        wanted = {blob_id for file in batch.files for blob_id in file.content}
        known = self._index.lookup_many(BlobType.DATA, wanted)
        for number, file in enumerate(batch.files):
            places = self._locate(file, known)
            if places is None:
                batch.failed.add(number)
                continue
            if self._keep_ranges or file.inode:
                batch.ranges[number] = _ranges(file, places)
            if file.inode:
                existing.append((number, file, places))
            elif len(places) > 1:
                self._plan_large(batch, number, file, places)
            else:
                self._plan_small(batch, number, file, places)
        if existing:
            self._plan_existing(batch, existing)

    def _locate(self, file: PlannedFile, known: dict[bytes, BlobLocation]) -> list[BlobLocation] | None:
        """Where the blobs lie; None, after telling, if one of them is nowhere."""
        places: list[BlobLocation] = []
        total = 0
        for blob_id in file.content:
            place = known.get(blob_id)
            if place is None:
                self._on_problem(file, BlobNotFound(object=f"data blob {blob_id.hex()[:12]}"))
                return None
            if place.plain_length > MAX_BLOB_BYTES:
                reason = Phrase(
                    "{plain_length} bytes are more than a blob may have", {"plain_length": place.plain_length}
                )
                self._on_problem(file, FormatError(object=f"data blob {blob_id.hex()[:12]}", reason=reason))
                return None
            places.append(place)
            total += place.plain_length
        if total != file.size_bytes:
            reason = Phrase(
                "its content has {total} bytes, its recorded size is {size_bytes}",
                {"total": total, "size_bytes": file.size_bytes},
            )
            self._on_problem(file, FormatError(object=f"file {os.fsdecode(file.name)!r}", reason=reason))
        return places

    def _plan_small(self, batch: Batch, number: int, file: PlannedFile, places: list[BlobLocation]) -> None:
        """A new file of one blob or none is made by the worker that opens the blob."""
        whole = (number, batch.path_of(file.directory), file.name, file.metadata)
        if not places:
            batch.want_whole(None, None, whole)
            return
        place = places[0]
        blob: BlobWork = (place.offset, place.length, place.raw_length, file.content[0], [], [])
        batch.want_whole(blob, place.pack, whole)

    def _plan_large(self, batch: Batch, number: int, file: PlannedFile, places: list[BlobLocation]) -> None:
        """A new file of many blobs is made here, at its full size, and filled by several workers."""
        inode = 0
        if not self._dry:
            size = sum(place.plain_length for place in places)
            try:
                fd = os.open(file.name, CREATE_FLAGS, PRIVATE, dir_fd=self._directories.fd(file.directory))
                try:
                    if self._sparse or ZERO_BLOB in file.content:
                        os.ftruncate(fd, size)
                    else:
                        preallocate(fd, size)
                    inode = os.fstat(fd).st_ino
                finally:
                    os.close(fd)
            except (OSError, OverflowError) as error:
                self._fail(batch, number, file, error)
                return
        batch.prepared[number] = inode
        self._want_parts(batch, number, file, places, range(len(places)), inode, blank=True)

    def _want_parts(
        self,
        batch: Batch,
        number: int,
        file: PlannedFile,
        places: list[BlobLocation],
        positions: range | list[int],
        inode: int,
        *,
        blank: bool,
    ) -> None:
        path = batch.path_of(file.directory)
        offset, at = 0, 0
        for position in positions:
            while at < position:
                offset += places[at].plain_length
                at += 1
            place, blob_id = places[position], file.content[position]
            if blank and blob_id == ZERO_BLOB and place.plain_length == _ZERO_BLOB_BYTES:
                continue
            blob: BlobWork = (place.offset, place.length, place.raw_length, blob_id, [], [])
            batch.want_part(blob, place.pack, (number, path, file.name, inode, offset, blank))

    # --- files that are there -------------------------------------------------------------------

    def _plan_existing(self, batch: Batch, existing: list[tuple[int, PlannedFile, list[BlobLocation]]]) -> None:
        """Compares what is there, unless it is trusted, and asks only for what differs."""
        compared = [
            (number, batch.path_of(file.directory), file.name, file.inode, batch.ranges[number])
            for number, file, _ in existing
            if not file.trusted
        ]
        results = {number: (wrong, problem) for number, wrong, problem in self._fetcher.compare(compared)}
        for number, file, places in existing:
            wrong, problem = results.get(number, ([], ""))
            if not wrong and not problem:
                batch.prepared[number] = file.inode
                batch.unchanged += 1
                continue
            try:
                self._prepare_rewrite(file, sum(place.plain_length for place in places))
            except PermissionError:
                self._replace(batch, number, file, places)
            except (OSError, OverflowError) as error:
                self._fail(batch, number, file, error)
            else:
                batch.prepared[number] = file.inode
                self._want_parts(batch, number, file, places, wrong, file.inode, blank=False)

    def _prepare_rewrite(self, file: PlannedFile, size: int) -> None:
        if self._dry:
            return
        fd = os.open(file.name, _REWRITE_FLAGS, dir_fd=self._directories.fd(file.directory))
        try:
            status = os.fstat(fd)
            # SAFETY: a further name of the file may lie outside the target; such files are never written to.
            if not stat.S_ISREG(status.st_mode) or status.st_ino != file.inode or status.st_nlink != 1:
                raise FileExistsError("the file was replaced while it was restored")
            os.ftruncate(fd, size)
        finally:
            os.close(fd)

    def _replace(self, batch: Batch, number: int, file: PlannedFile, places: list[BlobLocation]) -> None:
        """A file that may not be written to is removed and made anew."""
        try:
            # SAFETY: the overwrite mode says that this name is to be restored.
            os.unlink(file.name, dir_fd=self._directories.fd(file.directory))
        except OSError as error:
            self._fail(batch, number, file, error)
            return
        if len(places) > 1:
            self._plan_large(batch, number, file, places)
        else:
            self._plan_small(batch, number, file, places)

    def _fail(self, batch: Batch, number: int, file: PlannedFile, error: Exception) -> None:
        batch.failed.add(number)
        self._on_problem(file, restore_error(file.path(), error))


def _ranges(file: PlannedFile, places: list[BlobLocation]) -> list[Range]:
    found: list[Range] = []
    offset = 0
    for place, blob_id in zip(places, file.content, strict=True):
        found.append((offset, place.plain_length, blob_id))
        offset += place.plain_length
    return found
