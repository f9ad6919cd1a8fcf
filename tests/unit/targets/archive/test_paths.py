"""Files that a person names: in their place, unpacked by hand, copied elsewhere, or made by other programs."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from holdfast.archive.loose import LooseFile
from holdfast.errors import BackupDamaged, ChecksumMismatch, DamageError, DecryptionFailed, ObjectNotFound
from holdfast.model.backup import StoredBackup
from holdfast.model.component import Form, Role, Shape
from holdfast.runtime.secret import Secret
from holdfast.targets.archive import ArchiveTarget
from holdfast.targets.archive_options import ArchiveOptions
from holdfast.testing.target_content import Made, database, digest_of, make_backup, read_back, small_tree, tables

DB = b"SQLite format 3\0" + bytes(range(256)) * 40


def backup(tmp_path: Path, **options: object) -> tuple[ArchiveTarget, StoredBackup, Path]:
    given: dict[str, object] = {"url": "backups", **options}
    target = ArchiveTarget("local", ArchiveOptions(**given), tmp_path, "app")  # type: ignore[arg-type]
    target.prepare()
    made: list[Made] = [database(DB), tables({"users": b'{"table": "users"}'}), small_tree()]
    return target, make_backup(target, made), tmp_path / "backups"


def loose(target: ArchiveTarget, path: Path, *, verify: bool = True) -> LooseFile:
    found = target.open_path(path, verify=verify)
    assert isinstance(found, LooseFile)
    return found


def only(found: LooseFile) -> bytes:
    """The content of the one file in the one component."""
    (content,) = found.contents.values()
    (one,) = read_back(content)
    return one.content


@pytest.mark.parametrize(
    ("name", "component"),
    [
        ("database/db_backup_20240101_120000.db", "database"),
        ("storage/storage_backup_20240101_120000.tar.gz", "storage"),
        ("tables/tables_users_backup_20240101_120000.json.gz", "tables"),
        ("full/full_backup_20240101_120000.json", ""),
    ],
)
def test_a_file_in_its_place_is_the_backup(tmp_path: Path, name: str, component: str) -> None:
    target, stored, root = backup(tmp_path)
    assert target.open_path(root / name) == (stored, component)
    assert target.open_path(Path("backups") / name) == (stored, component)


def test_a_bundle_in_its_place(tmp_path: Path) -> None:
    target, stored, root = backup(tmp_path, layout="bundle")
    assert target.open_path(root / f"{stored.backup_id}.zip") == (stored, "")


def test_a_file_that_was_unpacked_by_hand_is_known_by_its_record(tmp_path: Path) -> None:
    target, stored, root = backup(tmp_path, layout="flat")
    subprocess.run(["gunzip", root / "app_data_db_20240101_120000.db.gz"], check=True)
    found = loose(target, root / "app_data_db_20240101_120000.db")
    assert only(found) == DB
    (content,) = found.contents.values()
    assert content.component.name == "database"
    assert digest_of(read_back(content)) == content.component.content_sha256
    assert found.manifest == stored.manifest


def test_a_copy_with_its_sidecar_is_proved_and_without_it_is_not(tmp_path: Path) -> None:
    target, _stored, root = backup(tmp_path)
    elsewhere = tmp_path / "usb"
    elsewhere.mkdir()
    for name in ("db_backup_20240101_120000.db", "db_backup_20240101_120000.json"):
        shutil.copy(root / "database" / name, elsewhere)
    found = loose(target, elsewhere / "db_backup_20240101_120000.db")
    assert found.proved
    assert only(found) == DB
    (elsewhere / "db_backup_20240101_120000.db").write_bytes(DB[:-1] + b"!")
    with pytest.raises(ChecksumMismatch):
        only(loose(target, elsewhere / "db_backup_20240101_120000.db"))
    assert only(loose(target, elsewhere / "db_backup_20240101_120000.db", verify=False)) == DB[:-1] + b"!"
    (elsewhere / "db_backup_20240101_120000.json").unlink()
    assert not loose(target, elsewhere / "db_backup_20240101_120000.db").proved


def test_a_changed_file_can_be_taken_as_it_is(tmp_path: Path) -> None:
    target, stored, root = backup(tmp_path)
    (root / "database/db_backup_20240101_120000.db").write_bytes(DB + b"more")
    with pytest.raises(DamageError):
        read_back(target.content(stored, "database"))
    content = target.unproved_content(stored, "database")
    assert [one.content for one in read_back(content)] == [DB + b"more"]
    assert content.component.content_sha256 == ""


@pytest.mark.parametrize("layout", ["typed", "flat", "directory", "bundle"])
def test_whatever_is_whole_can_be_taken_unproved(tmp_path: Path, layout: str) -> None:
    target, stored, _root = backup(tmp_path, layout=layout)
    for name in stored.manifest.components:
        proved, unproved = (read_back(one(stored, name)) for one in (target.content, target.unproved_content))
        assert [(one.path, one.content) for one in proved] == [(one.path, one.content) for one in unproved]


@pytest.mark.parametrize("encryption", ["", "age"])
def test_a_bundle_that_was_copied_elsewhere(tmp_path: Path, encryption: str) -> None:
    options = {"encryption": encryption, "passphrase": Secret(b"words")} if encryption else {}
    target, stored, root = backup(tmp_path, layout="bundle", **options)
    name = f"{stored.backup_id}.zip" + (".age" if encryption else "")
    shutil.copy(root / name, tmp_path / name)
    found = loose(target, tmp_path / name)
    assert set(found.contents) == {"database", "tables", "storage"}
    assert found.manifest is not None
    assert found.manifest.backup_id == stored.backup_id
    for name, content in found.contents.items():
        assert digest_of(read_back(content)) == stored.manifest.components[name].content_sha256


def test_files_of_other_programs(tmp_path: Path) -> None:
    target, _stored, _root = backup(tmp_path)
    connection = sqlite3.connect(tmp_path / "mine.sqlite")
    connection.executescript("CREATE TABLE t (x); INSERT INTO t VALUES (1);")
    connection.close()
    dump = subprocess.run(["sqlite3", tmp_path / "mine.sqlite", ".dump"], capture_output=True, check=True).stdout
    (tmp_path / "dump.sql").write_bytes(dump)
    subprocess.run(["gzip", "-k", tmp_path / "dump.sql"], check=True)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/f").write_bytes(b"1")
    subprocess.run(["tar", "czf", "docker_volume_backup.tar.gz", "-C", "data", "."], cwd=tmp_path, check=True)
    subprocess.run(["zip", "-q", "made.zip", "data/f"], cwd=tmp_path, check=True)
    (tmp_path / "shop.dump").write_bytes(b"PGDMP\x01\x0e" + bytes(100))
    expected = {
        "mine.sqlite": ("sqlite", Role.DATABASE, Form.NATIVE, Shape.FILE),
        "dump.sql": ("sqlite", Role.DATABASE, Form.SQL, Shape.FILE),
        "dump.sql.gz": ("sqlite", Role.DATABASE, Form.SQL, Shape.FILE),
        "docker_volume_backup.tar.gz": ("files", Role.STORAGE, Form.NATIVE, Shape.TREE),
        "made.zip": ("files", Role.STORAGE, Form.NATIVE, Shape.TREE),
        "shop.dump": ("postgresql", Role.DATABASE, Form.NATIVE, Shape.FILE),
    }
    for name, wanted in expected.items():
        found = loose(target, tmp_path / name)
        (content,) = found.contents.values()
        one = content.component
        assert (one.kind, one.role, one.form, one.shape) == wanted, name
        assert not found.proved
    assert only(loose(target, tmp_path / "dump.sql.gz")) == dump
    (volume,) = loose(target, tmp_path / "docker_volume_backup.tar.gz").contents.values()
    assert [(one.path, one.content) for one in read_back(volume)] == [(b"", b""), (b"f", b"1")]


def test_a_file_of_openssl_is_read_with_a_warning(tmp_path: Path) -> None:
    target, _stored, root = backup(tmp_path, encryption="age", passphrase=Secret(b"words"))
    (tmp_path / "x.db").write_bytes(DB)
    command = ["openssl", "enc", "-aes-256-cbc", "-salt", "-pass", "pass:words", "-in", "x.db", "-out", "x.db.enc"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    found = loose(target, tmp_path / "x.db.enc")
    assert only(found) == DB
    assert [problem.code for problem in found.problems] == ["not-authenticated"]
    assert root.exists()


@pytest.mark.parametrize("content", [b"", b"\x7fELF" + bytes(100), bytes(5000), b"plain words"])
def test_what_is_nothing_a_source_could_load(tmp_path: Path, content: bytes) -> None:
    target, _stored, _root = backup(tmp_path)
    (tmp_path / "odd").write_bytes(content)
    with pytest.raises(BackupDamaged):
        target.open_path(tmp_path / "odd")


def test_what_is_not_there_or_cannot_be_opened(tmp_path: Path) -> None:
    target, _stored, root = backup(tmp_path, encryption="age", passphrase=Secret(b"words"))
    with pytest.raises(ObjectNotFound):
        target.open_path(tmp_path / "nothing")
    shutil.copy(root / "database/db_backup_20240101_120000.db.age", tmp_path / "x.age")
    wrong = ArchiveTarget("local", ArchiveOptions(url="backups", passphrase=Secret(b"x")), tmp_path, "app")
    with pytest.raises(DecryptionFailed) as caught:
        wrong.open_path(tmp_path / "x.age")
    assert caught.value.exit_code == 12
