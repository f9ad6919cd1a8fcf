"""The real restic reads what a repository target keeps, and the target lives with what restic does."""

from __future__ import annotations

import json
import random
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from compat.reference import Restic
from compat.tools import Theirs
from holdfast.backends.local import LocalBackend
from holdfast.model.backup import Marks, StoredBackup
from holdfast.model.event import ignore
from holdfast.runtime.clock import SystemClock
from holdfast.runtime.secret import Secret
from holdfast.targets.repository import RepositoryTarget
from holdfast.targets.repository_options import RepositoryOptions
from holdfast.testing.target_content import (
    NOON,
    Made,
    database,
    directory,
    file,
    make_backup,
    read_back,
    small_tree,
    symlink,
    tables,
    tree,
)
from repository_kit import new_repository


def open_target(base: Path, restic: Restic) -> RepositoryTarget:
    options = RepositoryOptions(url="repository", password=Secret(restic.password.encode()), cache=False)
    return RepositoryTarget("offsite", options, base, "app", base / "state", SystemClock())


@pytest.fixture
def repo(tmp_path: Path, restic: Restic) -> Path:
    """An empty repository of ours."""
    folder = tmp_path / "repository"
    new_repository(LocalBackend(str(folder)), password=restic.password.encode()).close()
    return folder


@pytest.fixture
def made(rng: random.Random) -> list[Made]:
    """A database cut at its pages, a stream of text, tables, and a tree with odd names."""
    pages = b"SQLite format 3\0" + (4096).to_bytes(2, "big") + rng.randbytes(1_000_000)
    odd = tree(
        [
            directory(b"d"),
            directory(b"d/empty"),
            symlink(b"d/link", b"../" + "ü".encode()),
            file(b"d/new\nline", b"1"),
            file(b"e " + b"\xff", rng.randbytes(700_000)),
        ]
    )
    text = database(b"INSERT INTO a VALUES (1);\n" * 100_000, name="sql")
    return [database(pages), text, tables({"comments": b"[]", "users": b"[1]"}), odd]


def restored(restic: Restic, repo: Path, target: Path, snapshot: str = "latest") -> Path:
    restic.run("restore", snapshot, "--target", target, repo=repo)
    return target


def assert_restored(folder: Path, stored: StoredBackup, made: list[Made]) -> None:
    assert json.loads((folder / "manifest.json").read_bytes())["backup_id"] == stored.backup_id
    assert (folder / "manifest.json").stat().st_mode & 0o777 == 0o600
    for one in made:
        found = bytes(folder / one.component.name)
        for item in one.items:
            path = Path((found + b"/" + item.path).decode("utf-8", "surrogateescape"))
            if item.node.type.value == "file":
                assert path.read_bytes() == item.content
                assert path.stat().st_mode & 0o777 == 0o640
                assert path.stat().st_mtime_ns == item.node.mtime_ns
            elif item.node.type.value == "symlink":
                assert path.is_symlink()
            else:
                assert path.is_dir()


def test_restic_checks_lists_and_restores_our_backups(
    tmp_path: Path, restic: Restic, repo: Path, made: list[Made]
) -> None:
    target = open_target(tmp_path, restic)
    target.prepare()
    first = make_backup(target, made)
    target.mark(first, Marks(hold_reason="court, case 7"))
    second = make_backup(target, made[:1], moment=NOON + timedelta(days=1))
    target.close()
    restic.run("check", "--read-data", repo=repo)
    (snapshots,) = restic.documents("snapshots", repo=repo)
    tags = {snapshot["time"][:10]: snapshot["tags"] for snapshot in snapshots}
    assert tags == {
        "2024-01-01": ["app:app", f"id:{first.backup_id}", "type:full", "hold:court%2C%20case%207"],
        "2024-01-02": ["app:app", f"id:{second.backup_id}", "type:full"],
    }
    assert {tuple(snapshot["paths"]) for snapshot in snapshots} == {("/app",)}
    chosen = restic.documents("snapshots", "--tag", f"id:{first.backup_id}", repo=repo)[0]
    assert len(chosen) == 1
    assert_restored(restored(restic, repo, tmp_path / "out", chosen[0]["id"]), first, made)


def test_restic_prunes_and_we_read_on(tmp_path: Path, restic: Restic, repo: Path, made: list[Made]) -> None:
    target = open_target(tmp_path, restic)
    target.prepare()
    first = make_backup(target, made)
    second = make_backup(target, [small_tree(), made[0]], moment=NOON + timedelta(days=1))
    target.close()
    (snapshots,) = restic.documents("snapshots", "--tag", f"id:{first.backup_id}", repo=repo)
    restic.run("forget", snapshots[0]["id"], repo=repo)
    restic.run("prune", "--max-unused", "0", repo=repo)
    assert [backup.backup_id for backup in target.backups()] == [second.backup_id]
    assert target.verify(second, ignore) == []
    back = read_back(target.content(second, made[0].component.name))
    assert [one.content for one in back] == [made[0].items[0].content]
    again = make_backup(target, made, moment=NOON + timedelta(days=2))
    assert target.verify(again, ignore) == []
    target.remove([second])
    target.close()
    restic.run("check", "--read-data", repo=repo)


def test_we_keep_backups_in_a_repository_of_restic(tmp_path: Path, restic: Restic, made: list[Made]) -> None:
    repo = tmp_path / "repository"
    Theirs(restic).init(repo)
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_bytes(b"theirs")
    restic.run("backup", source, "--tag", "app:app", repo=repo)
    target = open_target(tmp_path, restic)
    target.prepare()
    stored = make_backup(target, made)
    assert [backup.backup_id for backup in target.backups()] == [stored.backup_id]
    target.remove([stored])
    target.close()
    restic.run("check", "--read-data", repo=repo)
    out = restored(restic, repo, tmp_path / "out")
    assert (out / str(source / "file").lstrip("/")).read_bytes() == b"theirs"


def test_a_stream_and_its_tables_are_dumped_by_restic(
    tmp_path: Path, restic: Restic, repo: Path, made: list[Made]
) -> None:
    target = open_target(tmp_path, restic)
    target.prepare()
    make_backup(target, made)
    target.close()
    dumped: subprocess.CompletedProcess[bytes] = restic.run("dump", "latest", "/sql/app_data.db", repo=repo)
    assert dumped.stdout == made[1].items[0].content
