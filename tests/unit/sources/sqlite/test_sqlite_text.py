"""A SQLite database as SQL text: nothing is lost, here or in the `sqlite3` shell."""

from __future__ import annotations

import math
import random
import sqlite3
import struct
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from holdfast.errors import DumpIncomplete, LoadFailed
from holdfast.model.component import Form
from holdfast.sources.sqlite import Sqlite, SqliteOptions
from holdfast.testing.dumped_content import DumpedContent, collect, dump_request, load_request

SCHEMA = r"""
PRAGMA user_version = 42;
PRAGMA application_id = 77;
CREATE TABLE [odd "name"] (a, b TEXT, c REAL, d INTEGER, e BLOB, f NUMERIC);
CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, word TEXT);
CREATE TABLE without (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
CREATE TABLE computed (a INTEGER, b AS (a * 2), c INTEGER AS (a + 1) STORED, d -- the last one
);
CREATE TABLE strict_one (i INTEGER, t TEXT, a ANY) STRICT;
CREATE TABLE hidden_ids (rowid TEXT, x);
CREATE TABLE descending (id INTEGER PRIMARY KEY DESC, x);
CREATE TABLE parent (id INTEGER PRIMARY KEY);
CREATE TABLE child (id INTEGER REFERENCES parent(id) ON DELETE CASCADE, n);
CREATE INDEX word_index ON counted (lower(word)) WHERE word IS NOT NULL;
CREATE VIEW words AS SELECT word || ';' AS w FROM counted;
CREATE TRIGGER shout AFTER INSERT ON counted BEGIN
  INSERT INTO without VALUES (new.word || '; END', 1); SELECT CASE WHEN 1 THEN 2 END;
END;
CREATE VIRTUAL TABLE search USING fts5(body);
CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1);
"""


def make_database(path: Path, rng: random.Random, encoding: str = "UTF-8") -> None:
    """Everything that is hard to write down."""
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA encoding = '{encoding}'")
        database.executescript(SCHEMA)
        texts = [
            "",
            "it's",
            "line\nfeed",
            "carriage\r\nreturn",
            "nul\0inside",
            "سلام 🎉",
            "--",
            ";",
            "'); DROP",
            ".quit",
        ]
        numbers = [0.1, -0.0, 1e308, 5e-324, 2.2250738585072014e-308, math.inf, -math.inf, 1.0, 1e22, 0.1 + 0.2]
        numbers += [struct.unpack("d", rng.randbytes(8))[0] for _ in range(300)]
        rows: list[tuple[object, ...]] = [(text, text, 1, 2, text.encode(), text) for text in texts]
        rows += [(number, str(number), number, 1, b"", number) for number in numbers if not math.isnan(number)]
        rows += [(value, None, None, value, bytes([0, 255]), value) for value in (-(2**63), 2**63 - 1, 0, -1)]
        database.executemany('INSERT INTO "odd ""name""" VALUES (?, ?, ?, ?, ?, ?)', rows)
        database.execute('INSERT INTO "odd ""name"""(rowid, b) VALUES (123456, \'far\')')
        database.execute('INSERT INTO "odd ""name""" (b) VALUES (CAST(X\'ff41fe\' AS TEXT))')
        database.executemany("INSERT INTO counted (word) VALUES (?)", [(f"word {n}",) for n in range(50)])
        database.execute("DELETE FROM counted WHERE id > 40")
        database.executemany("INSERT INTO computed (a, d) VALUES (?, ?)", [(n, str(n)) for n in range(20)])
        database.execute("INSERT INTO strict_one VALUES (1, 'x', 1.5)")
        database.execute("INSERT INTO hidden_ids VALUES ('mine', 1)")
        database.execute("INSERT INTO descending(rowid, id, x) VALUES (7, 9, 'z')")
        database.execute("INSERT INTO parent VALUES (1)")
        database.execute("INSERT INTO child VALUES (1, 'ok'), (99, 'orphan')")
        database.execute("INSERT INTO search VALUES ('the quick brown fox')")
        database.execute("INSERT INTO boxes VALUES (1, 0.5, 1.5)")
        database.execute("ANALYZE")
        database.commit()


def logical(path: Path) -> dict[str, object]:
    """All that a database holds, as values and not as pages."""
    with closing(sqlite3.connect(path)) as database:
        database.text_factory = bytes
        found: dict[str, object] = {}
        schema = "SELECT type, name, tbl_name, replace(rtrim(sql, char(10)), char(13), '') FROM sqlite_master"
        found["schema"] = sorted(database.execute(schema + " WHERE sql IS NOT NULL"))
        for name in ("user_version", "application_id", "encoding", "page_size"):
            found[name] = database.execute(f"PRAGMA {name}").fetchone()
        tables = database.execute("SELECT name, wr FROM pragma_table_list WHERE type != 'view' AND schema = 'main'")
        for raw, without in tables.fetchall():
            name = raw.decode().replace('"', '""')
            if name in ("sqlite_schema", "sqlite_stat4"):
                continue
            row_id = "" if without or name in ("search", "boxes") else "_rowid_, "
            columns = [
                column.decode() for (column,) in database.execute("SELECT name FROM pragma_table_xinfo(?)", (raw,))
            ]
            types = ", ".join(f'typeof("{column}")' for column in columns if name not in ("search", "boxes"))
            rows = database.execute(f'SELECT {row_id}*{", " + types if types else ""} FROM "{name}"').fetchall()
            found[name] = [tuple(map(_comparable, row)) for row in rows]
        found["search for quick"] = database.execute(
            "SELECT count(*) FROM search WHERE search MATCH 'quick'"
        ).fetchall()
        return found


def _comparable(value: object) -> object:
    return struct.pack("d", value) if isinstance(value, float) else value


def dumped(path: Path, scratch: Path, form: Form = Form.SQL) -> DumpedContent:
    with Sqlite("database", SqliteOptions(path=str(path)), path.parent).dump(dump_request(scratch)) as dump:
        return collect(dump, form)


def restored(content: DumpedContent, tmp_path: Path) -> Path:
    target = tmp_path / "restored" / "app.db"
    Sqlite("database", SqliteOptions(path=str(target)), tmp_path).load([content], load_request(tmp_path / "scratch2"))
    return target


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le", "UTF-16be"])
def test_nothing_is_lost_in_text(tmp_path: Path, rng: random.Random, encoding: str) -> None:
    make_database(tmp_path / "app.db", rng, encoding)
    content = dumped(tmp_path / "app.db", tmp_path / "scratch")
    assert logical(restored(content, tmp_path)) == logical(tmp_path / "app.db")


def test_the_shell_reads_the_text_and_gets_the_same(tmp_path: Path, rng: random.Random) -> None:
    make_database(tmp_path / "app.db", rng)
    content = dumped(tmp_path / "app.db", tmp_path / "scratch")
    by_shell = tmp_path / "by-shell.db"
    text = content.contents[b"database.sql"]
    result = subprocess.run(["sqlite3", "-bail", by_shell], input=text, capture_output=True, check=False)
    assert (result.returncode, result.stderr) == (0, b"")
    assert logical(by_shell) == logical(tmp_path / "app.db")


def with_text(content: DumpedContent, text: bytes, rows: dict[str, int] | None = None) -> DumpedContent:
    """The same component with another text, about which nothing is known but rows."""
    component = replace(content.component, content_sha256="", rows=rows or {})
    return DumpedContent(component, [content.entry(b"database.sql")], {b"database.sql": text})


def test_a_dump_of_the_shell_is_read(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "app.db")) as database:
        database.executescript(SCHEMA)
        database.executemany("INSERT INTO counted (word) VALUES (?)", [("it's\r\n;",), ("--",)])
        database.execute("PRAGMA user_version = 0")
        database.execute("PRAGMA application_id = 0")
        database.commit()
    content = dumped(tmp_path / "app.db", tmp_path / "scratch")
    shell = subprocess.run(["sqlite3", tmp_path / "app.db", ".dump"], capture_output=True, check=True)
    back = restored(with_text(content, shell.stdout, content.component.rows), tmp_path)
    assert logical(back) == logical(tmp_path / "app.db")


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9, 0.99, 1.0])
def test_half_a_text_is_refused(tmp_path: Path, rng: random.Random, kept: float) -> None:
    make_database(tmp_path / "app.db", rng)
    whole = dumped(tmp_path / "app.db", tmp_path / "scratch")
    lines = whole.contents[b"database.sql"].splitlines(keepends=True)
    cut = b"".join(lines[: min(len(lines) - 1, int(len(lines) * kept))])
    with pytest.raises(LoadFailed):
        restored(with_text(whole, cut), tmp_path)
    assert not list((tmp_path / "restored").iterdir())


@pytest.mark.parametrize("attack", ["ATTACH '{}' AS x", "VACUUM INTO '{}'", "SELECT load_extension('{}')"])
def test_a_hostile_text_reaches_nothing_else(tmp_path: Path, attack: str) -> None:
    with closing(sqlite3.connect(tmp_path / "app.db")) as database:
        database.execute("CREATE TABLE t (a)")
        database.commit()
    victim = tmp_path / "victim.db"
    content = dumped(tmp_path / "app.db", tmp_path / "scratch")
    with pytest.raises(LoadFailed):
        restored(with_text(content, f"CREATE TABLE a(b);\n{attack.format(victim)};\n".encode()), tmp_path)
    assert not victim.exists()


@pytest.mark.deep
def test_a_value_too_large_for_text_is_refused_and_not_cut(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "app.db")) as database:
        database.execute("CREATE TABLE t (a)")
        database.execute("INSERT INTO t VALUES (zeroblob(450000001))")
        database.commit()
    with pytest.raises(DumpIncomplete, match="too large"):
        dumped(tmp_path / "app.db", tmp_path / "scratch")
