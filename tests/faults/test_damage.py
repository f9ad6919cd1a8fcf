"""Damage of any kind is found by a check that reads everything, and never restores to anything else.

Source of the figures: every single bit and every length of every file of a small repository, key files and config
included; then random damage of many sizes to a larger one.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from faults import planted_bugs
from forge_kit import Forge, check_all, check_plain, dir_node, file_node, overwrite
from holdfast.backends.local import LocalBackend
from holdfast.backends.memory import MemoryBackend
from holdfast.errors import DamageError, HoldfastError
from holdfast.format import key_file
from holdfast.model.ids import PackId, SnapshotId
from holdfast.model.key import KeyFile
from holdfast.model.node import Node, NodeType
from holdfast.model.pack import Pack
from holdfast.protocols import CONFIG_HANDLE, Backend, FileKind, Handle, StoredObject
from holdfast.repository import local_copies
from holdfast.repository.backup.report import BackupOptions
from holdfast.repository.backup.run import backup
from holdfast.repository.check import documents
from holdfast.repository.check.pack_source import MemorySource
from holdfast.repository.index import Index
from holdfast.repository.keys import add_key
from holdfast.repository.locks import acquire
from holdfast.repository.opening import open_repository
from holdfast.repository.repository import Repository
from holdfast.repository.restore.report import RestoreOptions
from holdfast.repository.restore.run import restore_snapshot
from holdfast.repository.snapshots import load_snapshots
from holdfast.testing.oracles import Digests, Promise, all_digests, require_loud_damage
from holdfast.testing.stand_in import standing_in
from repository_kit import CHEAP, new_repository

PASSWORD = b"secret"
KINDS = [FileKind.KEY, FileKind.INDEX, FileKind.SNAPSHOT, FileKind.PACK]


class Target:
    """A small repository and what is known of it.

    Attributes:
        files: every stored file with its bytes.
        snapshots: a digest of what each snapshot holds.
    """

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.backend: Backend = repository.backend
        self.snapshots: Digests = all_digests(repository)
        self.promise = Promise(snapshots=frozenset(self.snapshots), passwords=((PASSWORD,),))
        handles = [Handle(kind, entry.name) for kind in KINDS for entry in self.backend.list(kind)]
        self.files = {handle: self.backend.load(handle) for handle in (CONFIG_HANDLE, *handles)}

    def damaged(self, handle: Handle, content: bytes) -> AbstractContextManager[object]:
        """While the block runs, a file has other bytes."""
        overwrite(self.repository, handle, content)
        return closing(_Undo(self, handle))

    def is_found(self, plain: bool = False) -> bool:
        """Whether opening or checking the repository says that it is damaged."""
        try:
            repository = open_repository(self.backend, PASSWORD)
        except DamageError:
            return True
        return not (check_plain(repository) if plain else check_all(repository)).whole

    def is_loud(self) -> bool:
        """Whether reading everything fails. Raises `Violation` if it gives anything else than was backed up."""
        return require_loud_damage(self.backend, self.promise, self.snapshots, self.repository.config)


class _Undo:
    def __init__(self, target: Target, handle: Handle) -> None:
        self._target = target
        self._handle = handle

    def close(self) -> None:
        overwrite(self._target.repository, self._handle, self._target.files[self._handle])


def tiny() -> Target:
    """Every kind of repository file, small: a file of two blobs (one of them compressed), a directory, a link.

    Either of two keys opens it, so that damage to one does not keep the check from running.
    """
    forge = Forge(new_repository(MemoryBackend("tiny"), password=PASSWORD))
    add_key(forge.repository, PASSWORD, parameters=CHEAP, allow_weak=True)
    inner = forge.tree([Node(name=b"l", type=NodeType.SYMLINK, linktarget=b"f")])
    first, second = b"x" * 100, b"short"
    file = file_node(b"f", [forge.data(first), forge.data(second)], len(first) + len(second))
    forge.finish(forge.tree([dir_node(b"d", inner), file]), hostname="host", tags=("tag",))
    return Target(forge.repository)


def handles(target: Target, kind: FileKind) -> list[Handle]:
    return [handle for handle in target.files if handle.kind is kind]


def flips(content: bytes) -> Iterator[bytes]:
    """The content with each single bit changed."""
    for position in range(len(content)):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[position] ^= 1 << bit
            yield bytes(flipped)


@pytest.mark.parametrize("kind", [FileKind.CONFIG, *KINDS])
def test_every_flipped_bit_is_found_and_loud(kind: FileKind) -> None:
    target = tiny()
    # The two keys are alike.
    for handle in handles(target, kind)[: 1 if kind is FileKind.KEY else None]:
        for content in flips(target.files[handle]):
            with target.damaged(handle, content):
                assert target.is_found()
                target.is_loud()


@pytest.mark.parametrize("kind", [FileKind.CONFIG, *KINDS])
def test_every_truncation_is_found_and_loud(kind: FileKind) -> None:
    target = tiny()
    for handle in handles(target, kind):
        content = target.files[handle]
        for length in range(len(content)):
            with target.damaged(handle, content[:length]):
                assert target.is_found(plain=True), f"{handle} cut to {length} bytes"
                target.is_loud()


@pytest.mark.parametrize("kind", [FileKind.CONFIG, *KINDS])
@pytest.mark.parametrize("tail", [b"\0", b"more", bytes(4096)])
def test_bytes_that_were_appended_are_found(kind: FileKind, tail: bytes) -> None:
    target = tiny()
    for handle in handles(target, kind):
        with target.damaged(handle, target.files[handle] + tail):
            assert target.is_found(plain=True)
            target.is_loud()


@pytest.mark.parametrize("kind", [FileKind.INDEX, FileKind.PACK])
def test_a_missing_file_is_found_by_a_plain_check(kind: FileKind) -> None:
    target = tiny()
    for handle in handles(target, kind):
        target.backend.remove(handle)
        assert target.is_found(plain=True)
        assert target.is_loud()
        target.backend.save(handle, [target.files[handle]])
    assert not target.is_found()


def test_files_that_changed_places_are_found() -> None:
    target = tiny()
    one, other = handles(target, FileKind.PACK)
    with target.damaged(one, target.files[other]), target.damaged(other, target.files[one]):
        assert target.is_found()
        target.is_loud()


def test_what_does_not_belong_there_is_ignored(tmp_path: Path) -> None:
    forge = Forge(new_repository(LocalBackend(str(tmp_path / "repository")), password=PASSWORD))
    forge.finish(forge.tree([forge.file(b"f", b"content")]))
    target = Target(forge.repository)
    for folder in ("", "keys", "index", "snapshots", "data", "locks", "data/ab"):
        base = tmp_path / "repository" / folder
        for name in (".hidden", "x" * 64, "ab" * 32 + "-tmp-0123", "note.txt"):
            (base / name).write_bytes(b"")
        (base / ("cd" * 32)).mkdir()
    assert not target.is_found()
    assert not target.is_loud()


# --- a restore, and not only a reading of everything -----------------------------------------------


def restored(target: Target, folder: Path) -> dict[str, bytes] | None:
    """What a restore of the newest snapshot gives, by path; None if it says that something is wrong."""
    try:
        repository = open_repository(target.backend, PASSWORD)
        with Index(repository, private=True) as index:
            index.sync()
            snapshot = load_snapshots(repository)[-1]
            report = restore_snapshot(repository, index, snapshot, folder, RestoreOptions())
    except (HoldfastError, IndexError):
        return None
    return None if report.problems else tree_of(folder)


def tree_of(folder: Path) -> dict[str, bytes]:
    """Every path below a folder, with its kind, permissions, time and content."""
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = os.fsencode(os.readlink(path)) if path.is_symlink() else b""
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
        found[str(path.relative_to(folder))] = f"{status.st_mode} {status.st_mtime_ns} ".encode() + content
    return found


def test_a_restore_of_damage_is_the_same_or_an_error(tmp_path: Path, rng: random.Random) -> None:
    target = tiny()
    expected = restored(target, tmp_path / "whole")
    assert expected
    identical = 0
    for number in range(150):
        handle = rng.choice(list(target.files))
        content = bytearray(target.files[handle])
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        with target.damaged(handle, bytes(content)):
            result = restored(target, tmp_path / str(number))
        assert result is None or result == expected
        identical += result is not None
    # A key file or a pack's header may be damaged without any harm to a restore.
    assert identical < 150


# --- each guard is needed --------------------------------------------------------------------------

Bug = Callable[[], AbstractContextManager[None]]
WRONG_NAME = b"\5" * 32


def config_flips_all_found() -> bool:
    target = tiny()
    content = target.files[CONFIG_HANDLE]
    for flipped in flips(content):
        with target.damaged(CONFIG_HANDLE, flipped):
            if not target.is_found():
                return False
    return True


def snapshot_under_another_name_found() -> bool:
    target = tiny()
    [handle] = handles(target, FileKind.SNAPSHOT)
    target.backend.remove(handle)
    target.backend.save(Handle(FileKind.SNAPSHOT, "ab" * 32), [target.files[handle]])
    return target.is_found()


def edited_key_found() -> bool:
    target = tiny()
    handle = handles(target, FileKind.KEY)[0]
    with target.damaged(handle, target.files[handle].replace(b'"username":"', b'"username":"not-')):
        return target.is_found()


def pack_under_another_name_found() -> bool:
    forge = Forge(new_repository(MemoryBackend("named"), password=PASSWORD))
    forge.data(b"content")
    tree = forge.tree([])
    data, trees = forge.pack()
    content = forge.repository.backend.load(Handle(FileKind.PACK, data.id.hex()))
    forge.repository.backend.remove(Handle(FileKind.PACK, data.id.hex()))
    forge.repository.backend.save(Handle(FileKind.PACK, WRONG_NAME.hex()), [content])
    forge.index([Pack(PackId(WRONG_NAME), data.blobs), trees])
    forge.snapshot(tree)
    return Target(forge.repository).is_found()


def names_not_checked() -> AbstractContextManager[None]:
    """The check believes that a document is the one its name promises."""
    return standing_in(local_copies, Repository=planted_bugs._Trusting)


def key_names_not_checked() -> AbstractContextManager[None]:
    """The check believes that a key file is the one its name promises."""

    def load_key_file(backend: Backend, entry: StoredObject) -> KeyFile:
        return key_file.decode(backend.load(Handle(FileKind.KEY, entry.name)))

    return standing_in(documents, load_key_file=load_key_file)


class _AnyName(bytes):
    """Is the name of every pack."""

    def __ne__(self, _other: object) -> bool:
        return False


def pack_names_not_checked() -> AbstractContextManager[None]:
    """The check believes that a pack is the one its name promises."""
    return standing_in(MemorySource, digest=lambda _self: _AnyName())


GUARDS = [
    (planted_bugs.mac_not_checked, config_flips_all_found),
    (names_not_checked, snapshot_under_another_name_found),
    (key_names_not_checked, edited_key_found),
    (pack_names_not_checked, pack_under_another_name_found),
]


@pytest.mark.parametrize(("bug", "found"), GUARDS)
def test_a_guard_left_out_turns_the_suite_red(bug: Bug, found: Callable[[], bool]) -> None:
    with bug():
        assert not found()


@pytest.mark.parametrize("found", [found for _, found in GUARDS])
def test_the_same_damage_is_found_with_the_guard(found: Callable[[], bool]) -> None:
    assert found()


# --- a larger repository ---------------------------------------------------------------------------


def larger(tmp_path: Path, rng: random.Random) -> Target:
    """A backup of some two hundred files, in memory."""
    source = tmp_path / "source"
    for number in range(200):
        folder = source / f"folder{number % 7}"
        folder.mkdir(parents=True, exist_ok=True)
        content = rng.randbytes(rng.randrange(1, 20_000)) if number % 3 else b"text " * rng.randrange(1, 4000)
        (folder / f"file{number}").write_bytes(content)
    repository = new_repository(MemoryBackend("larger"), password=PASSWORD)
    with Index(repository, persistent=False) as index, acquire(repository, exclusive=False) as lock:
        index.sync()
        backup(repository, index, lock, [source], BackupOptions(pack_bytes=200_000))
    return Target(repository)


def damage_at_random(content: bytes, rng: random.Random) -> bytes:
    """Flips, bursts, zeroed and repeated sectors, lost and inserted bytes; always something else than before."""
    while True:
        damaged = bytearray(content)
        start = rng.randrange(len(damaged))
        length = min(len(damaged) - start, rng.choice([1, 1, 2, 16, 512, 4096]))
        kind = rng.randrange(6)
        if kind == 0:
            damaged[start] ^= 1 << rng.randrange(8)
        elif kind == 1:
            damaged[start : start + length] = rng.randbytes(length)
        elif kind == 2:
            damaged[start : start + length] = bytes(length)
        elif kind == 3:
            other = rng.randrange(len(damaged) - length + 1)
            damaged[start : start + length] = content[other : other + length]
        elif kind == 4:
            del damaged[start : start + length]
        else:
            damaged[start:start] = rng.randbytes(length)
        if damaged != content:
            return bytes(damaged)


def damage_and_look(target: Target, rng: random.Random, times: int) -> None:
    by_kind = [handles(target, kind) for kind in (FileKind.CONFIG, *KINDS)]
    for _ in range(times):
        handle = rng.choice(rng.choice(by_kind))
        with target.damaged(handle, damage_at_random(target.files[handle], rng)):
            assert target.is_found(), f"{handle}"
            target.is_loud()


def test_random_damage_is_found_and_loud(tmp_path: Path, rng: random.Random) -> None:
    target = larger(tmp_path, rng)
    assert not target.is_found()
    assert set(target.snapshots) == {SnapshotId(bytes.fromhex(handles(target, FileKind.SNAPSHOT)[0].name))}
    damage_and_look(target, rng, 60)


@pytest.mark.deep
def test_much_random_damage_is_found_and_loud(tmp_path: Path, rng: random.Random) -> None:
    damage_and_look(larger(tmp_path, rng), rng, 10_000)
