"""Each prunes what the other wrote; restic finds the rest whole and restores it as before."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from compat.engine import PASSWORD, back_up, make_repository, session
from compat.reference import Restic
from holdfast.policy.retention import KeepPolicy
from holdfast.repository.forget import ForgetOptions, forget, plan_by_policy
from holdfast.repository.prune.options import MaxUnused, PruneOptions
from holdfast.repository.prune.run import PruneReport, prune
from holdfast.repository.snapshots import load_snapshots
from holdfast.testing.zoo import differences, fingerprint

NOTHING_UNUSED = PruneOptions(max_unused=MaxUnused(percent=0))


def change(source: Path, rng: random.Random) -> None:
    """Some files go, some come, one grows."""
    source.mkdir(exist_ok=True)
    for path in sorted(source.rglob("*")):
        if path.is_file() and rng.random() < 0.4:
            path.unlink()
    for number in range(12):
        folder = source / rng.choice(["", "sub", "sub/deeper"])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file-{rng.randrange(1000)}-{number}").write_bytes(rng.randbytes(rng.randrange(30_000)))
    with (source / "grows").open("ab") as file:
        file.write(rng.randbytes(700_000))
    (source / "text").write_bytes(b"the same line again and again\n" * rng.randrange(20_000))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return tmp_path / "repo"


def restored_by(restic: Restic, repo: Path, folder: Path) -> dict[bytes, dict[str, Any]]:
    """What restic makes of the latest snapshot."""
    shutil.rmtree(folder, ignore_errors=True)
    restic.run("restore", "latest", "--target", folder, repo=repo)
    return fingerprint(str(folder))


def forget_and_prune_by_us(repo: Path, keep_last: int, options: PruneOptions = NOTHING_UNUSED) -> PruneReport:
    with session(repo) as (repository, index, lock):
        policy = ForgetOptions(policy=KeepPolicy(last=keep_last))
        plan = plan_by_policy(load_snapshots(repository), policy, now=repository.clock.now())
        assert forget(repository, lock, plan).removed
        return prune(repository, index, lock, options)


@pytest.mark.parametrize("version", [1, 2])
def test_we_prune_what_restic_wrote(
    restic: Restic, tmp_path: Path, repo: Path, source: Path, rng: random.Random, version: int
) -> None:
    restic.run("init", "--repository-version", str(version), repo=repo)
    for _ in range(3):
        change(source, rng)
        restic.run("backup", source, repo=repo)
    before = restored_by(restic, repo, tmp_path / "restored")
    report = forget_and_prune_by_us(repo, 1)
    assert report.copied_blobs
    assert report.failed == ()
    restic.run("check", "--read-data", repo=repo)
    assert not differences(before, restored_by(restic, repo, tmp_path / "restored"))
    assert blobs_in_prune(restic, repo)["unused"] == 0


def blobs_in_prune(restic: Restic, repo: Path) -> Counter[str]:
    """How many blobs restic would do what with."""
    output = restic.run("prune", "--dry-run", "--max-unused", "0", "-v", repo=repo).stdout.decode()
    lines = [line.split(":", 1) for line in output.splitlines() if ":" in line]
    return Counter({name: int(rest.split()[0]) for name, rest in lines if rest.split()[1:2] == ["blobs"]})


def test_restic_prunes_what_we_wrote_and_pruned(
    restic: Restic, tmp_path: Path, repo: Path, source: Path, rng: random.Random
) -> None:
    make_repository(repo)
    for _ in range(4):
        change(source, rng)
        back_up(repo, source)
    before = restored_by(restic, repo, tmp_path / "restored")
    forget_and_prune_by_us(repo, 3)
    restic.run("check", "--read-data", repo=repo)
    restic.run("forget", "--keep-last", "1", "--prune", "--max-unused", "0", repo=repo)
    restic.run("check", "--read-data", repo=repo)
    assert not differences(before, restored_by(restic, repo, tmp_path / "restored"))
    with session(repo) as (repository, index, lock):
        report = prune(repository, index, lock, NOTHING_UNUSED)
        assert report.stats.remaining_unused_bytes == report.packs_removed == 0


def test_data_that_restic_stored_uncompressed_is_compressed(
    restic: Restic, tmp_path: Path, repo: Path, source: Path, rng: random.Random
) -> None:
    restic.run("init", "--repository-version", "1", repo=repo)
    change(source, rng)
    restic.run("backup", source, repo=repo)
    before = restored_by(restic, repo, tmp_path / "restored")
    restic.run("migrate", "upgrade_repo_v2", repo=repo)
    with session(repo) as (repository, index, lock):
        report = prune(repository, index, lock, PruneOptions(repack_uncompressed=True))
        assert report.copied_blobs == report.stats.used.blobs
        assert all(blob.raw_length for pack in index.packs() for blob in pack.blobs)
        assert prune(repository, index, lock, PruneOptions(repack_uncompressed=True)).copied_blobs == 0
    restic.run("check", "--read-data", repo=repo)
    assert not differences(before, restored_by(restic, repo, tmp_path / "restored"))


def test_emergency_mode_leaves_a_whole_repository(
    newest_restic: Restic, tmp_path: Path, repo: Path, source: Path, rng: random.Random
) -> None:
    newest_restic.run("init", repo=repo)
    for _ in range(3):
        change(source, rng)
        newest_restic.run("backup", source, repo=repo)
    before = restored_by(newest_restic, repo, tmp_path / "restored")
    report = forget_and_prune_by_us(repo, 1, PruneOptions(unsafe_recover_no_free_space=True))
    assert report.packs_removed
    newest_restic.run("check", "--read-data", repo=repo)
    assert not differences(before, restored_by(newest_restic, repo, tmp_path / "restored"))


def test_same_packs_as_restic_would_take(newest_restic: Restic, repo: Path, source: Path, rng: random.Random) -> None:
    """Both count the same bytes as used, unused, to be removed and to be repacked."""
    newest_restic.run("init", repo=repo)
    for _ in range(4):
        change(source, rng)
        newest_restic.run("backup", source, repo=repo)
    newest_restic.run("forget", "--keep-last", "1", repo=repo)
    with session(repo) as (repository, index, lock):
        options = PruneOptions(dry_run=True, max_unused=MaxUnused(percent=0))
        stats = prune(repository, index, lock, options).stats
    counted = blobs_in_prune(newest_restic, repo)
    assert counted["used"] == stats.used.blobs
    assert counted["unused"] == stats.unused.blobs
    assert counted["to repack"] == stats.repacked.blobs > 0
    assert counted["this removes"] == stats.dropped.blobs
    assert counted["to delete"] == stats.removed.blobs


def test_password_is_shared() -> None:
    assert Restic(path=Path(), version="0", home=Path()).password.encode() == PASSWORD
