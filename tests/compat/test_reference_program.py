"""The fixture itself: every restic found here makes a repository and finds it whole."""

from __future__ import annotations

from pathlib import Path

from compat.reference import Restic


def test_makes_and_checks_a_repository(restic: Restic, tmp_path: Path) -> None:
    repository, source = tmp_path / "repository", tmp_path / "source"
    source.mkdir()
    (source / "file").write_bytes(b"content")
    restic.run("init", repo=repository)
    restic.run("backup", source, repo=repository)
    restic.run("check", "--read-data", repo=repository)
    (snapshots,) = restic.documents("snapshots", repo=repository)
    assert [snapshot["paths"] for snapshot in snapshots] == [[str(source)]]


def test_compares_versions_as_numbers(newest_restic: Restic) -> None:
    assert newest_restic.at_least("0.9")
    assert not newest_restic.at_least("1.0")


def test_wrong_password_is_reported_not_raised(restic: Restic, tmp_path: Path) -> None:
    restic.run("init", repo=tmp_path / "repository")
    refused = restic.run("snapshots", repo=tmp_path / "repository", password="another", check=False)
    assert refused.returncode == (12 if restic.at_least("0.17.1") else 1)
