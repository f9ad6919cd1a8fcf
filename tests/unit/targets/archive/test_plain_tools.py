"""What people do to an archive with the tools they have, as the documents show it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from pyrage import x25519

from holdfast.model.backup import StoredBackup
from holdfast.model.event import ignore
from holdfast.runtime.secret import Secret
from holdfast.targets.archive import ArchiveTarget
from holdfast.targets.archive_options import ArchiveOptions
from holdfast.testing.target_content import Made, database, directory, file, make_backup, small_tree, tables, tree

DB = b"SQLite format 3\0" + bytes(range(256)) * 40
CONFIG = tree(
    [file(b".env", b"SECRET=1\n"), directory(b"data"), file(b"data/station_info.json", b'{"id": 7}')], "config"
)


def made() -> list[Made]:
    from msgspec.structs import replace

    from holdfast.model.component import Role

    config = CONFIG._replace(component=replace(CONFIG.component, role=Role.CONFIG))
    exported = tables({"comments": b'{"table": "comments"}', "users": b'{"table": "users"}'})
    return [database(DB), exported, small_tree(), config]


def backup(tmp_path: Path, **options: object) -> tuple[ArchiveTarget, StoredBackup, Path]:
    given: dict[str, object] = {"url": "backups", **options}
    target = ArchiveTarget("local", ArchiveOptions(**given), tmp_path, "app")  # type: ignore[arg-type]
    target.prepare()
    return target, make_backup(target, made()), tmp_path / "backups"


def run(command: Sequence[str | Path], folder: Path) -> bytes:
    return subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout


def visible(root: Path) -> list[str]:
    files = (str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    return sorted(name for name in files if not name.startswith(".holdfast/"))


def test_the_typed_layout_as_its_document_has_it(tmp_path: Path) -> None:
    _target, _stored, root = backup(tmp_path)
    assert visible(root) == [
        "config/config_backup_20240101_120000.json",
        "config/config_backup_20240101_120000.tar.gz",
        "database/db_backup_20240101_120000.db",
        "database/db_backup_20240101_120000.json",
        "full/full_backup_20240101_120000.json",
        "storage/storage_backup_20240101_120000.json",
        "storage/storage_backup_20240101_120000.tar.gz",
        "tables/tables_comments_backup_20240101_120000.json.gz",
        "tables/tables_comments_backup_20240101_120000.meta.json",
        "tables/tables_users_backup_20240101_120000.json.gz",
        "tables/tables_users_backup_20240101_120000.meta.json",
    ]
    sidecar = json.loads((root / "database/db_backup_20240101_120000.json").read_text())
    printed = run(["sha256sum", "database/db_backup_20240101_120000.db"], root).split()[0].decode()
    assert list(sidecar)[:8] == [
        "timestamp", "type", "original_path", "backup_path", "file_size", "checksum", "created_at", "file_count",
    ]  # fmt: skip
    assert sidecar["timestamp"] == "20240101_120000"
    assert sidecar["type"] == "database"
    assert sidecar["original_path"] == "/srv/app/app_data.db"
    assert sidecar["backup_path"] == str(root / "database/db_backup_20240101_120000.db")
    assert sidecar["file_size"] == len(DB)
    assert sidecar["checksum"] == printed
    assert sidecar["created_at"] == "2024-01-01T12:00:00"
    assert isinstance(sidecar["file_count"], int)
    assert (root / "database/db_backup_20240101_120000.db").read_bytes() == DB
    full = json.loads((root / "full/full_backup_20240101_120000.json").read_text())
    assert set(sidecar) <= set(full)
    assert full["type"] == "full"


def test_storage_unpacks_where_it_was(tmp_path: Path) -> None:
    _target, _stored, root = backup(tmp_path)
    run(["tar", "-xzf", root / "storage/storage_backup_20240101_120000.tar.gz"], tmp_path)
    for item in small_tree().items:
        if item.content:
            assert (tmp_path / item.path.decode()).read_bytes() == item.content


def test_the_flat_layout_as_its_document_has_it(tmp_path: Path) -> None:
    _target, stored, root = backup(tmp_path, layout="flat")
    assert visible(root) == [
        "app_data_db_20240101_120000.db.gz",
        "config_20240101_120000.tar.gz",
        "manifest_20240101_120000.json",
        "storage_20240101_120000.tar.gz",
        "tables_comments_20240101_120000.json.gz",
        "tables_users_20240101_120000.json.gz",
    ]
    run(["gunzip", "app_data_db_20240101_120000.db.gz"], root)
    assert (root / "app_data_db_20240101_120000.db").read_bytes() == DB
    run(["tar", "-xzf", "config_20240101_120000.tar.gz"], root)
    assert (root / ".env").read_bytes() == b"SECRET=1\n"
    assert (root / "data/station_info.json").read_bytes() == b'{"id": 7}'
    manifest = json.loads((root / "manifest_20240101_120000.json").read_text())
    assert manifest["timestamp"] == "20240101_120000"
    assert manifest["status"] == "success"
    assert str(root / "config_20240101_120000.tar.gz") in [one["path"] for one in manifest["backups"]]
    assert stored.location == str(root / "manifest_20240101_120000.json")


def test_the_directory_layout_as_its_document_has_it(tmp_path: Path) -> None:
    _target, _stored, root = backup(tmp_path, layout="directory")
    folder = root / "backup_20240101_120000"
    assert visible(folder) == [
        "backup_report.json",
        "backup_summary.txt",
        "comments.json",
        "complete_database.json",
        "config_backup_20240101_120000.tar.gz",
        "db_backup_20240101_120000.db",
        "storage_backup_20240101_120000.tar.gz",
        "users.json",
    ]
    complete = json.loads((folder / "complete_database.json").read_text())
    assert complete == {"comments": {"table": "comments"}, "users": {"table": "users"}}
    assert "backup_2024_01_01_12_00_00" in (folder / "backup_summary.txt").read_text()
    assert json.loads((folder / "backup_report.json").read_text())["status"] == "completed"


def test_the_bundle_as_its_document_has_it(tmp_path: Path) -> None:
    _target, stored, root = backup(tmp_path, layout="bundle")
    assert visible(root) == ["backup_2024_01_01_12_00_00.zip"]
    run(["unzip", "-q", root / "backup_2024_01_01_12_00_00.zip", "-d", tmp_path / "out"], tmp_path)
    assert (tmp_path / "out/app_data.db").read_bytes() == DB
    assert (tmp_path / "out/users.json").read_bytes() == b'{"table": "users"}'
    assert (tmp_path / "out/config/.env").read_bytes() == b"SECRET=1\n"
    assert (tmp_path / "out/storage/storage/a.txt").read_bytes() == b"first"
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["backup_id"] == "backup_2024_01_01_12_00_00"
    assert manifest["created_at"] == "2024-01-01T12:00:00Z"
    assert manifest["version"] == "1.0"
    assert manifest["components"]["users"] == {"file": "users.json", "count": 1, "size": 18}
    assert manifest["components"]["database"] == {"file": "app_data.db", "size": len(DB)}
    assert manifest["components"]["config"]["file"] == "config/"
    assert stored.manifest.total_size == (root / "backup_2024_01_01_12_00_00.zip").stat().st_size
    with zipfile.ZipFile(root / "backup_2024_01_01_12_00_00.zip") as archive:
        assert archive.testzip() is None
    run(["sha256sum", "--check", "--strict", ".holdfast/backup_2024_01_01_12_00_00.sha256"], root)


@pytest.mark.parametrize("layout", ["typed", "flat", "directory", "bundle"])
def test_everything_is_for_the_owner_alone(tmp_path: Path, layout: str) -> None:
    before = os.umask(0)
    try:
        target, stored, root = backup(tmp_path, layout=layout)
        target.mark(stored, stored.marks)
        second = target.begin(stored.manifest)
        second.abort()
    finally:
        os.umask(before)
    found = [root, *root.rglob("*")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_dir()} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_file()} == {0o600}


def test_age_opens_what_is_for_a_recipient_and_sidecars_stay_readable(tmp_path: Path) -> None:
    identity = x25519.Identity.generate()
    target, stored, root = backup(tmp_path, encryption="age", recipients=(str(identity.to_public()),))
    names = visible(root)
    assert [name for name in names if not name.endswith((".json", ".age"))] == []
    assert json.loads((root / "database/db_backup_20240101_120000.json").read_text())["file_size"] > len(DB)
    (tmp_path / "key").write_text(str(identity))
    command = ["age", "-d", "-i", tmp_path / "key", root / "database/db_backup_20240101_120000.db.age"]
    assert run(command, tmp_path) == DB
    assert not any(DB[:32] in (root / name).read_bytes() for name in names)
    heard: list[object] = []
    assert target.verify(stored, heard.append) == []
    assert any(getattr(event, "code", "") == "not-decrypted" for event in heard)


def test_a_state_that_only_somebody_else_can_read_is_none(tmp_path: Path) -> None:
    recipient = str(x25519.Identity.generate().to_public())
    options = ArchiveOptions(url="backups", encryption="age", recipients=(recipient,))
    target = ArchiveTarget("local", options, tmp_path, "app")
    target.prepare()
    stored = make_backup(target, [database(DB)._replace(state=b"keys of rows")], state=tmp_path / "in")
    assert not target.state(stored, "database", tmp_path / "out")
    assert target.verify(stored, ignore) == []


def test_gpg_and_a_passphrase(tmp_path: Path) -> None:
    target, stored, root = backup(tmp_path, encryption="gpg", passphrase=Secret(b"words"), layout="flat")
    assert target.verify(stored, ignore) == []
    done = subprocess.run(
        [
            "gpg", "--batch", "--pinentry-mode", "loopback", "--passphrase", "words", "--decrypt",
            root / "app_data_db_20240101_120000.db.gz.gpg",
        ],
        capture_output=True, check=True, env={"GNUPGHOME": str(_home(tmp_path)), "PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert subprocess.run(["gunzip", "-c"], input=done.stdout, capture_output=True, check=True).stdout == DB
    subprocess.run(["gpgconf", "--homedir", str(_home(tmp_path)), "--kill", "all"], check=True)
    wrong = ArchiveTarget(
        "local",
        ArchiveOptions(url="backups", layout="flat", encryption="gpg", passphrase=Secret(b"x")),
        tmp_path,
        "app",
    )
    assert {problem.code for problem in wrong.verify(stored, ignore)} == {"decryption-failed"}


def _home(tmp_path: Path) -> Path:
    home = tmp_path / "g"
    home.mkdir(mode=0o700, exist_ok=True)
    return home
