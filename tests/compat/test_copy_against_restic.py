"""Copies of ours restore with restic, and each program recognises what the other has copied."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from compat.engine import back_up, make_repository, session
from compat.reference import Restic
from holdfast.repository.copy import CopyOptions, CopyReport, copy
from holdfast.repository.snapshots import load_snapshots
from holdfast.testing.zoo import differences, fingerprint

PASSWORD = ["--from-password-command", "echo geheim"]


@pytest.fixture
def source(tmp_path: Path, rng: random.Random) -> Path:
    folder = tmp_path / "source"
    (folder / "sub" / "empty").mkdir(parents=True)
    for name, size in (("a", 0), ("b", 1), ("large", 2_000_000), ("sub/é <&>", 30_000)):
        (folder / name).write_bytes(rng.randbytes(size))
    (folder / "text").write_bytes(b"the same line again and again\n" * 10_000)
    (folder / "link").symlink_to("b")
    return folder


def copy_by_us(source: Path, target: Path) -> CopyReport:
    with session(source, exclusive=False) as here, session(target, exclusive=False) as there:
        snapshots = load_snapshots(here.repository)
        return copy(here.repository, here.index, there.repository, there.index, there.lock, snapshots, CopyOptions())


def copy_by_restic(restic: Restic, source: Path, target: Path) -> str:
    done = restic.run("copy", "--from-repo", source, *PASSWORD, "-v", "-v", repo=target)
    return done.stdout.decode()


def restored(restic: Restic, repo: Path, folder: Path) -> dict[bytes, dict[str, Any]]:
    shutil.rmtree(folder, ignore_errors=True)
    restic.run("restore", "latest", "--target", folder, repo=repo)
    return fingerprint(str(folder))


@pytest.mark.parametrize(("from_version", "to_version"), [(1, 2), (2, 1), (2, 2)])
def test_restic_restores_what_we_copied(
    restic: Restic, tmp_path: Path, source: Path, from_version: int, to_version: int
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    restic.run("init", "--repository-version", str(from_version), repo=first)
    restic.run("backup", "--tag", "x,y", source, repo=first)
    make_repository(second, version=to_version)
    report = copy_by_us(first, second)
    assert [one.new for one in report.snapshots] == [True]
    restic.run("check", "--read-data", repo=second)
    before = restored(restic, first, tmp_path / "out")
    assert not differences(before, restored(restic, second, tmp_path / "out"))
    assert "was already copied" in copy_by_restic(restic, first, second)


def test_we_recognise_what_restic_copied(restic: Restic, tmp_path: Path, source: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    make_repository(first)
    make_repository(second)
    back_up(first, source, tags=("x", "y"))
    copy_by_restic(restic, first, second)
    report = copy_by_us(first, second)
    assert [one.new for one in report.snapshots] == [False]
    assert report.copied_blobs == 0
    back = copy_by_us(second, first)
    assert [one.new for one in back.snapshots] == [False]
