"""The whole zoo of awkward files, backed up by one program and restored by the other, down to the last attribute."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from compat.engine import back_up, make_repository
from compat.reference import FOUND, Restic
from compat.tools import OURS, Fingerprint, Theirs, restored
from holdfast.repository.blobs import Compression
from holdfast.testing.zoo import differences, fingerprint, make_zoo

WITH_SPARSE = [version for version in FOUND if not version.startswith("0.14")]
BLOB_OF_ZEROS = 512 * 1024
HOLES = {b"contents/sparse": 2 * BLOB_OF_ZEROS, b"contents/all-hole": 0, b"contents/zeros": 0}
"""Files of the zoo with holes, and the most they may take on disk where a hole is a whole blob of zeros."""


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zoo") / "animals"
    folder.mkdir()
    make_zoo(str(folder), large_bytes=1 << 20)
    os.symlink(b"<&>\b\f\x01\x7f \xe2\x80\xa8 \xef\xbf\xbd \xee\x80\x80", os.fsencode(folder) + b"/links/controls")
    os.setxattr(folder / "metadata" / "xattr", 'user.<é&"\\>'.encode(), b"")
    os.setxattr(folder / "metadata" / "sticky", b"user.large", bytes(range(256)) * 8)
    os.utime(folder / "links" / "absolute-dangling", ns=(1, 1_234_567_890_987_654_321), follow_symlinks=False)
    return folder


@pytest.fixture(scope="module")
def expected(zoo: Path) -> Fingerprint:
    return fingerprint(str(zoo))


@pytest.fixture(scope="module", params=[1, 2], ids=["format-1", "format-2"])
def ours(request: pytest.FixtureRequest, zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Our backup of the zoo, which no test changes."""
    repo = tmp_path_factory.mktemp("ours") / "repository"
    OURS.init(repo, version=request.param)
    return repo, OURS.backup(repo, zoo)


def without_raw_targets(files: Fingerprint) -> Fingerprint:
    """COMPAT(restic): before 0.16, bytes of a link's target that are no UTF-8 were lost in backup and in restore."""
    changed = dict(files)
    target = files[b"links/raw-target"]["target"]
    assert target == b"\xff\xfe"
    changed[b"links/raw-target"] = files[b"links/raw-target"] | {"target": target.decode(errors="replace").encode()}
    return changed


def without_linked_links(files: Fingerprint) -> Fingerprint:
    """COMPAT(restic): restores each name of a symbolic link with several names as a link of its own."""
    changed = dict(files)
    for twin in (b"links/relative", b"links/relative-twin"):
        changed[twin] = {key: value for key, value in files[twin].items() if key != "links"}
        assert changed[twin] != files[twin]
    return changed


def as_restored_by(restic: Restic, files: Fingerprint) -> Fingerprint:
    """What restic can make of the zoo."""
    return without_linked_links(files if restic.at_least("0.16") else without_raw_targets(files))


def as_stored_by(restic: Restic, files: Fingerprint) -> Fingerprint:
    """What restic tells about the zoo."""
    return files if restic.at_least("0.16") else without_raw_targets(files)


def on_disk(folder: bytes) -> dict[bytes, int]:
    """Bytes that files with holes take."""
    return {name: os.lstat(os.path.join(folder, name)).st_blocks * 512 for name in HOLES}


def assert_holes(folder: bytes) -> None:
    for name, most in HOLES.items():
        assert on_disk(folder)[name] <= most + 64 * 1024, name


def test_restic_restores_what_we_backed_up(
    restic: Restic, ours: tuple[Path, str], zoo: Path, expected: Fingerprint
) -> None:
    repo, snapshot = ours
    theirs = Theirs(restic)
    theirs.check(repo)
    assert not differences(as_restored_by(restic, expected), restored(theirs, repo, snapshot, zoo))


def test_we_restore_what_restic_backed_up(restic: Restic, tmp_path: Path, zoo: Path, expected: Fingerprint) -> None:
    repo, target = tmp_path / "repository", tmp_path / "restored"
    theirs = Theirs(restic)
    theirs.init(repo)
    snapshot = theirs.backup(repo, zoo)
    OURS.check(repo)
    OURS.restore(repo, snapshot, target)
    files = os.fsencode(target) + os.fsencode(zoo)
    assert not differences(as_stored_by(restic, expected), fingerprint(os.fsdecode(files)))
    assert_holes(files)


def test_we_restore_what_we_backed_up(ours: tuple[Path, str], tmp_path: Path, zoo: Path, expected: Fingerprint) -> None:
    repo, snapshot = ours
    OURS.restore(repo, snapshot, tmp_path / "restored")
    files = os.fsencode(tmp_path / "restored") + os.fsencode(zoo)
    assert not differences(expected, fingerprint(os.fsdecode(files)))
    assert_holes(files)


@pytest.mark.parametrize("restic", WITH_SPARSE, indirect=True)
def test_restic_makes_holes_of_our_zeros(restic: Restic, ours: tuple[Path, str], tmp_path: Path, zoo: Path) -> None:
    repo, snapshot = ours
    restic.run("restore", snapshot, "--sparse", "--target", tmp_path / "restored", repo=repo)
    assert_holes(os.fsencode(tmp_path / "restored") + os.fsencode(zoo))


@pytest.mark.parametrize("compression", list(Compression), ids=lambda level: level.name.lower())
def test_every_compression_and_pack_size_of_ours_is_read_by_restic(
    newest_restic: Restic, tmp_path: Path, zoo: Path, expected: Fingerprint, compression: Compression
) -> None:
    repo = tmp_path / "repository"
    make_repository(repo)
    pack_bytes = 100_000 if compression is Compression.FASTEST else 4 << 20
    snapshot = back_up(repo, zoo, compression=compression, pack_bytes=pack_bytes)
    theirs = Theirs(newest_restic)
    theirs.check(repo)
    assert snapshot.id is not None
    files = restored(theirs, repo, snapshot.id.hex(), zoo)
    assert not differences(as_restored_by(newest_restic, expected), files)


@pytest.mark.parametrize("mode", ["off", "fastest", "better", "max"])
def test_every_compression_of_restic_is_read_by_us(newest_restic: Restic, tmp_path: Path, mode: str) -> None:
    if mode in ("fastest", "better") and not newest_restic.at_least("0.18"):
        pytest.skip("this restic has no such mode")
    source = tmp_path / "source"
    source.mkdir()
    (source / "text").write_bytes(b"all work and no play\n" * 60_000)
    (source / "noise").write_bytes(os.urandom(700_000))
    theirs = Theirs(newest_restic)
    repo = tmp_path / "repository"
    theirs.init(repo)
    newest_restic.run("backup", source, "--compression", mode, "--pack-size", "4", repo=repo)
    (snapshot,) = OURS.snapshots(repo)
    OURS.check(repo)
    assert not differences(fingerprint(str(source)), restored(OURS, repo, snapshot, source))


@pytest.mark.parametrize("restic", WITH_SPARSE, indirect=True)
def test_restic_finds_our_trees_canonical(restic: Restic, ours: tuple[Path, str], zoo: Path) -> None:
    """To rewrite a snapshot restic encodes each tree again and refuses if one byte of any changes."""
    repo, snapshot = ours
    output = restic.run("rewrite", "--dry-run", "--exclude", "/no such thing", snapshot, repo=repo).stdout
    assert b"no snapshots were modified" in output or b"no snapshots would be modified" in output
    if restic.at_least("0.16"):
        assert b"no snapshots would be modified" in restic.run("repair", "snapshots", "--dry-run", repo=repo).stdout
