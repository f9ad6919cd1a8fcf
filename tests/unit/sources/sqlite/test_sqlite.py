"""SQLite databases: dumped under a live writer, restored in one step."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from holdfast.errors import (
    DamageError,
    DestinationBusy,
    LoadFailed,
    RestoreError,
    RestoreImpossible,
    RestoreMismatch,
    RestoreRefused,
    SourceBusy,
    SourceDamaged,
    SourceError,
    SourceMissing,
)
from holdfast.model.component import Form
from holdfast.sources.sqlite import Sqlite, SqliteOptions
from holdfast.sources.sqlite_opening import source_error
from holdfast.testing.dumped_content import STAMP, DumpedContent, collect, dump_request, load_request

LATER = "INSERT INTO t VALUES ('later')"


def make(path: Path, mode: str = "wal", rows: int = 200) -> sqlite3.Connection:
    """A database of one table that is left open."""
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA journal_mode = {mode}")
    database.execute("CREATE TABLE t (a)")
    database.executemany("INSERT INTO t VALUES (?)", [(f"row {n} {'x' * 300}",) for n in range(rows)])
    database.commit()
    return database


def source(path: Path, **options: object) -> Sqlite:
    return Sqlite("database", SqliteOptions(path=str(path), **options), path.parent)  # type: ignore[arg-type]


def dumped(path: Path, scratch: Path, form: Form = Form.NATIVE, **options: object) -> DumpedContent:
    with source(path, **options).dump(dump_request(scratch)) as dump:
        return collect(dump, form)


def rows_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute("SELECT count(*) FROM t").fetchone()[0])


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if entry.is_file())


@pytest.mark.parametrize("mode", ["wal", "delete"])
@pytest.mark.parametrize("method", ["backup", "vacuum"])
def test_what_was_committed_is_copied_and_nothing_is_left_behind(tmp_path: Path, mode: str, method: str) -> None:
    (tmp_path / "app").mkdir()
    path = tmp_path / "app" / "app.db"
    database = make(path, mode)
    database.execute(LATER)
    before = names(path.parent)
    content = dumped(path, tmp_path / "scratch", method=method)
    assert names(path.parent) == before
    database.commit()
    database.close()
    content_again = dumped(path, tmp_path / "scratch", method=method)
    assert names(path.parent) == ["app.db"]
    assert content.component.rows == {"t": 200}
    assert content_again.component.rows == {"t": 201}
    assert content.component.facts["journal_mode"] == mode
    assert list((tmp_path / "scratch").iterdir()) == []


def test_the_copy_opens_where_nobody_may_write(tmp_path: Path) -> None:
    content = dumped_after(make(tmp_path / "app.db"), tmp_path)
    folder = tmp_path / "read-only"
    folder.mkdir()
    (folder / "copy.db").write_bytes(content.contents[b"app.db"])
    result = subprocess.run(
        ["sqlite3", "-readonly", folder / "copy.db", "SELECT count(*) FROM t"], capture_output=True, check=True
    )
    assert (result.stdout, names(folder)) == (b"200\n", ["copy.db"])


def dumped_after(database: sqlite3.Connection, tmp_path: Path) -> DumpedContent:
    database.close()
    return dumped(tmp_path / "app.db", tmp_path / "scratch")


@pytest.mark.parametrize("mode", ["wal", "delete"])
@pytest.mark.parametrize("form", [Form.NATIVE, Form.SQL])
def test_in_place(tmp_path: Path, mode: str, form: Form) -> None:
    path = tmp_path / "app.db"
    database = make(path, mode)
    database.close()
    content = dumped(path, tmp_path / "scratch", form)
    with closing(sqlite3.connect(path)) as database:
        database.execute(LATER)
        database.commit()
    os.chmod(path, 0o640)
    plan = source(path).plan([content], load_request(tmp_path / "scratch"))
    report = source(path).load([content], load_request(tmp_path / "scratch"))
    safety = f"{path}.before-restore-{STAMP}"
    assert report.safety_copies == plan.safety_copies == (safety,)
    assert names(tmp_path) == ["app.db", f"app.db.before-restore-{STAMP}"]
    assert (rows_of(path), rows_of(Path(safety)), report.rows) == (200, 201, {"t": 200})
    assert path.stat().st_mode & 0o777 == 0o640
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == (mode,)
    subprocess.run(["sh", "-c", report.undo], check=True)
    assert (rows_of(path), names(tmp_path)) == (201, ["app.db"])


def test_the_log_of_a_crashed_application_is_kept_in_the_safety_copy(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    content = dumped_after(make(path), tmp_path)
    killed = f"""
import sqlite3, os
c = sqlite3.connect({str(path)!r}); c.execute("{LATER}"); c.commit(); os._exit(9)
"""
    subprocess.run([sys.executable, "-c", killed], check=False)
    assert (tmp_path / "app.db-wal").stat().st_size > 0
    report = source(path).load([content], load_request(tmp_path / "scratch"))
    assert rows_of(path) == 200
    assert rows_of(Path(report.safety_copies[0])) == 201
    assert names(tmp_path) == ["app.db", f"app.db.before-restore-{STAMP}"]


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_nothing_is_replaced_while_somebody_has_it_open(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "app.db"
    database = make(path, mode)
    content = dumped(path, tmp_path / "scratch")
    with pytest.raises(DestinationBusy, match="has it open"):
        source(path).load([content], load_request(tmp_path / "scratch"))
    database.execute(LATER)
    database.commit()
    database.close()
    assert rows_of(path) == 201


def test_damage_is_found_before_anything_is_committed(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    make(path, rows=2000).close()
    content = bytearray(path.read_bytes())
    for page in range(5, 40):
        content[page * 4096 : page * 4096 + 100] = os.urandom(100)
    path.write_bytes(content)
    with pytest.raises(SourceDamaged):
        dumped(path, tmp_path / "scratch")


def test_a_damaged_database_is_replaced_and_kept_with_its_log(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    content = dumped_after(make(path), tmp_path)
    path.write_bytes(b"garbage" * 1000)
    (tmp_path / "app.db-wal").write_bytes(b"the log")
    report = source(path).load([content], load_request(tmp_path / "scratch"))
    assert rows_of(path) == 200
    assert Path(report.safety_copies[0]).read_bytes() == b"garbage" * 1000
    assert Path(report.safety_copies[1]).read_bytes() == b"the log"
    subprocess.run(["sh", "-c", report.undo], check=True)
    assert (tmp_path / "app.db-wal").read_bytes() == b"the log"


def test_a_log_without_a_database_is_kept_and_not_applied(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    content = dumped_after(make(path), tmp_path)
    path.unlink()
    (tmp_path / "app.db-wal").write_bytes(b"stale")
    report = source(path).load([content], load_request(tmp_path / "scratch"))
    assert Path(report.safety_copies[0]).read_bytes() == b"stale"
    assert rows_of(path) == 200


@pytest.mark.parametrize("what", ["cut", "flipped", "rows", "empty", "garbage", "sha"])
def test_bad_content_changes_nothing(tmp_path: Path, what: str) -> None:
    path = tmp_path / "app.db"
    content = dumped_after(make(path), tmp_path)
    data = content.contents[b"app.db"]
    component = replace(content.component, content_sha256="")
    if what == "rows":
        component = replace(component, rows={"t": 201})
    bad = {
        "cut": data[: len(data) // 2],
        "flipped": data[:20_000] + os.urandom(4096) + data[24_096:],
        "empty": b"",
        "garbage": os.urandom(5000),
    }.get(what, data)
    if what == "sha":
        component = replace(component, content_sha256="0" * 64)
    with pytest.raises((LoadFailed, RestoreMismatch, DamageError)):
        source(path).load(
            [DumpedContent(component, [content.entry(b"app.db")], {b"app.db": bad})],
            load_request(tmp_path / "scratch"),
        )
    assert (rows_of(path), names(tmp_path)) == (200, ["app.db"])


def test_elsewhere_and_never_over_something(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    content = dumped_after(make(path), tmp_path)
    to_folder = source(path).load([content], load_request(tmp_path / "scratch", str(tmp_path / "new" / "folder")))
    assert to_folder.destination == str(tmp_path / "new" / "folder" / "app.db")
    to_file = source(path).load([content], load_request(tmp_path / "scratch", str(tmp_path / "new" / "other.sqlite")))
    assert to_file.destination == str(tmp_path / "new" / "other.sqlite")
    assert to_file.undo == ""
    with pytest.raises(RestoreRefused):
        source(path).load([content], load_request(tmp_path / "scratch", str(tmp_path / "new" / "other.sqlite")))
    with pytest.raises(RestoreRefused):
        source(path).load([content], load_request(tmp_path / "scratch", str(path)))


def test_what_is_no_database_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing):
        source(tmp_path / "missing.db").preflight()
    with pytest.raises(SourceError, match="folder"):
        source(tmp_path).preflight()
    (tmp_path / "encrypted.db").write_bytes(os.urandom(8192))
    with pytest.raises(SourceDamaged, match="encrypted or no SQLite database"):
        source(tmp_path / "encrypted.db").preflight()
    (tmp_path / "empty.db").touch()
    source(tmp_path / "empty.db").preflight()
    content = dumped(tmp_path / "empty.db", tmp_path / "scratch")
    assert content.component.rows == {}


def test_only_a_full_disk_asks_for_room(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    make(path).close()
    content = dumped(path, tmp_path / "scratch")
    (tmp_path / ".holdfast-new-app.db").mkdir()
    with pytest.raises(RestoreError) as caught:
        source(path).load([content], load_request(tmp_path / "scratch"))
    assert not isinstance(caught.value, RestoreImpossible)


def test_what_cannot_be_read_without_writing_beside_it_is_said(tmp_path: Path) -> None:
    error = sqlite3.OperationalError("attempt to write a readonly database")
    error.sqlite_errorcode = 1544  # SQLITE_READONLY_DIRECTORY, which root never gets
    assert "may not write to its folder" in str(source_error(error, "db", tmp_path / "app.db", 1))


def test_locked_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    database = make(path, "delete")
    database.execute("BEGIN EXCLUSIVE")
    with pytest.raises(SourceBusy):
        dumped(path, tmp_path / "scratch", busy_timeout_s=0.3)
    database.close()


def test_a_hot_journal_is_rolled_back(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    make(path, "delete", rows=3000).close()
    killed = f"""
import sqlite3, os
c = sqlite3.connect({str(path)!r}); c.execute("PRAGMA cache_size = 1")
c.execute("UPDATE t SET a = a || 'y'"); os._exit(9)
"""
    subprocess.run([sys.executable, "-c", killed], check=False)
    assert (tmp_path / "app.db-journal").exists()
    assert dumped(path, tmp_path / "scratch").component.rows == {"t": 3000}


def test_the_log_of_another_database_is_never_part_of_a_green_copy(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    make(path, rows=500).close()
    (tmp_path / "other").mkdir()
    other = make(tmp_path / "other" / "app.db", rows=10)
    other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    other.execute("CREATE TABLE u AS SELECT * FROM t")
    other.commit()
    (tmp_path / "app.db-wal").write_bytes((tmp_path / "other" / "app.db-wal").read_bytes())
    other.close()
    with pytest.raises(SourceDamaged):
        dumped(path, tmp_path / "scratch")


def test_links_lead_to_the_database_and_stay(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    make(tmp_path / "real" / "app.db").close()
    (tmp_path / "link.db").symlink_to("real/app.db")
    content = dumped(tmp_path / "link.db", tmp_path / "scratch")
    os.link(tmp_path / "real" / "app.db", tmp_path / "real" / "twin.db")
    assert dumped(tmp_path / "link.db", tmp_path / "scratch").component.facts["hard_links"] == "2"
    source(tmp_path / "link.db").load([content], load_request(tmp_path / "scratch"))
    assert (tmp_path / "link.db").is_symlink()
    assert rows_of(tmp_path / "link.db") == 200


def test_a_crash_between_the_two_names_leaves_no_false_safety_copy(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    content = dumped_after(make(path), tmp_path)
    os.link(path, f"{path}.before-restore-20230101_000000")
    (tmp_path / ".holdfast-new-app.db").write_bytes(b"half")
    source(path).load([content], load_request(tmp_path / "scratch"))
    assert names(tmp_path) == ["app.db", f"app.db.before-restore-{STAMP}"]


def test_closing_the_old_database_leaves_the_new_ones_log_alone(tmp_path: Path) -> None:
    """What `_replace_old` relies on: SQLite looks whether the name is still its file before it removes a log."""
    path = tmp_path / "app.db"
    make(path).close()
    old = sqlite3.connect(path, isolation_level=None)
    old.execute("PRAGMA locking_mode = EXCLUSIVE")
    old.execute("BEGIN EXCLUSIVE")
    old.execute("COMMIT")
    (tmp_path / "app.db-wal").unlink(missing_ok=True)
    (tmp_path / "new.db").write_bytes(b"")
    os.rename(tmp_path / "new.db", path)
    (tmp_path / "app.db-wal").write_bytes(b"of the new one")
    old.close()
    assert (tmp_path / "app.db-wal").read_bytes() == b"of the new one"
