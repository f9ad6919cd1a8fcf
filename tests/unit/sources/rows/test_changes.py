"""Chains of incremental backups give the source at each point, or nothing."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast.errors import DamageError, LoadFailed, NoBase, RestoreMismatch
from holdfast.sources.rows.changes import changes_entries, write_state
from holdfast.sources.rows.digest import TableDigest
from unit.sources.rows.kit import Content, Database, apply, dump_request, dumped

TABLES = ("users", "posts", "tags", "loose")
WORDS = ("سلام", "çay", "🦉", "", "NULL", "o'clock", '{"$binary": "x"}')


def create(database: Database) -> None:
    """Users and their favourite posts form a ring; tags have a key of two columns; `loose` has none."""
    text = "varchar(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin" if database.kind == "mysql" else "text"
    blob = {"sqlite": "blob", "postgresql": "bytea", "mysql": "blob"}[database.kind]
    later = ", FOREIGN KEY (best) REFERENCES posts (id) ON DELETE CASCADE" if database.kind == "sqlite" else ""
    database.run(
        f"CREATE TABLE users (id integer PRIMARY KEY, mail {text} UNIQUE, best integer{later})",
        f"CREATE TABLE posts (id integer PRIMARY KEY, user_id integer, body {text}, data {blob}, "
        "FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE)",
        f"CREATE TABLE tags (post_id integer, tag {text}, weight integer, PRIMARY KEY (post_id, tag))",
        f"CREATE TABLE loose (a integer, b {text})",
    )
    if not later:
        database.run("ALTER TABLE users ADD FOREIGN KEY (best) REFERENCES posts (id) ON DELETE CASCADE")


def mutate(database: Database, rng: random.Random, steps: int) -> None:
    statements: list[str] = []
    for _ in range(steps):
        number = rng.randrange(12)
        word = rng.choice(WORDS).replace("'", "''")
        data = {"postgresql": "'\\x{}'", "sqlite": "x'{}'", "mysql": "x'{}'"}[database.kind]
        blob = data.format(rng.randbytes(5).hex())
        absent = "WHERE NOT EXISTS (SELECT 1 FROM"
        choices = (
            f"DELETE FROM users WHERE id = {number}",
            f"INSERT INTO users (id, mail) SELECT {number}, 'm{rng.random()}' {absent} users WHERE id = {number})",
            f"UPDATE users SET best = (SELECT max(id) FROM posts WHERE user_id = {number}) WHERE id = {number}",
            f"INSERT INTO posts SELECT {rng.randrange(10**6)}, id, '{word}', {blob} FROM users WHERE id = {number}",
            f"UPDATE posts SET body = '{word}' WHERE user_id = {number}",
            f"DELETE FROM tags WHERE post_id = {number}",
            f"INSERT INTO tags SELECT {number}, '{word}', 1 {absent} tags WHERE post_id = {number} AND tag = '{word}')",
            f"UPDATE tags SET weight = weight + 1 WHERE post_id < {number}",
            f"INSERT INTO loose VALUES ({number}, '{word}')",
            f"DELETE FROM loose WHERE a = {number}",
        )
        statements.append(rng.choice(choices))
    database.run(*(["PRAGMA foreign_keys = ON"] if database.kind == "sqlite" else []), *statements)


def test_each_point_of_a_chain_is_restored_exactly(
    new_database: Callable[[], Database], tmp_path: Path, rng: random.Random
) -> None:
    source, copy = new_database(), new_database()
    for database in (source, copy):
        create(database)
    mutate(source, rng, 60)
    base: Path | None = None
    for point in range(6):
        state = tmp_path / f"state-{point}"
        changes = dumped(source, tmp_path, base, state)
        assert apply(copy, changes, tmp_path) == changes.component.rows
        for table in TABLES:
            assert copy.rows_of(table) == source.rows_of(table), (point, table)
        base = state
        mutate(source, rng, 15)
        swap(source)


def swap(database: Database) -> None:
    """Lets unique values change places between two rows."""
    rows = database.run("SELECT id, mail FROM users ORDER BY id")
    if len(rows) > 1:
        (one, first), (other, second) = rows[0], rows[-1]
        moves = ((one, "aside"), (other, first), (one, second))
        database.run(*(f"UPDATE users SET mail = '{mail}' WHERE id = {number}" for number, mail in moves))


def test_an_increment_holds_only_what_changed(new_database: Callable[[], Database], tmp_path: Path) -> None:
    source = new_database()
    create(source)
    source.run(*(f"INSERT INTO users (id, mail) VALUES ({number}, 'm{number}')" for number in range(50)))
    source.run("INSERT INTO loose VALUES (1, 'x')")
    dumped(source, tmp_path, None, tmp_path / "state")
    source.run("UPDATE users SET mail = 'new' WHERE id = 7", "DELETE FROM users WHERE id = 9")
    documents = {name: json.loads(text) for name, text in dumped(source, tmp_path, tmp_path / "state").files}
    users = documents[b"users.changes.json"]
    assert [row["id"] for row in users["rows"]] == [7]
    assert users["gone"] == [[9]]
    assert users["count"] == 49
    assert documents[b"loose.changes.json"]["rows"] == []


def test_state_of_a_full_dump_is_a_base(new_database: Callable[[], Database], tmp_path: Path) -> None:
    source = new_database()
    create(source)
    source.run("INSERT INTO users (id, mail) VALUES (1, 'a'), (2, 'b')")
    state = tmp_path / "state"
    with source.row_store() as store:
        assert write_state(store, state, lambda: None)["users"] == 2
    assert state.stat().st_mode & 0o777 == 0o600
    dumped(source, tmp_path, None, tmp_path / "other")
    assert (
        gzip.decompress(state.read_bytes()).splitlines()[0]
        == gzip.decompress((tmp_path / "other").read_bytes()).splitlines()[0]
    )
    users = json.loads(dict(dumped(source, tmp_path, state).files)[b"users.changes.json"])
    assert users["rows"] == users["gone"] == []


def test_a_changed_schema_has_no_base(new_database: Callable[[], Database], tmp_path: Path) -> None:
    source = new_database()
    create(source)
    dumped(source, tmp_path, None, tmp_path / "state")
    for change in (
        "CREATE INDEX by_mail ON posts (user_id)",
        "ALTER TABLE posts ADD COLUMN more integer",
        "CREATE VIEW seen AS SELECT id FROM users",
    ):
        source.run(change)
        with source.row_store() as store, pytest.raises(NoBase, match="schema changed"):
            changes_entries(store, dump_request(tmp_path, tmp_path / "state"), "app", {})
        dumped(source, tmp_path, None, tmp_path / "state")


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.98])
def test_a_damaged_state_is_no_base(new_database: Callable[[], Database], tmp_path: Path, keep: float) -> None:
    source = new_database()
    create(source)
    source.run("INSERT INTO users (id, mail) VALUES (1, 'a')")
    dumped(source, tmp_path, None, tmp_path / "state")
    lines = gzip.decompress((tmp_path / "state").read_bytes()).splitlines(keepends=True)
    (tmp_path / "state").write_bytes(gzip.compress(b"".join(lines[: int(len(lines) * keep)])))
    with pytest.raises(NoBase, match="cannot be read"):
        dumped(source, tmp_path, tmp_path / "state")


def planted(content: Content, table: bytes, change: Callable[[dict[str, Any]], object]) -> Content:
    """The same changes with a mistake that a buggy dump could make: only the count and digest of the table tell."""
    files = []
    for name, text in content.files:
        if name == table:
            document = json.loads(text)
            change(document)
            tail = {key: document.pop(key) for key in ("count", "digest")}
            lists = {key: [encoded(row) for row in document.pop(key)] for key in ("rows", "gone")}
            del document["sections"]
            text = encoded(document)[:-1]
            sums = []
            for key, lines in lists.items():
                digest = TableDigest(document["table"])
                for line in lines:
                    digest.add(line)
                sums.append({"count": digest.count, "digest": digest.hexdigest()})
                text += f',"{key}":['.encode() + b",".join(b"\n" + line for line in lines) + b"\n]"
            text += b"," + encoded({**tail, "sections": sums})[1:] + b"\n"
        files.append((name, text))
    return Content(files, content.component.rows)


def encoded(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


MISTAKES: dict[str, Callable[[dict[str, Any]], object]] = {
    "none": lambda document: None,
    "lost row": lambda document: document["rows"].pop(),
    "missed deletion": lambda document: document["gone"].clear(),
    "deleted too much": lambda document: document["gone"].append([3, "c"]),
    "wrong type": lambda document: document["rows"][0].update(weight={"$binary": "AAA="}),
    "wrong value": lambda document: document["rows"][0].update(weight=4),
    "extra row": lambda document: document["rows"].append({**document["rows"][0], "tag": "extra"}),
    "wrong count": lambda document: document.update(count=document["count"] + 1),
    "wrong digest": lambda document: document.update(digest="0" * 32),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_planted_mistake_is_refused_and_nothing_changes(
    new_database: Callable[[], Database], tmp_path: Path, mistake: str
) -> None:
    source, copy = new_database(), new_database()
    for database in (source, copy):
        create(database)
        database.run("INSERT INTO tags VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3)")
    dumped(source, tmp_path, None, tmp_path / "state")
    source.run("UPDATE tags SET weight = 9 WHERE post_id = 1", "DELETE FROM tags WHERE post_id = 2")
    wrong = planted(dumped(source, tmp_path, tmp_path / "state"), b"tags.changes.json", MISTAKES[mistake])
    before = copy.rows_of("tags")
    if mistake == "none":
        apply(copy, wrong, tmp_path)
        assert copy.rows_of("tags") == source.rows_of("tags")
        return
    with pytest.raises((RestoreMismatch, LoadFailed)):
        apply(copy, wrong, tmp_path)
    assert copy.rows_of("tags") == before


def test_changes_cut_anywhere_are_damage(new_database: Callable[[], Database], tmp_path: Path) -> None:
    source, copy = new_database(), new_database()
    for database in (source, copy):
        create(database)
    source.run("INSERT INTO loose VALUES (1, 'x'), (2, 'y')")
    content = dumped(source, tmp_path)
    [(name, text)] = [file for file in content.files if file[0] == b"loose.changes.json"]
    for cut in range(0, len(text) - 1, 7):
        files = [(key, text[:cut] if key == name else value) for key, value in content.files]
        with pytest.raises(DamageError):
            apply(copy, Content(files), tmp_path)
    assert copy.rows_of("loose") == []


def test_a_missing_table_is_noticed(new_database: Callable[[], Database], tmp_path: Path) -> None:
    source, copy = new_database(), new_database()
    for database in (source, copy):
        create(database)
    content = dumped(source, tmp_path)
    with pytest.raises(LoadFailed, match="no table loose"):
        apply(copy, Content([file for file in content.files if b"loose" not in file[0]]), tmp_path)
    copy.run("DROP TABLE loose")
    with pytest.raises(LoadFailed, match="destination has no table loose"):
        apply(copy, content, tmp_path)


def test_entries_that_nobody_reads_still_count(new_database: Callable[[], Database], tmp_path: Path) -> None:
    source = new_database()
    create(source)
    source.run("INSERT INTO loose VALUES (1, 'x'), (2, 'y')")
    rows: dict[str, int] = {}
    with source.row_store() as store:
        for _entry in changes_entries(store, dump_request(tmp_path, None, tmp_path / "state"), "app", rows):
            pass
    assert rows["loose"] == 2
    assert json.loads(dict(dumped(source, tmp_path, tmp_path / "state").files)[b"loose.changes.json"])["rows"] == []
