"""What every backend must do, as tests that anybody can run against theirs.

    class TestMine(BackendSuite):
        @pytest.fixture
        def location(self, tmp_path):
            return f"mine:{tmp_path}"

Override `backend` instead of `location` for a backend that no location names.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from holdfast.backends.options import BackendOptions
from holdfast.backends.registry import open_backend
from holdfast.errors import BackendError, ObjectExists, ObjectNotFound, ShortRead
from holdfast.protocols import CONFIG_HANDLE, Backend, FileKind, Handle, StoredObject

NAMED_KINDS = tuple(kind for kind in FileKind if kind is not FileKind.CONFIG)
_LARGE_BYTES = 17 * 1024 * 1024 + 5
_THREADS = 8


def handle_for(content: bytes, kind: FileKind = FileKind.PACK) -> Handle:
    """The handle of an object with this content."""
    return Handle(kind, hashlib.sha256(content).hexdigest())


def store(backend: Backend, content: bytes, kind: FileKind = FileKind.PACK) -> Handle:
    """Saves content under its hash, in one buffer."""
    handle = handle_for(content, kind)
    backend.save(handle, [content])
    return handle


def listed(backend: Backend, kind: FileKind) -> list[StoredObject]:
    """A complete listing, sorted by name."""
    return sorted(backend.list(kind))


class BackendSuite:
    """The conformance tests.

    Attributes:
        removal_reports_missing: whether removing what is not there raises `ObjectNotFound`; some storage cannot tell.
        large_bytes: size of the largest object that is tried.
    """

    removal_reports_missing = True
    large_bytes = _LARGE_BYTES

    @pytest.fixture
    def location(self) -> str:
        """Where the tests may make an empty repository; another place for each test."""
        raise pytest.UsageError("a subclass of BackendSuite must override the fixture `location` or `backend`")

    @pytest.fixture
    def options(self) -> BackendOptions:
        """How to open it. Nothing is repeated, so that every error is seen."""
        return BackendOptions(retry_deadline_s=0)

    @pytest.fixture
    def folder(self) -> str:
        """The folder in which the repository's objects are files; empty if there is none."""
        return ""

    @pytest.fixture
    def backend(self, location: str, options: BackendOptions) -> Iterator[Backend]:
        """An open backend at an empty location that was prepared."""
        opened = open_backend(location, options=options)
        try:
            opened.create()
            yield opened
        finally:
            opened.close()

    # --- saving and loading ---

    @pytest.mark.parametrize("kind", NAMED_KINDS)
    def test_what_was_saved_is_loaded(self, backend: Backend, kind: FileKind) -> None:
        content = f"an object of kind {kind.value}".encode()
        handle = store(backend, content, kind)
        assert backend.load(handle) == content
        assert backend.size(handle) == len(content)
        assert listed(backend, kind) == [StoredObject(handle.name, len(content))]

    def test_kinds_do_not_mix(self, backend: Backend) -> None:
        content = b"the same bytes"
        for kind in NAMED_KINDS:
            store(backend, content, kind)
        backend.remove(handle_for(content, FileKind.LOCK))
        assert listed(backend, FileKind.LOCK) == []
        assert all(len(listed(backend, kind)) == 1 for kind in NAMED_KINDS if kind is not FileKind.LOCK)

    def test_buffers_of_every_type_are_joined_in_order(self, backend: Backend) -> None:
        content = bytes(range(256)) * 40
        handle = handle_for(content)
        backend.save(handle, [content[:10], b"", bytearray(content[10:1000]), memoryview(content)[1000:]])
        assert backend.load(handle) == content

    def test_very_many_small_buffers(self, backend: Backend) -> None:
        content = os.urandom(5000)
        handle = handle_for(content)
        backend.save(handle, [content[at : at + 1] for at in range(len(content))])
        assert backend.load(handle) == content

    def test_an_empty_object(self, backend: Backend) -> None:
        handle = handle_for(b"")
        backend.save(handle, [b""])
        assert backend.load(handle) == b""
        assert backend.load(handle, 0, 0) == b""
        assert backend.size(handle) == 0
        with pytest.raises(ShortRead):
            backend.load(handle, 0, 1)

    def test_a_large_object(self, backend: Backend) -> None:
        content = os.urandom(self.large_bytes)
        view = memoryview(content)
        handle = handle_for(content)
        backend.save(handle, [view[at : at + 1_000_003] for at in range(0, len(content), 1_000_003)])
        assert backend.size(handle) == len(content)
        assert hashlib.sha256(backend.load(handle)).hexdigest() == handle.name
        middle = len(content) // 2
        assert backend.load(handle, middle, 300_000) == content[middle : middle + 300_000]

    def test_the_same_object_may_be_saved_again(self, backend: Backend) -> None:
        content = b"twice the same"
        handle = store(backend, content)
        backend.save(handle, [content[:3], content[3:]])
        assert backend.load(handle) == content
        assert len(listed(backend, FileKind.PACK)) == 1

    def test_create_may_be_called_again(self, backend: Backend) -> None:
        handle = store(backend, b"kept")
        backend.create()
        assert backend.load(handle) == b"kept"

    # --- ranges ---

    @pytest.mark.parametrize(
        ("offset", "length"),
        [(0, None), (0, 1), (0, 100), (1, 98), (1, None), (99, 1), (99, None), (50, 0), (100, None)],
    )
    def test_ranges(self, backend: Backend, offset: int, length: int | None) -> None:
        content = bytes(range(100))
        handle = store(backend, content)
        end = len(content) if length is None else offset + length
        assert backend.load(handle, offset, length) == content[offset:end]

    @pytest.mark.parametrize(("offset", "length"), [(0, 101), (99, 2), (100, 1), (200, 1), (101, None), (1000, 1000)])
    def test_a_range_beyond_the_end_is_a_short_read(self, backend: Backend, offset: int, length: int | None) -> None:
        handle = store(backend, bytes(range(100)))
        with pytest.raises(ShortRead):
            backend.load(handle, offset, length)

    @pytest.mark.parametrize(("offset", "length"), [(-1, 1), (0, -1), (-5, None)])
    def test_a_negative_range_is_refused(self, backend: Backend, offset: int, length: int | None) -> None:
        handle = store(backend, bytes(range(100)))
        with pytest.raises(BackendError):
            backend.load(handle, offset, length)

    # --- what is not there ---

    @pytest.mark.parametrize("handle", [CONFIG_HANDLE, *(Handle(kind, "0a" * 32) for kind in NAMED_KINDS)])
    def test_a_missing_object_is_not_found(self, backend: Backend, handle: Handle) -> None:
        calls: list[Callable[[], object]] = [
            lambda: backend.load(handle),
            lambda: backend.size(handle),
            lambda: backend.load(handle, 3, 4),
        ]
        for call in calls:
            with pytest.raises(ObjectNotFound) as caught:
                call()
            assert caught.value.exit_code == 1
            assert not caught.value.transient

    def test_removing_what_is_missing(self, backend: Backend) -> None:
        handle = Handle(FileKind.INDEX, "0b" * 32)
        if self.removal_reports_missing:
            with pytest.raises(ObjectNotFound):
                backend.remove(handle)
        else:
            backend.remove(handle)

    @pytest.mark.parametrize("kind", FileKind)
    def test_an_empty_location_lists_nothing(self, backend: Backend, kind: FileKind) -> None:
        assert listed(backend, kind) == []

    @pytest.mark.parametrize(
        "name", ["", "..", "../config", "0A" * 32, "0a" * 31, "0a" * 32 + "\n", "../" * 20 + "etcd"]
    )
    def test_a_name_that_is_none_reaches_nothing(self, backend: Backend, name: str) -> None:
        handle = Handle(FileKind.SNAPSHOT, name)
        calls: list[Callable[[], object]] = [
            lambda: backend.load(handle),
            lambda: backend.size(handle),
            lambda: backend.remove(handle),
            lambda: backend.save(handle, [b"never stored"]),
        ]
        for call in calls:
            with pytest.raises(BackendError):
                call()
        assert listed(backend, FileKind.SNAPSHOT) == []

    # --- the config ---

    def test_the_config_is_created_once(self, backend: Backend) -> None:
        backend.save(CONFIG_HANDLE, [b"the ", b"first"])
        with pytest.raises(ObjectExists):
            backend.save(CONFIG_HANDLE, [b"a second"])
        assert backend.load(CONFIG_HANDLE) == b"the first"
        assert backend.size(CONFIG_HANDLE) == 9
        assert listed(backend, FileKind.CONFIG) == []

    def test_the_config_may_be_created_again_once_removed(self, backend: Backend) -> None:
        backend.save(CONFIG_HANDLE, [b"one"])
        backend.remove(CONFIG_HANDLE)
        with pytest.raises(ObjectNotFound):
            backend.load(CONFIG_HANDLE)
        backend.save(CONFIG_HANDLE, [b"two"])
        assert backend.load(CONFIG_HANDLE) == b"two"

    # --- listing and removing ---

    def test_listing_many(self, backend: Backend) -> None:
        contents = [f"object {number}".encode() for number in range(60)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(partial(store, backend), contents))
        expected = sorted(StoredObject(handle_for(content).name, len(content)) for content in contents)
        assert listed(backend, FileKind.PACK) == expected

    def test_removed_objects_are_gone(self, backend: Backend) -> None:
        kept, removed = store(backend, b"kept", FileKind.KEY), store(backend, b"removed", FileKind.KEY)
        backend.remove(removed)
        assert [entry.name for entry in listed(backend, FileKind.KEY)] == [kept.name]
        with pytest.raises(ObjectNotFound):
            backend.load(removed)
        backend.save(removed, [b"removed"])
        assert backend.load(removed) == b"removed"

    def test_foreign_names_are_left_out(self, backend: Backend, folder: str) -> None:
        handle = store(backend, b"a real one", FileKind.SNAPSHOT)
        pack = store(backend, b"a real pack")
        if folder:
            for name in ("x", handle.name.upper(), f"{handle.name}-tmp-0123", f".{handle.name}", handle.name[:63]):
                _plant(f"{folder}/snapshots/{name}")
                _plant(f"{folder}/data/{pack.name[:2]}/{name}")
            os.makedirs(f"{folder}/snapshots/{'0c' * 32}/deeper")
        assert [entry.name for entry in listed(backend, FileKind.SNAPSHOT)] == [handle.name]
        assert [entry.name for entry in listed(backend, FileKind.PACK)] == [pack.name]

    # --- threads and the end ---

    def test_eight_threads_at_once(self, backend: Backend) -> None:
        def work(number: int) -> None:
            content = bytes([number]) * 100_000
            handle = store(backend, content)
            assert backend.load(handle, 5, 10) == content[5:15]
            assert backend.load(handle) == content

        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(work, range(3 * _THREADS)))
        assert len(listed(backend, FileKind.PACK)) == 3 * _THREADS

    def test_eight_threads_save_the_same_object(self, backend: Backend) -> None:
        content = b"wanted by all " * 1000
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(partial(store, backend), [content] * _THREADS))
        assert backend.load(handle_for(content)) == content
        assert len(listed(backend, FileKind.PACK)) == 1

    def test_closing_twice(self, backend: Backend) -> None:
        store(backend, b"something")
        backend.close()
        backend.close()

    def test_it_says_where_it_is(self, backend: Backend) -> None:
        assert backend.url
        assert backend.connections >= 1


def _plant(path: str) -> None:
    with open(path, "wb") as target:
        target.write(b"not an object")
