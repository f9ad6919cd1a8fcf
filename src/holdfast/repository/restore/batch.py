"""A bounded part of a restore: some files, the packs their content comes from, and what follows when it is there.

Memory is bounded by the limits below and not by the snapshot: some 20 MiB for a batch of small files, of which
two exist at once. A single file's list of blobs is held whole (about 100 bytes for each of its blobs).
"""

from __future__ import annotations

from typing import NamedTuple

from holdfast.model.ids import BlobId, PackId
from holdfast.repository.restore.directories import Directory
from holdfast.repository.restore.metadata import Metadata
from holdfast.repository.restore.work import BlobWork, Part, Range, WholeFile

WEIGHT_MAX = 20_000
"""A blob and a file weigh one each."""

PATH_BYTES_MAX = 8 << 20
"""All paths of directories, which are long where directories lie deep."""


class PlannedFile(NamedTuple):
    """A file of a batch; its position in the batch is its number.

    Attributes:
        directory, name: where it goes.
        metadata: what it gets in the end.
        content: its blobs in order.
        size_bytes: what the snapshot says its size is.
        inode: the existing file that is rewritten; 0 to make a new one.
        trusted: the existing file's content is taken to be right.
        link_key: what its further names have in common with it; None if it has none.
    """

    directory: Directory
    name: bytes
    metadata: Metadata
    content: tuple[BlobId, ...]
    size_bytes: int
    inode: int = 0
    trusted: bool = False
    link_key: tuple[int, int] | None = None

    def path(self) -> bytes:
        """Its path below the target."""
        directory = self.directory.path()
        return directory + b"/" + self.name if directory else self.name


class HardLink(NamedTuple):
    """A further name of a file restored before."""

    directory: Directory
    name: bytes
    first: Directory
    first_name: bytes
    key: tuple[int, int]

    def path(self) -> bytes:
        """Its path below the target."""
        directory = self.directory.path()
        return directory + b"/" + self.name if directory else self.name


class Batch:
    """Files, links and directories that are worked on together.

    Attributes:
        files: the regular files.
        links: names to be linked when the files are there.
        left: directories whose content is complete after this batch, children before parents.
        prepared: by number, the inode of files that exist already and get their metadata at the end.
        ranges: by number, what a file consists of; kept for files that are compared or verified.
        failed: numbers of files that could not be restored.
        unchanged: how many files were found to be right already.
    """

    def __init__(self) -> None:
        self.files: list[PlannedFile] = []
        self.links: list[HardLink] = []
        self.left: list[Directory] = []
        self.prepared: dict[int, int] = {}
        self.ranges: dict[int, list[Range]] = {}
        self.failed: set[int] = set()
        self.unchanged = 0
        self.weight = 0
        self._path_bytes = 0
        self._paths: dict[Directory, bytes] = {}
        self._blobs: dict[BlobId, BlobWork] = {}
        self.packs: dict[PackId | None, list[BlobWork]] = {}

    def add(self, file: PlannedFile) -> None:
        """Takes a file on."""
        self.files.append(file)
        self.weight += 1 + len(file.content)
        self.path_of(file.directory)

    @property
    def full(self) -> bool:
        """Whether it is time to begin another one."""
        return self.weight + len(self.links) + len(self.left) >= WEIGHT_MAX or self._path_bytes >= PATH_BYTES_MAX

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.files or self.links or self.left)

    def path_of(self, directory: Directory) -> bytes:
        """A directory's path, computed once; one object, so that it is sent to a worker once."""
        path = self._paths.get(directory)
        if path is None:
            path = self._paths[directory] = directory.path()
            self._path_bytes += len(path)
        return path

    def want_whole(self, blob: BlobWork | None, pack: PackId | None, file: WholeFile) -> None:
        """Notes that a file consists of a blob; of nothing, if there is none."""
        self._want(blob, pack)[4].append(file)

    def want_part(self, blob: BlobWork, pack: PackId, part: Part) -> None:
        """Notes that a blob belongs into a file that exists."""
        self._want(blob, pack)[5].append(part)

    def _want(self, blob: BlobWork | None, pack: PackId | None) -> BlobWork:
        blob_id = BlobId(b"" if blob is None else blob[3])
        known = self._blobs.get(blob_id)
        if known is None:
            known = self._blobs[blob_id] = (0, 0, 0, b"", [], []) if blob is None else blob
            self.packs.setdefault(pack, []).append(known)
        return known

    def forget_plan(self) -> None:
        """Frees what is not needed once the work has been handed out."""
        self._blobs.clear()
        self.packs.clear()
