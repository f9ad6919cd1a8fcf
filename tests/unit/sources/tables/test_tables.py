"""The source `tables`, from a live database into files and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from holdfast.errors import (
    DamageError,
    HoldfastError,
    LoadFailed,
    RestoreMismatch,
    RestoreRefused,
    SourceError,
    UnknownName,
)
from holdfast.model.component import Form, Role, Shape
from holdfast.protocols import LoadReport, Source
from holdfast.sources.tables import Tables, TablesOptions
from holdfast.sources.tables_safety import KeptTables
from unit.sources.rows.kit import Content, Database, dump_request, load_request

NewDatabase = Callable[[], Database]
TABLES = ("episodes", "story_comments", "users")


def create(database: Database) -> None:
    text = "varchar(80) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin" if database.kind == "mysql" else "text"
    database.run(
        f"CREATE TABLE episodes (id integer PRIMARY KEY, title {text})",
        f"CREATE TABLE users (id integer PRIMARY KEY, name {text}, friend integer REFERENCES users (id))",
        "CREATE TABLE story_comments (id integer PRIMARY KEY, user_id integer NOT NULL, episode_id integer, "
        f"body {text}, approved boolean, "
        "FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE, "
        "FOREIGN KEY (episode_id) REFERENCES episodes (id) ON DELETE CASCADE)",
    )


def fill(database: Database) -> None:
    create(database)
    database.run(
        "INSERT INTO episodes VALUES (1, 'قسمت اول'), (2, 'İkinci bölüm'), (3, 'unseen')",
        "INSERT INTO users VALUES (1, 'Ayşe', NULL), (2, 'علی', 1), (3, '🦉', 2)",
        "INSERT INTO story_comments VALUES (1, 1, 1, 'çok güzel', true), (2, 2, 1, 'عالی بود', false), "
        "(5, 3, 2, '👏👏', true), (6, 3, NULL, 'it''s ok', NULL)",
    )


def source_of(database: Database, folder: Path, **options: object) -> Tables:
    tables = options.pop("tables", TABLES)
    return Tables("exports", TablesOptions(database="app", tables=tables, **options), folder, database)  # type: ignore[arg-type]


def dumped(source: Tables, folder: Path) -> Content:
    with source.dump(dump_request(folder)) as dump:
        [form] = dump.forms()
        files = []
        for entry in dump.entries(form):
            assert entry.open is not None
            files.append((entry.path, entry.open().read()))
        return Content(files, dump.component(form).rows, form)


def loaded(
    source: Tables, content: Content | KeptTables, folder: Path, *tables: str, to: str | None = None
) -> LoadReport:
    return source.load([content], load_request(folder, tables, to))


def held(database: Database) -> dict[str, list[tuple[object, ...]]]:
    return {table: database.rows_of(table) for table in TABLES}


def test_a_dump_is_one_file_for_each_table(new_database: NewDatabase, tmp_path: Path) -> None:
    database = new_database()
    fill(database)
    source: Source = source_of(database, tmp_path)
    source.preflight()
    assert (source.kind, source.role, source.name) == ("tables", Role.TABLES, "exports")
    with source.dump(dump_request(tmp_path)) as dump:
        assert dump.shape(Form.TABLES) is Shape.FILES
    content = dumped(source, tmp_path)  # type: ignore[arg-type]
    assert [name for name, _text in content.files] == [b"episodes.json", b"story_comments.json", b"users.json"]
    assert content.component.rows == {"episodes": 3, "story_comments": 4, "users": 3}
    comments = json.loads(content.files[1][1])
    assert comments["count"] == 4
    assert comments["rows"][1]["body"] == "عالی بود"


def test_a_table_holds_exactly_the_rows_of_the_backup_afterwards(new_database: NewDatabase, tmp_path: Path) -> None:
    database = new_database()
    fill(database)
    source = source_of(database, tmp_path)
    content, before = dumped(source, tmp_path), held(database)
    database.run("DELETE FROM story_comments WHERE id = 1", "UPDATE story_comments SET body = 'x' WHERE id = 2")
    database.run("INSERT INTO story_comments VALUES (99, 1, 1, 'new', true)")
    damaged = held(database)
    plan = source.plan([content], load_request(tmp_path, ("story_comments",)))
    assert plan.replaces == ("story_comments (4 rows)",)
    assert held(database) == damaged
    report = loaded(source, content, tmp_path, "story_comments")
    assert held(database) == before
    assert report.rows == {"story_comments": 4}
    [copy] = report.safety_copies
    assert Path(copy).stat().st_mode & 0o777 == 0o600
    assert Path(copy).parent.stat().st_mode & 0o777 == 0o700
    assert Path(copy).parent.name == "before-restore-20240101_120000"
    assert str(Path(copy).parent) in report.undo
    kept = KeptTables(Path(copy).parent)
    assert kept.component.rows == {"story_comments": 4}
    again = loaded(source, kept, tmp_path)
    assert held(database) == damaged
    assert Path(again.safety_copies[0]).parent.name == "before-restore-20240101_120000_2"


def test_all_tables_come_back_into_an_empty_database(new_database: NewDatabase, tmp_path: Path) -> None:
    database, empty = new_database(), new_database()
    fill(database)
    create(empty)
    report = loaded(source_of(empty, tmp_path), dumped(source_of(database, tmp_path), tmp_path), tmp_path)
    assert held(empty) == held(database)
    assert report.rows == {"episodes": 3, "story_comments": 4, "users": 3}


def test_chosen_rows_come_back_and_others_stay(new_database: NewDatabase, tmp_path: Path) -> None:
    database = new_database()
    fill(database)
    source = source_of(database, tmp_path)
    content = dumped(source, tmp_path)
    before = held(database)
    database.run("UPDATE story_comments SET body = 'x' WHERE id > 0", "DELETE FROM story_comments WHERE id = 5")
    plan = source.plan([content], load_request(tmp_path, ("story_comments:id=1,5",)))
    assert plan.replaces == ("story_comments (some of 3 rows)",)
    report = loaded(source, content, tmp_path, "story_comments:id=1,5", "story_comments:body=it's ok")
    assert report.rows == {"story_comments": 3}
    rows = database.run("SELECT id FROM story_comments WHERE body = 'x'")
    assert rows == [(2,)]
    loaded(source, content, tmp_path, "story_comments:user_id=2")
    assert held(database) == before


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ("comments", UnknownName),
        ("story_comments:idd=5", UnknownName),
        ("story_comments:id=77", RestoreRefused),
        ("story_comments:id", UnknownName),
    ],
)
def test_what_is_not_there_cannot_be_chosen(
    new_database: NewDatabase, tmp_path: Path, asked: str, error: type[HoldfastError]
) -> None:
    database = new_database()
    fill(database)
    source = source_of(database, tmp_path)
    content, before = dumped(source, tmp_path), held(database)
    with pytest.raises(error):
        loaded(source, content, tmp_path, asked)
    assert held(database) == before


def test_children_are_never_lost_silently(new_database: NewDatabase, tmp_path: Path) -> None:
    database = new_database()
    fill(database)
    source = source_of(database, tmp_path)
    content = dumped(source, tmp_path)
    database.run(
        "INSERT INTO episodes VALUES (4, 'new')", "INSERT INTO story_comments VALUES (7, 1, 4, 'on new', true)"
    )
    before = held(database)
    with pytest.raises(RestoreRefused, match="1 rows of table story_comments would refer to rows of episodes"):
        loaded(source, content, tmp_path, "episodes")
    assert held(database) == before
    database.run("DELETE FROM story_comments WHERE id = 7")
    loaded(source, content, tmp_path, "episodes")
    assert database.run("SELECT count(*) FROM story_comments") == [(4,)]


def test_rows_whose_parents_are_gone_need_them(new_database: NewDatabase, tmp_path: Path) -> None:
    database = new_database()
    fill(database)
    content = dumped(source_of(database, tmp_path, with_related=True), tmp_path)
    before = held(database)
    database.run(
        "DELETE FROM story_comments WHERE user_id = 3",
        "DELETE FROM users WHERE id = 3",
        "UPDATE users SET name = 'stays' WHERE id = 2",
    )
    gone = held(database)
    with pytest.raises(RestoreRefused, match="users"):
        loaded(source_of(database, tmp_path), content, tmp_path, "story_comments:user_id=3")
    assert held(database) == gone
    loaded(source_of(database, tmp_path, with_parents=True), content, tmp_path, "story_comments:user_id=3")
    assert database.rows_of("story_comments") == before["story_comments"]
    assert database.run("SELECT name FROM users ORDER BY id") == [("Ayşe",), ("stays",), ("🦉",)]


def test_related_rows_are_in_the_same_file(new_database: NewDatabase, tmp_path: Path) -> None:
    database = new_database()
    fill(database)
    content = dumped(source_of(database, tmp_path, tables=("story_comments",), with_related=True), tmp_path)
    [(_name, text)] = content.files
    related = json.loads(text)["related"]
    assert sorted(row["id"] for row in related["episodes"]) == [1, 2]
    assert sorted(row["id"] for row in related["users"]) == [1, 2, 3]
    assert {row["title"] for row in related["episodes"]} == {"قسمت اول", "İkinci bölüm"}
    loaded(source_of(database, tmp_path), content, tmp_path)


def test_related_rows_reach_through_rings(new_database: NewDatabase, tmp_path: Path) -> None:
    database = new_database()
    fill(database)
    where = {"story_comments": "id = 5"}
    content = dumped(
        source_of(database, tmp_path, tables=("story_comments",), with_related=True, where=where), tmp_path
    )
    related = json.loads(content.files[0][1])["related"]
    assert sorted(row["id"] for row in related["users"]) == [1, 2, 3]


def test_a_dump_with_a_condition_is_merged(new_database: NewDatabase, tmp_path: Path) -> None:
    database = new_database()
    fill(database)
    source = source_of(database, tmp_path, tables=("story_comments",), where={"story_comments": "id < 3 -- few"})
    source.preflight()
    content = dumped(source, tmp_path)
    assert content.component.rows == {"story_comments": 2}
    before = held(database)
    database.run("DELETE FROM story_comments WHERE id = 1")
    loaded(source, content, tmp_path)
    assert held(database) == before


def test_merge_leaves_rows_that_the_backup_does_not_have(new_database: NewDatabase, tmp_path: Path) -> None:
    database = new_database()
    fill(database)
    source = source_of(database, tmp_path, mode="merge")
    content = dumped(source, tmp_path)
    database.run("INSERT INTO story_comments VALUES (99, 1, 1, 'new', true)", "DELETE FROM story_comments WHERE id = 1")
    assert loaded(source, content, tmp_path).rows == content.component.rows
    assert database.run("SELECT id FROM story_comments ORDER BY id") == [(1,), (2,), (5,), (6,), (99,)]


def test_preflight_names_the_nearest_table(new_database: NewDatabase, tmp_path: Path) -> None:
    database = new_database()
    fill(database)
    with pytest.raises(UnknownName, match=r"story_coments .there is: story_comments"):
        source_of(database, tmp_path, tables=("story_coments",)).preflight()
    with pytest.raises(UnknownName):
        source_of(database, tmp_path, tables=("nothing_*",)).preflight()
    with pytest.raises(SourceError):
        source_of(database, tmp_path, where={"users": "no_such_column = 1"}).preflight()
    everything = source_of(database, tmp_path, tables=(), exclude=("e*",))
    assert [name for name, _text in dumped(everything, tmp_path).files] == [b"story_comments.json", b"users.json"]


def test_damaged_files_change_nothing(new_database: NewDatabase, tmp_path: Path) -> None:
    database = new_database()
    fill(database)
    source = source_of(database, tmp_path, tables=("story_comments",))
    [(name, text)] = dumped(source, tmp_path).files
    before = held(database)
    lines = text.splitlines(keepends=True)
    for wrong in (
        b"",
        text[:-30],
        b"".join(lines[:2] + lines[3:]),
        text.replace(b'"count":4', b'"count":3'),
        text.replace("çok güzel".encode(), b"other"),
        text.replace(b"holdfast-table-1", b"holdfast-table-9"),
        text + b"more\n",
        b"[]",
        text.replace(b"{", b"[", 1),
    ):
        with pytest.raises(DamageError):
            loaded(source, Content([(name, wrong)], {"story_comments": 4}, Form.TABLES), tmp_path)
        assert held(database) == before


def test_a_destination_that_does_not_fit_is_refused(new_database: NewDatabase, tmp_path: Path) -> None:
    database, other = new_database(), new_database()
    fill(database)
    content = dumped(source_of(database, tmp_path), tmp_path)
    with pytest.raises(RestoreRefused, match="no table"):
        loaded(source_of(other, tmp_path), content, tmp_path)
    create(other)
    other.run("ALTER TABLE story_comments DROP COLUMN body", "ALTER TABLE story_comments ADD COLUMN since integer")
    with pytest.raises(RestoreRefused, match="story_comments has no column body any more"):
        loaded(source_of(other, tmp_path), content, tmp_path)
    other.run("ALTER TABLE users ADD COLUMN since integer")
    loaded(source_of(other, tmp_path), content, tmp_path, "users", "episodes")
    assert other.run("SELECT count(*) FROM users WHERE since IS NULL") == [(3,)]


def test_a_trigger_that_meddles_is_kept_out_or_refused(new_database: NewDatabase, tmp_path: Path) -> None:
    database = new_database()
    fill(database)
    source = source_of(database, tmp_path)
    content, before = dumped(source, tmp_path), held(database)
    if database.kind == "postgresql":
        database.run(
            "CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.body = 'LOUD'; RETURN NEW; END$$",
            "CREATE TRIGGER meddle BEFORE INSERT ON story_comments FOR EACH ROW EXECUTE FUNCTION shout()",
        )
    elif database.kind == "mysql":
        database.run("CREATE TRIGGER meddle BEFORE INSERT ON story_comments FOR EACH ROW SET NEW.body = 'LOUD'")
    else:
        database.run(
            "CREATE TRIGGER meddle AFTER INSERT ON story_comments BEGIN "
            "UPDATE story_comments SET body = 'LOUD' WHERE id = NEW.id; END"
        )
    if database.kind == "mysql":
        with pytest.raises(RestoreRefused, match="story_comments has the trigger meddle"):
            loaded(source, content, tmp_path, "story_comments")
    else:
        loaded(source, content, tmp_path, "story_comments")
    assert held(database) == before
    database.run("INSERT INTO story_comments VALUES (50, 1, 1, 'quiet', true)")
    assert database.run("SELECT body FROM story_comments WHERE id = 50") == [("LOUD",)]


def test_a_failed_load_changes_nothing(new_database: NewDatabase, tmp_path: Path) -> None:
    database, strict = new_database(), new_database()
    fill(database)
    create(strict)
    strict.run("INSERT INTO users VALUES (8, 'kept', NULL)")
    name = "`name`" if strict.kind == "mysql" else "name"
    strict.run(f"CREATE UNIQUE INDEX one_name ON users ({name})")
    database.run("UPDATE users SET name = 'same' WHERE id > 0")
    with pytest.raises(LoadFailed):
        loaded(source_of(strict, tmp_path), dumped(source_of(database, tmp_path), tmp_path), tmp_path)
    assert strict.run("SELECT id, name FROM users") == [(8, "kept")]


def test_safety_copy_can_be_left_out(new_database: NewDatabase, tmp_path: Path) -> None:
    database = new_database()
    fill(database)
    source = source_of(database, tmp_path)
    request = load_request(tmp_path)
    content = dumped(source, tmp_path)
    report = source.load([content], msgspec.structs.replace(request, safety_copy=False))
    assert (report.safety_copies, report.undo) == ((), "")


def test_proof_happens_before_commit(new_database: NewDatabase, tmp_path: Path) -> None:
    """A column that takes a value and keeps another one does not hold what the backup holds."""
    database, other = new_database(), new_database()
    for one, kind in ((database, "varchar(20)"), (other, "char(20)" if other.kind == "postgresql" else "integer")):
        kind = "float" if one is other and one.kind == "mysql" else kind
        one.run(f"CREATE TABLE users (id integer PRIMARY KEY, name {kind})")
    database.run("INSERT INTO users VALUES (1, '7')")
    other.run("INSERT INTO users VALUES (5, '5')")
    before = other.rows_of("users")
    content = dumped(source_of(database, tmp_path, tables=("users",)), tmp_path)
    with pytest.raises(RestoreMismatch, match="rows of table users would differ"):
        loaded(source_of(other, tmp_path, tables=("users",)), content, tmp_path)
    assert other.rows_of("users") == before
