"""Counting, as restic counts."""

from __future__ import annotations

import pytest

from forge_kit import Forge, dir_node, file_node, sample
from holdfast.errors import BlobNotFound
from holdfast.format.seal import OVERHEAD
from holdfast.model.snapshot import Snapshot
from holdfast.repository.index import Index
from holdfast.repository.reader import Reader
from holdfast.repository.stats import Stats, StatsMode, stats


def counted(forge: Forge, snapshots: list[Snapshot], mode: StatsMode) -> Stats:
    """Statistics over everything stored so far."""
    with Index(forge.repository, private=True) as index:
        index.sync()
        return stats(Reader(forge.repository, index), snapshots, mode)


def test_restore_size_counts_each_snapshot() -> None:
    forge = Forge()
    snapshot = sample(forge)
    again = forge.snapshot(snapshot.tree, second=1)
    once = counted(forge, [snapshot], StatsMode.RESTORE_SIZE)
    twice = counted(forge, [snapshot, again], StatsMode.RESTORE_SIZE)
    size = 13 + 12 * 40 + 13 * 50 + 15
    assert (once.files, once.size_bytes, once.snapshots) == (5, size, 1)
    assert (twice.files, twice.size_bytes, twice.snapshots) == (10, 2 * size, 2)


def test_hard_links_count_once_in_each_snapshot() -> None:
    forge = Forge()
    content = forge.data(b"12345")
    linked = [file_node(name, [content], 5, links=2, inode=7, device_id=1) for name in (b"a", b"b")]
    unknown = [file_node(name, [content], 5, links=2) for name in (b"c", b"d")]
    tree = forge.tree([*linked, *unknown])
    root = forge.tree([dir_node(b"one", tree), dir_node(b"two", tree)])
    snapshot = forge.finish(root)
    assert counted(forge, [snapshot], StatsMode.RESTORE_SIZE).size_bytes == 5 + 4 * 5


def test_files_by_contents_and_blobs_per_file() -> None:
    forge = Forge()
    first, second = forge.data(b"1" * 10), forge.data(b"2" * 20)
    nodes = [
        file_node(b"a", [first, second], 30),
        file_node(b"b", [first, second], 30),
        file_node(b"c", [first], 10),
    ]
    snapshot = forge.finish(forge.tree(nodes))
    by_contents = counted(forge, [snapshot], StatsMode.FILES_BY_CONTENTS)
    assert (by_contents.files, by_contents.size_bytes) == (2, 40)
    by_file = counted(forge, [snapshot], StatsMode.BLOBS_PER_FILE)
    assert (by_file.files, by_file.blobs, by_file.size_bytes) == (2, 3, 40)


def test_raw_data_counts_blobs_as_stored() -> None:
    forge = Forge()
    snapshot = sample(forge)
    forge.data(b"not used by any snapshot")
    packs = [*forge.pack()]
    forge.index()
    raw = counted(forge, [snapshot], StatsMode.RAW_DATA)
    with Index(forge.repository, private=True) as index:
        index.sync()
        unused = {blob.id for pack in packs for blob in pack.blobs}
        blobs = [blob for pack in index.packs() for blob in pack.blobs if blob.id not in unused]
    assert raw.blobs == len(blobs)
    assert raw.size_bytes == sum(blob.length for blob in blobs)
    assert raw.uncompressed_bytes == sum(blob.plain_length + OVERHEAD for blob in blobs)
    assert raw.compression_ratio > 1
    assert 0 < raw.compression_progress_percent <= 100
    assert raw.compression_saving_percent > 0


def test_nothing_has_no_ratio() -> None:
    empty = counted(Forge(), [], StatsMode.RAW_DATA)
    assert (empty.compression_ratio, empty.compression_progress_percent, empty.compression_saving_percent) == (0, 0, 0)


@pytest.mark.parametrize("mode", [StatsMode.RAW_DATA, StatsMode.BLOBS_PER_FILE])
def test_a_missing_blob_is_an_error(mode: StatsMode) -> None:
    forge = Forge()
    snapshot = forge.finish(forge.tree([file_node(b"f", [forge.repository.config.id], 5)]))  # type: ignore[list-item]
    with pytest.raises(BlobNotFound):
        counted(forge, [snapshot], mode)
