"""Corners of single databases."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from holdfast.errors import DatabaseUnavailable, DestinationBusy, LoadFailed, RestoreRefused, SourceError, SourceMissing
from holdfast.sources.rows.changes import apply_changes
from holdfast.sources.rows.mysql_sink import MysqlSink
from holdfast.sources.rows.order import parents_first
from holdfast.sources.rows.sqlite_sink import SqliteSink
from holdfast.sources.rows.sqlite_store import SqliteRows
from holdfast.sources.rows.store import ForeignKey, TableInfo
from holdfast.testing.databases import DatabaseServer
from unit.sources.rows.kit import Database, apply, dumped, load_request


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Database:
    return Database("sqlite", tmp_path, None)


@pytest.fixture
def postgresql_database(tmp_path: Path, postgresql: DatabaseServer) -> Database:
    return Database("postgresql", tmp_path, postgresql)


@pytest.fixture
def mysql_database(tmp_path: Path, mysql: DatabaseServer) -> Database:
    return Database("mysql", tmp_path, mysql)


def refers(child: str, parent: str) -> ForeignKey:
    return ForeignKey(name=f"{child}-{parent}", columns=("p",), parent=parent, parent_columns=("id",))


def test_parents_come_first_and_rings_do_not_stop_it() -> None:
    edges = {"c": ("b",), "b": ("a",), "a": (), "x": ("y",), "y": ("x",), "self": ("self",), "out": ("elsewhere",)}
    tables = [
        TableInfo(name=name, columns=(), foreign_keys=tuple(refers(name, parent) for parent in parents))
        for name, parents in edges.items()
    ]
    order = [table.name for table in parents_first(tables)]
    assert sorted(order) == sorted(edges)
    assert order.index("a") < order.index("b") < order.index("c")


def test_a_snapshot_does_not_see_what_comes_later(new_database: Callable[[], Database]) -> None:
    database = new_database()
    database.run("CREATE TABLE t (id integer PRIMARY KEY, v integer)", "INSERT INTO t VALUES (1, 1)")
    if database.kind == "sqlite":
        database.run("PRAGMA journal_mode = WAL")
    with database.row_store() as store:
        [table] = store.tables()
        assert store.count(table) == 1
        database.run("INSERT INTO t VALUES (2, 2)", "UPDATE t SET v = 9")
        assert list(store.rows(table)) == [(1, 1)]
        assert store.count(table) == 1


def test_a_reading_that_is_given_up_does_not_hang(new_database: Callable[[], Database]) -> None:
    database = new_database()
    database.run("CREATE TABLE t (id integer PRIMARY KEY, v varchar(200))")
    values = ", ".join(f"({number}, '{'x' * 200}')" for number in range(5000))
    database.run(f"INSERT INTO t VALUES {values}")
    with database.row_store() as store:
        rows = store.rows(store.tables()[0])
        assert next(rows)[0] == 0
        assert isinstance(rows, Iterator)
        rows.close()  # type: ignore[attr-defined]


def test_a_server_that_goes_away_is_an_error(new_database: Callable[[], Database]) -> None:
    database = new_database()
    if database.server is None:
        return
    database.run("CREATE TABLE t (id integer PRIMARY KEY, v varchar(2000))")
    for first in range(0, 20_000, 4000):
        values = ", ".join(f"({number}, '{'x' * 2000}')" for number in range(first, first + 4000))
        database.run(f"INSERT INTO t VALUES {values}")
    with database.row_store() as store:
        rows = store.rows(store.tables()[0])
        next(rows)
        if database.kind == "postgresql":
            others = "datname = current_database() AND pid <> pg_backend_pid()"
            database.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
        else:
            others = "db = DATABASE() AND id <> connection_id()"
            for number, *_more in database.run(f"SELECT id FROM information_schema.processlist WHERE {others}"):
                database.run(f"KILL {number}")
        with pytest.raises(SourceError):
            list(rows)


def test_null_in_a_key_of_sqlite_makes_it_no_key(sqlite_database: Database, tmp_path: Path) -> None:
    database = sqlite_database
    database.run("CREATE TABLE t (id TEXT PRIMARY KEY, v)", "INSERT INTO t VALUES ('a', 1)")
    with database.row_store() as store:
        assert store.tables()[0].primary_key == ("id",)
    dumped(database, tmp_path, None, tmp_path / "state")
    copy = Database("sqlite", tmp_path, None)
    copy.run("CREATE TABLE t (id TEXT PRIMARY KEY, v)", "INSERT INTO t VALUES ('a', 1)")
    database.run("INSERT INTO t VALUES (NULL, 2), (NULL, 3)")
    content = dumped(database, tmp_path, tmp_path / "state")
    assert json.loads(content.files[0][1])["whole"] is True
    apply(copy, content, tmp_path)
    assert copy.rows_of("t") == database.rows_of("t")


def test_search_indexes_of_sqlite_follow_in_a_chain(sqlite_database: Database, tmp_path: Path) -> None:
    copy = Database("sqlite", tmp_path, None)
    for database in (sqlite_database, copy):
        database.run(
            "CREATE TABLE docs (id INTEGER PRIMARY KEY, body TEXT)",
            "CREATE VIRTUAL TABLE search USING fts5(body, content='docs', content_rowid='id')",
            "CREATE TRIGGER fill AFTER INSERT ON docs BEGIN "
            "INSERT INTO search (rowid, body) VALUES (new.id, new.body); END",
        )
    sqlite_database.run("INSERT INTO docs VALUES (1, 'merhaba dünya'), (2, 'سلام دنیا')")
    with sqlite_database.row_store() as store:
        assert [table.name for table in store.tables() if not table.internal] == ["docs"]
    apply(copy, dumped(sqlite_database, tmp_path), tmp_path)
    assert copy.run("SELECT rowid FROM search WHERE search MATCH 'سلام'") == [(2,)]
    copy.run("INSERT INTO search (search) VALUES ('integrity-check')", "INSERT INTO docs VALUES (3, 'ok')")
    assert copy.run("SELECT rowid FROM search WHERE search MATCH 'ok'") == [(3,)]


def test_sqlite_tables_of_hostile_names(sqlite_database: Database, tmp_path: Path) -> None:
    copy = Database("sqlite", tmp_path, None)
    for database in (sqlite_database, copy):
        database.run(
            'CREATE TABLE "a""b; DROP TABLE x -- \n" ("c""d" INTEGER PRIMARY KEY AUTOINCREMENT, "e\'f\ng" TEXT)',
            'CREATE TABLE "../../etc" ("%s" INT, "?" INT, ":x" INT, PRIMARY KEY ("%s", "?"))',
            'CREATE TABLE "select" ("from" INTEGER REFERENCES "a""b; DROP TABLE x -- \n" ("c""d"))',
        )
    sqlite_database.run(
        'INSERT INTO "a""b; DROP TABLE x -- \n" VALUES (1, \'x\')',
        'INSERT INTO "../../etc" VALUES (1, 2, 3)',
        'INSERT INTO "select" VALUES (1)',
    )
    content = dumped(sqlite_database, tmp_path)
    assert all(b"/" not in name for name, _text in content.files)
    apply(copy, content, tmp_path)
    assert dumped(copy, tmp_path).files == content.files


def test_sqlite_in_utf_16(tmp_path: Path) -> None:
    one, other = Database("sqlite", tmp_path, None), Database("sqlite", tmp_path, None)
    for database in (one, other):
        database.run("PRAGMA encoding = 'UTF-16le'", "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")
    one.run("INSERT INTO t (v) VALUES ('سلام 🦉'), (''), (x'00d8')")
    apply(other, dumped(one, tmp_path), tmp_path)
    assert other.rows_of("t") == one.rows_of("t")


def test_a_file_that_is_not_there_or_no_database(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing), SqliteRows(tmp_path / "none.db", "app"):
        pass
    with pytest.raises(RestoreRefused), SqliteSink(tmp_path / "none.db", "app"):
        pass
    (tmp_path / "text.db").write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(SourceError), SqliteRows(tmp_path / "text.db", "app"):
        pass


def test_a_database_that_somebody_else_writes_to_is_busy(sqlite_database: Database) -> None:
    sqlite_database.run("CREATE TABLE t (a)")
    holder = sqlite3.connect(sqlite_database.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(DestinationBusy), SqliteSink(sqlite_database.path, "app", 0.05):
            pass
    finally:
        holder.close()


def test_rows_that_a_policy_hides_are_an_error(postgresql_database: Database, tmp_path: Path) -> None:
    database = postgresql_database
    role = f"reader_{database.database}"
    database.run(
        "CREATE TABLE secret (id int PRIMARY KEY)",
        "INSERT INTO secret VALUES (1), (2)",
        "ALTER TABLE secret ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY partly ON secret USING (id = 1)",
        f"CREATE ROLE {role} LOGIN PASSWORD 'x'",
        f"GRANT SELECT ON secret TO {role}",
    )
    import psycopg

    from holdfast.sources.rows.postgresql_store import PostgresqlRows

    assert database.server is not None
    server = database.server
    url = f"postgresql://{role}:x@{server.host}:{server.port}/{database.database}"
    with PostgresqlRows(lambda: psycopg.connect(url), "db", "app") as store:
        [table] = store.tables()
        with pytest.raises(DatabaseUnavailable, match="row-level security"):
            list(store.rows(table))


def test_an_exported_snapshot_is_seen_elsewhere(postgresql_database: Database) -> None:
    import psycopg

    from holdfast.sources.rows.postgresql_store import PostgresqlRows

    database = postgresql_database
    database.run("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    assert database.server is not None
    url = database.server.url(database.database)
    with psycopg.connect(url) as exporter:
        exporter.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        found = exporter.execute("SELECT pg_export_snapshot()").fetchone()
        assert found is not None
        database.run("INSERT INTO t VALUES (2)")
        with PostgresqlRows(lambda: psycopg.connect(url), "db", "app", str(found[0])) as store:
            assert list(store.rows(store.tables()[0])) == [(1,)]


def test_keys_and_triggers_of_postgresql_are_as_they_were(postgresql_database: Database, tmp_path: Path) -> None:
    copy = Database("postgresql", tmp_path, postgresql_database.server)
    for database in (postgresql_database, copy):
        database.run(
            "CREATE TABLE a (id int PRIMARY KEY, u int UNIQUE DEFERRABLE INITIALLY DEFERRED)",
            'CREATE TABLE b (id int PRIMARY KEY, CONSTRAINT "to ""a" FOREIGN KEY (id) REFERENCES a (id) '
            "ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED)",
            "COMMENT ON CONSTRAINT \"to \"\"a\" ON b IS 'it''s here'",
            "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no'; END$$",
            "INSERT INTO a VALUES (1, 1)",
            "INSERT INTO b VALUES (1)",
            "CREATE TRIGGER t1 BEFORE DELETE ON a FOR EACH ROW EXECUTE FUNCTION no()",
            "CREATE TRIGGER t2 BEFORE INSERT ON b FOR EACH ROW EXECUTE FUNCTION no()",
            "ALTER TABLE a ENABLE ALWAYS TRIGGER t1",
        )
    postgresql_database.run(
        "ALTER TABLE a DISABLE TRIGGER t1",
        "UPDATE a SET u = 5",
        "DELETE FROM a",
        "ALTER TABLE a ENABLE ALWAYS TRIGGER t1",
    )
    content = dumped(postgresql_database, tmp_path)
    with copy.row_store() as store:
        before = store.schema_sha256()
    apply(copy, content, tmp_path)
    with copy.row_store() as store:
        assert store.schema_sha256() == before
    assert copy.run("SELECT obj_description(oid, 'pg_constraint') FROM pg_constraint WHERE contype = 'f'") == [
        ("it's here",)
    ]
    assert copy.run("SELECT count(*) FROM a") == copy.run("SELECT count(*) FROM b") == [(0,)]


def test_triggers_of_mariadb_in_a_database_that_is_nobodys_yet(mysql_database: Database, tmp_path: Path) -> None:
    copy = Database("mysql", tmp_path, mysql_database.server)
    for database in (mysql_database, copy):
        database.run(
            "CREATE TABLE t (id int PRIMARY KEY, v int)",
            "CREATE TRIGGER twice BEFORE INSERT ON t FOR EACH ROW SET NEW.v = NEW.v * 2",
        )
    mysql_database.run("INSERT INTO t VALUES (1, 1)")
    content = dumped(mysql_database, tmp_path)
    with pytest.raises(RestoreRefused, match="trigger twice"):
        apply(copy, content, tmp_path)
    with MysqlSink(copy.connect, "db", "app", unused=True) as sink:  # type: ignore[arg-type]
        apply_changes(sink, content, load_request(tmp_path))
    assert copy.run("SELECT id, v FROM t") == [(1, 2)]
    with copy.row_store() as one, mysql_database.row_store() as other:
        assert one.schema_sha256() == other.schema_sha256()
    with MysqlSink(copy.connect, "db", "app", unused=True) as sink:  # type: ignore[arg-type]
        sink.begin(sink.tables())
        with pytest.raises(LoadFailed, match="Duplicate"):
            sink.insert(sink.tables()[0], ("id", "v"), [(1, 5)])
    assert copy.run("SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE()") == [
        ("twice",)
    ]
    assert copy.run("SELECT id, v FROM t") == [(1, 2)]


def test_tables_without_transactions_are_told_apart(mysql_database: Database, tmp_path: Path) -> None:
    mysql_database.run("CREATE TABLE t (id int PRIMARY KEY) ENGINE = MyISAM", "INSERT INTO t VALUES (1)")
    with mysql_database.row_store() as store:
        assert [table.transactional for table in store.tables()] == [False]
    with pytest.raises(RestoreRefused, match="no transactions"):
        apply(mysql_database, dumped(mysql_database, tmp_path), tmp_path)


def test_a_schema_that_changes_under_a_snapshot_is_an_error(mysql_database: Database) -> None:
    mysql_database.run("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    with mysql_database.row_store() as store:
        [table] = store.tables()
        mysql_database.run("ALTER TABLE t ADD COLUMN more int, ALGORITHM = COPY")
        with pytest.raises(SourceError, match="table t"):
            list(store.rows(table))


def test_a_value_as_large_as_a_packet_of_mariadb_allows(mysql_database: Database, tmp_path: Path) -> None:
    copy = Database("mysql", tmp_path, mysql_database.server)
    for database in (mysql_database, copy):
        database.run("CREATE TABLE t (id int PRIMARY KEY, b longblob, t longtext CHARACTER SET utf8mb4)")
    mysql_database.run(
        "INSERT INTO t VALUES (1, repeat(x'00', 15 << 20), repeat('\\'ş', 2 << 20)), (2, x'00', NULL), (3, '', 'x')"
    )
    apply(copy, dumped(mysql_database, tmp_path), tmp_path)
    sums = "SELECT id, md5(b), md5(t) FROM t ORDER BY id"
    assert copy.run(sums) == mysql_database.run(sums)


@pytest.mark.parametrize(
    "column",
    ["serial", "int GENERATED ALWAYS AS IDENTITY", "int DEFAULT nextval('other')", "int DEFAULT nextval('\"o T\"')"],
)
def test_sequences_of_every_kind_go_on(postgresql_database: Database, tmp_path: Path, column: str) -> None:
    copy = Database("postgresql", tmp_path, postgresql_database.server)
    for database in (postgresql_database, copy):
        database.run("CREATE SEQUENCE other", 'CREATE SEQUENCE "o T"', f"CREATE TABLE t (id {column}, v int)")
    postgresql_database.run("INSERT INTO t (v) VALUES (1), (2), (3)", "DELETE FROM t WHERE v = 3")
    apply(copy, dumped(postgresql_database, tmp_path), tmp_path)
    copy.run("INSERT INTO t (v) VALUES (4)")
    assert copy.run("SELECT id FROM t WHERE v = 4") == [(4,)]
