"""SQLite: changes since a base, and chosen tables into a database that is in use."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from holdfast.errors import HoldfastError, NoBase, RestoreRefused
from holdfast.model.component import Form
from holdfast.sources.sqlite import Sqlite, SqliteOptions
from holdfast.testing.dumped_content import STAMP, DumpedContent, collect, dump_request, load_request

SCHEMA = """
CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL);
CREATE TABLE comments (id INTEGER PRIMARY KEY, user INTEGER REFERENCES users(id), body TEXT, score REAL, raw BLOB);
CREATE TABLE tags (comment INTEGER, tag TEXT, PRIMARY KEY (comment, tag)) WITHOUT ROWID;
CREATE TABLE log (line TEXT);
CREATE INDEX by_user ON comments(user);
CREATE TRIGGER noted AFTER INSERT ON comments BEGIN INSERT INTO log VALUES ('new ' || new.id); END;
"""


def source(path: Path) -> Sqlite:
    return Sqlite("database", SqliteOptions(path=str(path)), path.parent)


def make(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = WAL")
    database.executescript(SCHEMA)
    database.executemany("INSERT INTO users VALUES (?, ?)", [(n, f"user {n}") for n in range(1, 6)])
    rows = [(n, n % 5 + 1, f"b{n}", n / 3, bytes([n])) for n in range(40)]
    database.executemany("INSERT INTO comments VALUES (?, ?, ?, ?, ?)", rows)
    database.executemany("INSERT INTO tags VALUES (?, ?)", [(n, "t") for n in range(20)])
    database.commit()
    return database


def state_of(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(path)) as database:
        names = ("users", "comments", "tags", "log", "sqlite_sequence")
        return {name: sorted(database.execute(f"SELECT * FROM {name}").fetchall(), key=repr) for name in names}


def backup(path: Path, tmp_path: Path, number: int, form: Form) -> DumpedContent:
    base = tmp_path / f"state-{number - 1}"
    scratch = tmp_path / f"scratch-{number}"
    request = dump_request(scratch, base=base if base.exists() else None, state=tmp_path / f"state-{number}")
    with source(path).dump(request) as dump:
        return collect(dump, form)


def change(database: sqlite3.Connection, rng: random.Random) -> None:
    for _ in range(10):
        number = rng.randrange(200)
        match rng.randrange(5):
            case 0:
                database.execute("DELETE FROM comments WHERE id = ?", (number,))
            case 1:
                database.execute("INSERT OR REPLACE INTO comments VALUES (?, 1, 'new', ?, ?)",
                                 (number, rng.random(), rng.randbytes(3)))  # fmt: skip
            case 2:
                database.execute("UPDATE tags SET tag = tag || 'x' WHERE comment = ?", (number % 20,))
            case 3:
                database.execute("INSERT INTO log VALUES (?)", (rng.choice(["same", "same", None]),))
            case _:
                database.execute("INSERT INTO users(name) VALUES ('someone')")
    database.commit()


@pytest.mark.parametrize("form", [Form.NATIVE, Form.SQL])
def test_a_chain_is_exact(tmp_path: Path, rng: random.Random, form: Form) -> None:
    path = tmp_path / "app" / "app.db"
    path.parent.mkdir()
    database = make(path)
    chain = [backup(path, tmp_path, 0, form)]
    for number in range(1, 4):
        change(database, rng)
        before = state_of(path)
        chain.append(backup(path, tmp_path, number, Form.CHANGES))
        elsewhere = tmp_path / f"to-{number}.db"
        report = source(path).load(chain, load_request(tmp_path / f"load-{number}", str(elsewhere)))
        assert state_of(elsewhere) == before
        assert report.rows == chain[-1].component.rows
    database.close()
    source(path).load(chain[:2], load_request(tmp_path / "load"))
    assert not list(path.parent.glob(".holdfast*"))
    with closing(sqlite3.connect(path)) as reopened:
        assert reopened.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_another_schema_has_no_base(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    with closing(make(path)) as database:
        backup(path, tmp_path, 0, Form.NATIVE)
        database.execute("ALTER TABLE users ADD COLUMN mail TEXT")
        database.commit()
        with pytest.raises(NoBase):
            backup(path, tmp_path, 1, Form.CHANGES)


def test_changes_alone_are_no_backup(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    make(path).close()
    changes = backup(path, tmp_path, 0, Form.CHANGES)
    with pytest.raises(HoldfastError):
        source(path).load([changes], load_request(tmp_path / "load"))


def test_chosen_rows_go_into_a_database_in_use(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    with closing(make(path)) as database:
        content = backup(path, tmp_path, 0, Form.NATIVE)
        before = state_of(path)
        database.execute("DELETE FROM comments WHERE id IN (5, 6)")
        database.execute("UPDATE comments SET body = 'spoilt' WHERE id = 7")
        database.execute("INSERT INTO log VALUES ('kept')")
        database.commit()
        request = replace(load_request(tmp_path / "load"), tables=("comments:id=5",))
        assert source(path).plan([content], request).safety_copies == (f"{path}.before-restore-{STAMP}",)
        report = source(path).load([content], request)
        assert report.rows == {"comments": 1}
        ids = [row[0] for row in state_of(path)["comments"]]
        assert (5 in ids, 6 in ids) == (True, False)
        request = replace(load_request(tmp_path / "load"), tables=("comments",), safety_copy=False)
        source(path).load([content], request)
        after = state_of(path)
    assert after["comments"] == before["comments"]
    assert ("kept",) in after["log"]
    assert (len(after["log"]), len(before["log"])) == (41, 40)
    with closing(sqlite3.connect(report.safety_copies[0])) as kept:
        assert kept.execute("SELECT count(*) FROM comments").fetchone() == (38,)


def test_rows_that_the_backup_does_not_have_are_no_success(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    make(path).close()
    content = backup(path, tmp_path, 0, Form.NATIVE)
    for nothing in ("comments:id=5 or 1=1", "comments:id=987654"):
        with pytest.raises(RestoreRefused, match="no such row of table comments"):
            source(path).load([content], replace(load_request(tmp_path / "load"), tables=(nothing,)))
    assert not list(tmp_path.glob("*before-restore*"))


def test_rows_that_were_torn_before_keep_nothing_else_out(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    with closing(make(path)) as database:
        content = backup(path, tmp_path, 0, Form.NATIVE)
        row, user = database.execute("SELECT id, user FROM comments WHERE user IS NOT NULL LIMIT 1").fetchone()
        database.execute("PRAGMA foreign_keys = OFF")
        database.execute("DELETE FROM users WHERE id <> ?", [user])
        database.execute("DELETE FROM comments WHERE id = ?", [row])
        database.commit()
        request = replace(load_request(tmp_path / "load"), tables=(f"comments:id={row}",))
        assert source(path).load([content], request).rows == {"comments": 1}
        assert database.execute("SELECT count(*) FROM comments WHERE id = ?", [row]).fetchone() == (1,)


def test_rows_without_their_parents_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    with closing(make(path)) as database:
        content = backup(path, tmp_path, 0, Form.NATIVE)
        database.execute("DELETE FROM comments")
        database.execute("DELETE FROM users WHERE id = 2")
        database.commit()
        request = replace(load_request(tmp_path / "load"), tables=("comments",))
        with pytest.raises(RestoreRefused, match="users"):
            source(path).load([content], request)
        assert state_of(path)["comments"] == []
    assert not list(tmp_path.glob("*before-restore*"))
