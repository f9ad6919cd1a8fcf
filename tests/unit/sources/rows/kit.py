"""Databases of three kinds behind one face, and content without a target."""

from __future__ import annotations

import io
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from holdfast.model.component import Component, Form, Role, Shape
from holdfast.model.event import ignore
from holdfast.model.node import Node, NodeType
from holdfast.protocols import DumpRequest, Entry, LoadRequest
from holdfast.sources.rows.changes import apply_changes, changes_entries
from holdfast.sources.rows.mysql_sink import MysqlSink
from holdfast.sources.rows.mysql_store import MysqlRows
from holdfast.sources.rows.postgresql_sink import PostgresqlSink
from holdfast.sources.rows.postgresql_store import PostgresqlRows
from holdfast.sources.rows.sqlite_sink import SqliteSink
from holdfast.sources.rows.sqlite_store import SqliteRows
from holdfast.sources.rows.store import RowSink, RowStore
from holdfast.testing.databases import DatabaseServer, run_sql

KINDS = ("sqlite", "postgresql", "mysql")
Files = list[tuple[bytes, bytes]]


class Content:
    """What a target would give back."""

    def __init__(self, files: Files, rows: dict[str, int] | None = None, form: Form = Form.CHANGES) -> None:
        self.files = files
        self.component = Component(
            name="app",
            kind="test",
            role=Role.DATABASE,
            form=form,
            shape=Shape.FILES,
            file_name="",
            rows=rows or {},
        )

    def entries(self, paths: Sequence[bytes] = ()) -> Iterator[Entry]:
        for name, content in self.files:
            if not paths or name in paths:
                node = Node(name=name, type=NodeType.FILE, size=len(content))
                yield Entry(path=name, node=node, open=lambda content=content: io.BytesIO(content))


class Database:
    """One database of a kind; `server` is None for SQLite."""

    def __init__(self, kind: str, folder: Path, server: DatabaseServer | None) -> None:
        self.kind = kind
        self.name = "app"
        self.server = server
        self.path = folder / f"{secrets.token_hex(4)}.db"
        self.database = server.new_database() if server else ""
        if server is None:
            sqlite3.connect(self.path).close()

    def run(self, *statements: str) -> list[tuple[object, ...]]:
        """Runs statements in one connection and returns the rows of the last."""
        if self.server is not None:
            return run_sql(self.server, self.database, *statements)
        connection = sqlite3.connect(self.path, isolation_level=None)
        try:
            rows: list[tuple[object, ...]] = []
            for statement in statements:
                rows = connection.execute(statement).fetchall()
            return rows
        finally:
            connection.close()

    def connect(self) -> object:
        assert self.server is not None
        if self.kind == "postgresql":
            import psycopg

            return psycopg.connect(self.server.url(self.database))
        import pymysql

        server = self.server
        return pymysql.connect(
            host=server.host,
            port=server.port,
            user=server.user,
            password=server.password,
            database=self.database,
            charset="utf8mb4",
        )

    def row_store(self) -> RowStore:
        if self.kind == "sqlite":
            return SqliteRows(self.path, self.name, 1.0)
        if self.kind == "postgresql":
            return PostgresqlRows(self.connect, self.database, self.name)  # type: ignore[arg-type]
        return MysqlRows(self.connect, self.database, self.name)  # type: ignore[arg-type]

    def row_sink(self, destination: str | None = None) -> RowSink:
        if self.kind == "sqlite":
            return SqliteSink(Path(destination) if destination else self.path, self.name, 1.0)
        if self.kind == "postgresql":
            return PostgresqlSink(self.connect, self.database, self.name)  # type: ignore[arg-type]
        return MysqlSink(self.connect, self.database, self.name)  # type: ignore[arg-type]

    def rows_of(self, table: str) -> list[tuple[object, ...]]:
        """All rows as another program sees them, sorted."""
        quoted = f"`{table}`" if self.kind == "mysql" else f'"{table}"'
        if self.kind == "sqlite":
            columns = [row[1] for row in self.run(f"PRAGMA table_info({quoted})")]
            both = ", ".join(f'typeof("{column}"), hex("{column}")' for column in columns)
            return sorted(self.run(f"SELECT {both} FROM {quoted}"), key=repr)
        if self.kind == "postgresql":
            return sorted(self.run(f"SELECT x::text FROM {quoted} x"), key=repr)
        return sorted(self.run(f"SELECT * FROM {quoted}"), key=repr)


def scratch(folder: Path) -> Path:
    """An empty folder."""
    made = folder / f"scratch-{secrets.token_hex(4)}"
    made.mkdir(mode=0o700)
    return made


def dump_request(folder: Path, base: Path | None = None, state: Path | None = None) -> DumpRequest:
    return DumpRequest(scratch=scratch(folder), listener=ignore, cancelled=lambda: None, base=base, state=state)


def load_request(folder: Path, tables: tuple[str, ...] = (), destination: str | None = None) -> LoadRequest:
    return LoadRequest(
        scratch=scratch(folder),
        listener=ignore,
        cancelled=lambda: None,
        stamp="20240101_120000",
        tables=tables,
        destination=destination,
    )


def dumped(database: Database, folder: Path, base: Path | None = None, state: Path | None = None) -> Content:
    """The changes of a database since a base."""
    rows: dict[str, int] = {}
    files: Files = []
    with database.row_store() as store:
        for entry in changes_entries(store, dump_request(folder, base, state), database.name, rows):
            assert entry.open is not None
            files.append((entry.path, entry.open().read()))
    return Content(files, rows)


def apply(database: Database, content: Content, folder: Path) -> dict[str, int]:
    with database.row_sink() as sink:
        return apply_changes(sink, content, load_request(folder))
