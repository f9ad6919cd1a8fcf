"""What every folder must do, as tests that anybody can run against theirs.

class TestMine(FolderSuite):
    @pytest.fixture
    def location(self, tmp_path):
        return f"mine:{tmp_path}"
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from holdfast.backends.folders.abilities import Rereadable
from holdfast.backends.folders.opening import open_folder
from holdfast.backends.options import BackendOptions
from holdfast.errors import BackendError, ObjectExists, ObjectNotFound
from holdfast.protocols.folder import Folder

_LARGE_BYTES = 37 * 1024 * 1024 + 5
_BLOCK_BYTES = 1024 * 1024


def store(folder: Folder, name: str, content: bytes) -> None:
    """Writes a file in one block."""
    writer = folder.write(name)
    writer.write(content)
    writer.commit()


def fetch(folder: Folder, name: str, offset: int = 0) -> bytes:
    """Reads a file from an offset to its end."""
    reader = folder.read(name, offset)
    try:
        return b"".join(iter(lambda: reader.read(65_536), b""))
    finally:
        reader.close()


def names(folder: Folder, prefix: str = "") -> list[str]:
    """The names of a listing, sorted."""
    return sorted(file.name for file in folder.list(prefix))


class FolderSuite:
    """The conformance tests.

    Attributes:
        clock_slack_s: how far the storage's clock may be from ours.
    """

    clock_slack_s = 120.0

    @pytest.fixture
    def location(self) -> str:
        """Where the tests may make an empty folder; another place for each test."""
        raise pytest.UsageError("a subclass of FolderSuite must override the fixture `location` or `folder`")

    @pytest.fixture
    def options(self) -> BackendOptions:
        """How to open it."""
        return BackendOptions(retry_deadline_s=0)

    @pytest.fixture
    def folder(self, location: str, options: BackendOptions) -> Iterator[Folder]:
        """An open folder at an empty location that was prepared."""
        opened = open_folder(location, options)
        try:
            opened.create()
            yield opened
        finally:
            opened.close()

    # --- writing and reading ---

    @pytest.mark.parametrize(
        "name", ["plain.txt", "a/b/c/deep.tar.gz", ".hidden", "with space ü é.json", "!odd&name=1"]
    )
    def test_what_was_written_is_read(self, folder: Folder, name: str) -> None:
        store(folder, name, b"some content")
        assert fetch(folder, name) == b"some content"
        assert folder.size(name) == 12
        assert names(folder) == [name]

    def test_an_empty_file(self, folder: Folder) -> None:
        writer = folder.write("empty")
        writer.commit()
        assert fetch(folder, "empty") == b""
        assert folder.size("empty") == 0

    def test_blocks_of_every_type_are_joined_in_order(self, folder: Folder) -> None:
        content = bytes(range(256)) * 40
        writer = folder.write("joined")
        for block in (content[:10], b"", bytearray(content[10:1000]), memoryview(content)[1000:]):
            writer.write(block)
        writer.commit()
        assert fetch(folder, "joined") == content

    def test_a_large_file_in_many_blocks(self, folder: Folder) -> None:
        block = os.urandom(_BLOCK_BYTES)
        digest = hashlib.sha256()
        writer = folder.write("deep/large")
        for start in range(0, _LARGE_BYTES, _BLOCK_BYTES):
            part = memoryview(block)[: _LARGE_BYTES - start]
            digest.update(part)
            writer.write(part)
        assert names(folder) == []
        writer.commit()
        assert folder.size("deep/large") == _LARGE_BYTES
        found = hashlib.sha256()
        reader = folder.read("deep/large")
        while piece := reader.read(100_003):
            found.update(piece)
        reader.close()
        assert found.digest() == digest.digest()

    @pytest.mark.parametrize("offset", [0, 1, 50, 99, 100])
    def test_reading_from_an_offset(self, folder: Folder, offset: int) -> None:
        content = bytes(range(100))
        store(folder, "ranges", content)
        assert fetch(folder, "ranges", offset) == content[offset:]

    def test_a_reader_that_is_dropped_leaves_no_trouble(self, folder: Folder) -> None:
        store(folder, "half", os.urandom(3_000_000))
        reader = folder.read("half")
        assert len(reader.read(10)) == 10
        reader.close()
        reader.close()
        assert folder.size("half") == 3_000_000

    def test_what_was_written_can_be_read_before_it_is_visible(self, folder: Folder) -> None:
        writer = folder.write("proof")
        writer.write(b"to be ")
        writer.write(b"proved")
        if isinstance(writer, Rereadable):
            reader = writer.reread()
            assert reader.read() == b"to be proved"
            reader.close()
        assert names(folder) == []
        writer.commit()
        assert fetch(folder, "proof") == b"to be proved"

    # --- visibility ---

    def test_a_file_is_invisible_until_it_is_committed(self, folder: Folder) -> None:
        writer = folder.write("later")
        writer.write(b"x" * 100_000)
        assert names(folder) == []
        with pytest.raises(ObjectNotFound):
            folder.size("later")
        writer.commit()
        assert names(folder) == ["later"]

    @pytest.mark.parametrize("size", [0, 10, 20 * _BLOCK_BYTES])
    def test_an_aborted_file_leaves_nothing(self, folder: Folder, size: int) -> None:
        writer = folder.write("gone/never")
        for _ in range(0, size, _BLOCK_BYTES):
            writer.write(os.urandom(min(size, _BLOCK_BYTES)))
        writer.abort()
        writer.abort()
        assert names(folder) == []
        store(folder, "gone/never", b"a second attempt")
        assert fetch(folder, "gone/never") == b"a second attempt"

    def test_abort_after_commit_does_nothing(self, folder: Folder) -> None:
        writer = folder.write("kept")
        writer.write(b"kept")
        writer.commit()
        writer.abort()
        assert fetch(folder, "kept") == b"kept"

    @pytest.mark.parametrize("size", [5, 20 * _BLOCK_BYTES])
    def test_nothing_is_ever_replaced_by_a_commit(self, folder: Folder, size: int) -> None:
        store(folder, "taken", b"the first")
        writer = folder.write("taken")
        writer.write(b"2" * size)
        with pytest.raises(ObjectExists):
            writer.commit()
        writer.abort()
        assert fetch(folder, "taken") == b"the first"
        assert names(folder) == ["taken"]

    def test_replacing_on_purpose(self, folder: Folder) -> None:
        folder.replace("marks/one.json", b"1")
        folder.replace("marks/one.json", b"22")
        assert fetch(folder, "marks/one.json") == b"22"
        assert names(folder) == ["marks/one.json"]

    # --- what is not there ---

    def test_a_missing_file_is_not_found(self, folder: Folder) -> None:
        for call in (lambda: folder.read("no/such").read(1), lambda: folder.size("no/such")):
            with pytest.raises(ObjectNotFound):
                call()

    def test_removing(self, folder: Folder) -> None:
        store(folder, "a/one", b"1")
        store(folder, "a/two", b"2")
        folder.remove("a/one")
        folder.remove("a/one")
        folder.remove("never/there")
        assert names(folder) == ["a/two"]
        with pytest.raises(ObjectNotFound):
            folder.size("a/one")
        store(folder, "a/one", b"again")
        assert fetch(folder, "a/one") == b"again"

    @pytest.mark.parametrize(
        "name", ["", "/etc/passwd", "..", "../up", "a/../../up", "a//b", "a/./b", "a/", "x\0y", "new\nline", "a" * 256]
    )
    def test_a_name_that_leads_elsewhere_is_refused(self, folder: Folder, name: str) -> None:
        calls = (
            lambda: folder.write(name),
            lambda: folder.read(name),
            lambda: folder.size(name),
            lambda: folder.remove(name),
            lambda: folder.replace(name, b"x"),
        )
        for call in calls:
            with pytest.raises(BackendError):
                call()
        assert names(folder) == []

    # --- listing ---

    def test_listing_by_prefix(self, folder: Folder) -> None:
        for name in ("database/db_1.db", "database/db_2.db", "database/other", "data", "storage/x/y"):
            store(folder, name, name.encode())
        assert names(folder) == ["data", "database/db_1.db", "database/db_2.db", "database/other", "storage/x/y"]
        assert names(folder, "database/") == ["database/db_1.db", "database/db_2.db", "database/other"]
        assert names(folder, "database/db_") == ["database/db_1.db", "database/db_2.db"]
        assert names(folder, "data") == ["data", "database/db_1.db", "database/db_2.db", "database/other"]
        assert names(folder, "storage/x/") == ["storage/x/y"]
        assert names(folder, "nothing/") == []

    def test_a_listing_tells_size_and_time(self, folder: Folder) -> None:
        store(folder, "timed", b"12345")
        (file,) = folder.list()
        assert file.size_bytes == 5
        assert abs(file.modified_at - datetime.now(UTC)) < timedelta(seconds=self.clock_slack_s)

    def test_listing_many(self, folder: Folder) -> None:
        wanted = [f"many/{number:03d}.json" for number in range(60)]

        def keep(name: str) -> None:
            store(folder, name, name.encode())

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(keep, wanted))
        assert names(folder, "many/") == wanted

    # --- the rest ---

    def test_two_writers_at_once(self, folder: Folder) -> None:
        first, second = folder.write("one"), folder.write("two")
        for number in range(5):
            first.write(b"1" * number)
            second.write(b"2" * number)
        second.commit()
        first.commit()
        assert (fetch(folder, "one"), fetch(folder, "two")) == (b"1" * 10, b"2" * 10)

    def test_create_and_clean_keep_what_is_committed(self, folder: Folder) -> None:
        store(folder, "kept/here", b"kept")
        folder.create()
        folder.clean()
        assert fetch(folder, "kept/here") == b"kept"

    def test_it_says_where_it_is_and_how_much_fits(self, folder: Folder) -> None:
        assert folder.url
        free = folder.free_bytes()
        assert free is None or free >= 0

    def test_closing_twice(self, folder: Folder) -> None:
        store(folder, "something", b"1")
        folder.close()
        folder.close()
