"""A full disk below the local index database, which SQLite meets by a limit on its pages."""

from __future__ import annotations

import sqlite3
from hashlib import sha256
from pathlib import Path

import pytest

from holdfast.errors import BackendError, OutOfSpace
from holdfast.model.blob import BlobType, PackedBlob
from holdfast.model.ids import BlobId, IndexId, PackId
from holdfast.model.pack import Pack
from holdfast.repository.index import Index
from holdfast.repository.index_database import connect, connect_or_rebuild
from repository_kit import new_repository


def many_blobs(number: int) -> Pack:
    ids = [BlobId(sha256(b"%d" % n).digest()) for n in range(number)]
    return Pack(PackId(bytes(32)), tuple(PackedBlob(BlobType.DATA, id_, n * 40, 40, 0) for n, id_ in enumerate(ids)))


def test_a_full_disk_is_named_and_nothing_is_half_taken_up(tmp_path: Path) -> None:
    repository = new_repository()
    repository.cache_dir = tmp_path
    with Index(repository) as index:
        index._connection.execute("PRAGMA max_page_count = 20")
        with pytest.raises(OutOfSpace) as caught:
            index.add(IndexId(bytes(32)), [many_blobs(5000)])
        assert str(tmp_path / "index.sqlite") in str(caught.value)
        assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
        assert index.index_ids() == []
        index._connection.execute("PRAGMA max_page_count = 100000")
        index.add(IndexId(bytes(32)), [many_blobs(5000)])
        assert index.blob_count() == 5000


def test_other_errors_of_a_transaction_stay_what_they_are(tmp_path: Path) -> None:
    connection = connect(tmp_path / "index.sqlite")
    with pytest.raises(sqlite3.OperationalError, match="syntax"), connection:
        connection.execute("BEGIN nonsense")
    with pytest.raises(KeyError), connection:
        raise KeyError
    connection.close()


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(BackendError, match="local index database"):
        connect_or_rebuild(tmp_path / "folder" / "missing" / "index.sqlite")
