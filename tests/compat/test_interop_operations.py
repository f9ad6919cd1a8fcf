"""What one program does to a repository, the other accepts: every operation, each way round."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from compat.reference import FOUND, Restic
from compat.tools import OURS, Fingerprint, Theirs, Tool, made_by, restored
from holdfast.backends.local import LocalBackend
from holdfast.errors import WrongPassword
from holdfast.repository.opening import open_repository
from holdfast.testing.zoo import differences, fingerprint

WITH_REWRITE = [version for version in FOUND if not version.startswith("0.14")]
DIRECTIONS = pytest.mark.parametrize("maker", ["we-make", "restic-makes"])


@pytest.fixture
def source(tmp_path: Path, rng: random.Random) -> Path:
    """Files small and large enough for several blobs, with a hole, links and times."""
    folder = tmp_path / "source"
    (folder / "sub" / "empty").mkdir(parents=True)
    for number in range(12):
        (folder / f"file-{number}").write_bytes(rng.randbytes(rng.randrange(40_000)))
    (folder / "sub" / "large").write_bytes(rng.randbytes(2_500_000))
    (folder / "sub" / "text").write_bytes(b"again and again\n" * 50_000)
    os.truncate(folder / "sub" / "text", 3 << 20)
    (folder / "link").symlink_to("sub/large")
    os.link(folder / "file-1", folder / "sub" / "twin")
    os.utime(folder / "file-2", ns=(-5, -5))
    return folder


def change(source: Path, rng: random.Random) -> None:
    """Some files go, one comes, one grows in the middle."""
    for number in range(0, 12, 2):
        (source / f"file-{number}").unlink()
    (source / "new \xff").write_bytes(rng.randbytes(30_000))
    large = source / "sub" / "large"
    content = large.read_bytes()
    large.write_bytes(content[:1_000_000] + rng.randbytes(1000) + content[1_000_000:])


def pair(maker: str, restic: Restic) -> tuple[Tool, Tool]:
    """Who makes the repository and who goes on with it."""
    theirs = Theirs(restic)
    return (OURS, theirs) if maker == "we-make" else (theirs, OURS)


def assert_accepted(repo: Path, source: Path, tools: tuple[Tool, ...], expected: dict[str, Fingerprint]) -> None:
    """Every program finds the repository whole, lists the same snapshots, and restores each as it was."""
    for tool in tools:
        tool.check(repo)
        assert tool.snapshots(repo) == set(expected)
        for snapshot, files in expected.items():
            assert not differences(files, restored(tool, repo, snapshot, source)), type(tool)


@DIRECTIONS
@pytest.mark.parametrize("version", [1, 2])
def test_each_goes_on_with_what_the_other_made(
    restic: Restic, tmp_path: Path, source: Path, rng: random.Random, maker: str, version: int
) -> None:
    """Init and a backup by one; a backup, forget and prune by the other."""
    tools = pair(maker, restic)
    first_tool, second_tool = tools
    repo = tmp_path / "repository"
    first_tool.init(repo, version=version)
    first = first_tool.backup(repo, source)
    expected = {first: fingerprint(str(source))}
    change(source, rng)
    second = second_tool.backup(repo, source)
    expected[second] = fingerprint(str(source))
    assert_accepted(repo, source, tools, expected)

    second_tool.forget(repo, first)
    before = stored_bytes(repo)
    second_tool.prune(repo)
    assert stored_bytes(repo) < before
    del expected[first]
    assert_accepted(repo, source, tools, expected)

    last = first_tool.backup(repo, source)
    assert_accepted(repo, source, tools, {**expected, last: expected[second]})


def stored_bytes(repo: Path) -> int:
    return sum(path.stat().st_size for path in (repo / "data").rglob("*") if path.is_file())


@DIRECTIONS
def test_a_changed_password_counts_for_both(restic: Restic, tmp_path: Path, maker: str) -> None:
    maker_tool, other = pair(maker, restic)
    repo = tmp_path / "repository"
    if maker_tool is OURS:
        OURS.init(repo)
    else:
        shutil.copytree(made_by(restic), repo)
    other.change_password(repo, "geheim", "entre eux")
    assert not opens(restic, repo, "geheim")
    assert opens(restic, repo, "entre eux")
    maker_tool.change_password(repo, "entre eux", "und nun \u00fc")
    assert not opens(restic, repo, "entre eux")
    assert opens(restic, repo, "und nun \u00fc")
    assert len(list((repo / "keys").iterdir())) == 1


def opens(restic: Restic, repo: Path, password: str) -> bool:
    """Whether a password opens a repository; both programs must agree."""
    theirs = restic.run("cat", "config", "--no-lock", repo=repo, password=password, check=False)
    assert theirs.returncode in (0, 12 if restic.at_least("0.17.1") else 1)
    try:
        open_repository(LocalBackend(str(repo)), password.encode()).close()
        ours = True
    except WrongPassword:
        ours = False
    assert ours == (theirs.returncode == 0)
    return ours


@DIRECTIONS
@pytest.mark.parametrize("version", [1, 2])
def test_restic_copies_between_ours_and_its_own(
    restic: Restic, tmp_path: Path, source: Path, rng: random.Random, maker: str, version: int
) -> None:
    maker_tool, other = pair(maker, restic)
    repo, copies = tmp_path / "repository", tmp_path / "copies"
    maker_tool.init(repo, version=version)
    maker_tool.backup(repo, source)
    files = {"first": fingerprint(str(source))}
    change(source, rng)
    maker_tool.backup(repo, source)
    other.init(copies)
    password = restic.home / "password"
    password.write_text(restic.password)
    restic.run("copy", "--from-repo", repo, "--from-password-file", password, repo=copies)
    for tool in (maker_tool, other):
        tool.check(copies)
    documents = sorted(restic.documents("snapshots", repo=copies)[0], key=lambda one: one["time"])
    states = [files["first"], fingerprint(str(source))]
    for document, expected in zip(documents, states, strict=True):
        assert not differences(expected, restored(OURS, copies, document["id"], source))
        assert document["original"]


@pytest.mark.parametrize("restic", WITH_REWRITE, indirect=True)
def test_restic_rewrites_what_we_wrote(restic: Restic, tmp_path: Path, source: Path) -> None:
    repo = tmp_path / "repository"
    OURS.init(repo)
    OURS.backup(repo, source)
    restic.run("rewrite", "--forget", "--exclude", "large", "latest", repo=repo)
    expected = fingerprint(str(source))
    del expected[b"sub/large"]
    # Leaving out a file changes nothing about the folder it was in, not even its times.
    (rewritten,) = OURS.snapshots(repo)
    assert_accepted(repo, source, (OURS, Theirs(restic)), {rewritten: expected})
    again = OURS.backup(repo, source)
    expected = {rewritten: expected, again: fingerprint(str(source))}
    assert_accepted(repo, source, (OURS, Theirs(restic)), expected)


def test_restic_upgrades_what_we_made(restic: Restic, tmp_path: Path, source: Path, rng: random.Random) -> None:
    repo = tmp_path / "repository"
    OURS.init(repo, version=1)
    first = OURS.backup(repo, source)
    expected = {first: fingerprint(str(source))}
    restic.run("migrate", "upgrade_repo_v2", repo=repo)
    repository = open_repository(LocalBackend(str(repo)), b"geheim")
    assert repository.config.version == 2
    repository.close()
    change(source, rng)
    expected[OURS.backup(repo, source)] = fingerprint(str(source))
    assert_accepted(repo, source, (OURS, Theirs(restic)), expected)


def test_restic_rebuilds_our_index(restic: Restic, tmp_path: Path, source: Path) -> None:
    repo = tmp_path / "repository"
    OURS.init(repo)
    snapshot = OURS.backup(repo, source)
    shutil.rmtree(repo / "index")
    (repo / "index").mkdir()
    restic.run(*(["repair", "index"] if restic.at_least("0.16") else ["rebuild-index"]), repo=repo)
    assert_accepted(repo, source, (OURS, Theirs(restic)), {snapshot: fingerprint(str(source))})
