"""We leave out what restic leaves out; trees of either can be rewritten by the other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from compat.engine import back_up, make_repository, session
from compat.reference import Restic
from holdfast.model.snapshot import Snapshot
from holdfast.policy.patterns import Excludes, Includes
from holdfast.repository.migrate import upgrade_repo_v2
from holdfast.repository.rewrite import RewriteOptions, rewrite
from holdfast.repository.snapshots import load_snapshots
from holdfast.repository.tags import TagChange, change_tags
from holdfast.testing.zoo import AWKWARD_NAMES

FILES = ["a", "a.tmp", "sub/a", "sub/b.tmp", "sub/deeper/a", "sub/deeper/c", "other/x", "other/y/z"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    for name in FILES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 100)
    (folder / "sub" / "empty").mkdir()
    (folder / "names").mkdir()
    for name in AWKWARD_NAMES:
        with open(bytes(folder / "names") + b"/" + name, "wb") as file:
            file.write(name)
    return folder


def rewrite_by_us(repo: Path, **options: Any) -> None:
    with session(repo) as (repository, index, lock):
        snapshots = [one for one in load_snapshots(repository) if "rewrite" not in one.tags]
        report = rewrite(repository, index, lock, snapshots, RewriteOptions(**options))
        assert len(report.changed) == 1


def rewritten(repo: Path) -> list[Snapshot]:
    with session(repo, exclusive=False) as (repository, _, _):
        return [one for one in load_snapshots(repository) if "rewrite" in one.tags]


@pytest.mark.parametrize(
    ("excludes", "includes"),
    [
        (["*.tmp"], []),
        (["sub/deeper", "names"], []),
        (["*", "!*.tmp"], []),
        ([], ["*.tmp"]),
        ([], ["deeper", "y"]),
        ([], ["empty"]),
    ],
)
@pytest.mark.parametrize("writer", ["restic", "us"])
def test_same_trees_as_restic(
    newest_restic: Restic, tmp_path: Path, source: Path, writer: str, excludes: list[str], includes: list[str]
) -> None:
    repo = tmp_path / "repo"
    make_repository(repo)
    if writer == "us":
        back_up(repo, source)
    else:
        newest_restic.run("backup", source, repo=repo)
    options = [f"--exclude={pattern}" for pattern in excludes] + [f"--include={pattern}" for pattern in includes]
    newest_restic.run("rewrite", *options, repo=repo)
    if excludes:
        rewrite_by_us(repo, excludes=Excludes(map(str.encode, excludes)))
    else:
        rewrite_by_us(repo, includes=Includes(map(str.encode, includes)))
    one, other = rewritten(repo)
    assert one.tree == other.tree
    assert one.original == other.original
    assert one.summary == other.summary
    assert (one.tags, one.time, one.hostname, one.paths) == (other.tags, other.time, other.hostname, other.paths)
    newest_restic.run("check", "--read-data", repo=repo)


def test_every_restic_reads_what_we_rewrote(restic: Restic, tmp_path: Path, source: Path) -> None:
    repo = tmp_path / "repo"
    restic.run("init", repo=repo)
    restic.run("backup", source, repo=repo)
    rewrite_by_us(repo, excludes=Excludes([b"*.tmp", b"names"]), forget=True, new_host="elsewhere")
    restic.run("check", "--read-data", repo=repo)
    restic.run("restore", "latest", "--target", tmp_path / "out", repo=repo)
    found = {
        str(path.relative_to(tmp_path / "out" / str(source)[1:]))
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    assert found == {name for name in FILES if not name.endswith(".tmp")}
    (snapshots,) = restic.documents("snapshots", repo=repo)
    assert [one["hostname"] for one in snapshots] == ["elsewhere"]


def test_restic_tags_and_we_tag(restic: Restic, tmp_path: Path, source: Path) -> None:
    repo = tmp_path / "repo"
    make_repository(repo)
    first = back_up(repo, source, tags=("one",))
    restic.run("tag", "--add", "two", repo=repo)
    with session(repo) as (repository, _, lock):
        change_tags(repository, lock, load_snapshots(repository), TagChange(add=("three",), remove=("one",)))
    (snapshots,) = restic.documents("snapshots", repo=repo)
    (snapshot,) = snapshots
    assert snapshot["tags"] == ["two", "three"]
    assert first.id is not None
    assert snapshot["original"] == first.id.hex()


def test_restic_reads_a_repository_we_upgraded(restic: Restic, tmp_path: Path, source: Path) -> None:
    repo = tmp_path / "repo"
    restic.run("init", "--repository-version", "1", repo=repo)
    restic.run("backup", source, repo=repo)
    with session(repo) as (repository, _, lock):
        upgrade_repo_v2(repository, lock, copy_folder=tmp_path)
    restic.run("backup", source, repo=repo)
    restic.run("check", "--read-data", repo=repo)
    assert json.loads(restic.run("cat", "config", repo=repo).stdout)["version"] == 2
