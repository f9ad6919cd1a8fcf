"""Packs and index files of unusual shape: those that old programs left, and very many of them."""

from __future__ import annotations

import random
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import pytest

from compat.engine import PASSWORD, back_up, make_repository, session
from compat.reference import Restic
from compat.tools import OURS, Theirs, Tool, restored
from holdfast.backends.local import LocalBackend
from holdfast.format import index as index_format
from holdfast.format import pack as pack_format
from holdfast.model.blob import PackedBlob
from holdfast.model.ids import PackId
from holdfast.model.pack import Pack
from holdfast.protocols import FileKind, Handle
from holdfast.repository.check.report import CheckOptions
from holdfast.repository.check.run import check
from holdfast.repository.opening import open_repository
from holdfast.repository.repository import Repository
from holdfast.runtime.randomness import random_nonce
from holdfast.testing.zoo import differences, fingerprint

MANY_FILES = 68_000
"""An index file is closed with the first full pack after 50,000 blobs. Of 1000 bytes each, 62,500 fill four packs."""


@pytest.fixture
def source(tmp_path: Path, rng: random.Random) -> Path:
    folder = tmp_path / "source"
    (folder / "sub").mkdir(parents=True)
    for number in range(8):
        (folder / "sub" / f"file-{number}").write_bytes(rng.randbytes(rng.randrange(20_000)))
    (folder / "large").write_bytes(rng.randbytes(1_500_000))
    return folder


def merge_packs(repo: Path, rng: random.Random) -> None:
    """Puts every blob into one pack, trees among data, as programs did before trees had packs of their own."""
    with session(repo) as (repository, index, _):
        former = {pack.id: pack for pack in index.packs()}
        former_indexes = index.index_ids()
        pieces = [(pack, blob) for pack in former.values() for blob in pack.blobs]
        rng.shuffle(pieces)
        content, blobs = bytearray(), list[PackedBlob]()
        for pack, blob in pieces:
            sealed = repository.backend.load(Handle(FileKind.PACK, pack.id.hex()), blob.offset, blob.length)
            blobs.append(PackedBlob(blob.type, blob.id, len(content), blob.length, blob.raw_length))
            content += sealed
        header = repository.sealer().seal(pack_format.encode_header(blobs), random_nonce())
        content += bytes(header) + pack_format.encode_header_length(len(header))
        merged = Pack(PackId(sha256(content).digest()), tuple(blobs))
        repository.backend.save(Handle(FileKind.PACK, merged.id.hex()), [bytes(content)])
        list_packs(repository, [merged])
        for kind, names in ((FileKind.INDEX, former_indexes), (FileKind.PACK, former)):
            for name in names:
                repository.remove(kind, name)


def list_packs(repository: Repository, packs: Iterable[Pack]) -> None:
    repository.save_unpacked(FileKind.INDEX, index_format.encode_index(packs))


def mixed_packs(repo: Path) -> int:
    with session(repo) as (_, index, _lock):
        return sum(len({blob.type for blob in pack.blobs}) > 1 for pack in index.packs())


@pytest.mark.parametrize("pruner", ["we-prune", "restic-prunes"])
def test_mixed_packs_are_read_and_separated(
    restic: Restic, tmp_path: Path, source: Path, rng: random.Random, pruner: str
) -> None:
    repo = tmp_path / "repository"
    make_repository(repo, version=1)
    snapshot = OURS.backup(repo, source)
    merge_packs(repo, rng)
    expected = fingerprint(str(source))
    tools: tuple[Tool, ...] = (OURS, Theirs(restic))
    for tool in tools:
        tool.check(repo)
        assert not differences(expected, restored(tool, repo, snapshot, source))
    assert mixed_packs(repo) == 1
    tools[pruner == "restic-prunes"].prune(repo)
    assert mixed_packs(repo) == 0
    for tool in tools:
        tool.check(repo)
        assert not differences(expected, restored(tool, repo, snapshot, source))
    assert OURS.backup(repo, source) in Theirs(restic).snapshots(repo)


def test_an_index_listed_twice_is_no_damage(restic: Restic, tmp_path: Path, source: Path) -> None:
    """As two programs leave it that repair an index, or prune, at once."""
    repo = tmp_path / "repository"
    make_repository(repo)
    snapshot = OURS.backup(repo, source)
    with session(repo) as (repository, index, _):
        packs = list(index.packs())
        list_packs(repository, packs)
        for pack in packs:
            list_packs(repository, [pack])
    with session(repo) as (repository, _, lock):
        report = check(repository, lock, CheckOptions())
        assert report.whole
        assert {hint.code for hint in report.hints} == {"pack-listed-twice"}
    restic.run("check", repo=repo, check=restic.at_least("0.15"))
    OURS.prune(repo)
    for tool in (OURS, Theirs(restic)):
        assert not differences(fingerprint(str(source)), restored(tool, repo, snapshot, source))
    restic.run("prune", repo=repo)
    assert not differences(fingerprint(str(source)), restored(OURS, repo, snapshot, source))


def test_packs_that_nobody_lists_are_adopted_or_removed(restic: Restic, tmp_path: Path, source: Path) -> None:
    """What an interrupted backup of ours leaves: packs without an index, and nothing that refers to them."""
    repo = tmp_path / "repository"
    make_repository(repo)
    back_up(repo, source)
    for folder in ("index", "snapshots"):
        for path in (repo / folder).iterdir():
            path.unlink()
    assert restic.run("check", repo=repo, check=False).returncode in (0, 1)
    OURS.check(repo)
    restic.run("prune", repo=repo)
    repository = open_repository(LocalBackend(str(repo)), PASSWORD)
    assert not list(repository.names(FileKind.PACK))
    repository.close()
    snapshot = OURS.backup(repo, source)
    Theirs(restic).check(repo)
    assert not differences(fingerprint(str(source)), restored(Theirs(restic), repo, snapshot, source))


@pytest.mark.deep
@pytest.mark.parametrize("writer", ["we-write", "restic-writes"])
def test_very_many_blobs_fill_several_index_files(
    newest_restic: Restic, tmp_path: Path, rng: random.Random, writer: str
) -> None:
    source, repo = tmp_path / "source", tmp_path / "repository"
    for number in range(MANY_FILES):
        folder = source / f"{number % 100}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}").write_bytes(rng.randbytes(1000))
    expected = fingerprint(str(source))
    theirs = Theirs(newest_restic)
    writing, reading = (OURS, theirs) if writer == "we-write" else (theirs, OURS)
    writing.init(repo)
    snapshot = writing.backup(repo, source)
    assert len(list((repo / "index").iterdir())) > 1
    for tool in (writing, reading):
        tool.check(repo)
    assert not differences(expected, restored(reading, repo, snapshot, source))
    for folder in ("0", "1", "2"):
        for path in (source / folder).iterdir():
            path.unlink()
    second = reading.backup(repo, source)
    writing.forget(repo, snapshot)
    writing.prune(repo)
    for tool in (writing, reading):
        tool.check(repo)
    assert not differences(fingerprint(str(source)), restored(writing, repo, second, source))
