"""Brings the content of a dump into a database: an archive through `pg_restore`, plain SQL by ourselves.

Plain SQL is not given to `psql`. A dump can hold commands for it that run programs on this machine (CVE-2025-8714), and
what we send ourselves can only do what the server lets this user do.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from holdfast.errors import DumpStalled, HoldfastError, LoadFailed, Phrase, RestoreRefused
from holdfast.runtime.programs import Patience, Program
from holdfast.sources.postgresql_names import TableName, copied_table
from holdfast.sources.postgresql_script import Comment, CopyData, Meta, Piece, Script, Statement
from holdfast.sources.postgresql_server import PostgresqlServer

if TYPE_CHECKING:
    import psycopg

    from holdfast.sources.postgresql_server import Connection

_PLAIN = ["--exit-on-error", "--no-password", "--no-owner", "--no-privileges"]
_OF_ROLES = re.compile(rb"(?:ALTER\s.*\sOWNER\s+TO\s|ALTER\s+DEFAULT\s+PRIVILEGES\s|GRANT\s|REVOKE\s)", re.DOTALL)
_TYPE = re.compile(rb"-- (?:Data for )?Name: .*; Type: ([A-Z ]+); Schema: ")
_LEFT_OUT_FOR_TABLES = frozenset(
    (
        *(b"ACL", b"BLOB", b"BLOBS", b"DEFAULT ACL", b"EVENT TRIGGER", b"FK CONSTRAINT", b"MATERIALIZED VIEW DATA"),
        *(b"POLICY", b"PUBLICATION", b"PUBLICATION TABLE", b"ROW SECURITY", b"RULE", b"SUBSCRIPTION", b"TRIGGER"),
    )
)


class Manner(NamedTuple):
    """How content is loaded.

    Attributes:
        roles: restore owners and rights, for which the roles have to exist.
        at_once: everything in one transaction.
        wanted: says whose rows are loaded; with it, only what tables need is defined. None for everything.
    """

    roles: bool
    at_once: bool = False
    wanted: Callable[[Connection, TableName], bool] | None = None


def run_sql(
    server: PostgresqlServer, database: str, blocks: Iterable[bytes], manner: Manner, cancelled: Callable[[], None]
) -> None:
    """Loads plain SQL.

    Raises:
        LoadFailed: the server did not take it.
        RestoreRefused: it holds something that is no SQL.
    """
    import psycopg

    connection = server.connect(database, autocommit=not manner.at_once)
    try:
        runner = _Runner(connection, manner, server.location)
        script = Script()
        for block in blocks:
            for piece in script.feed(block):
                runner.take(piece)
            cancelled()
        for piece in script.finish():
            runner.take(piece)
        if manner.at_once:
            connection.commit()
    except psycopg.Error as error:
        raise LoadFailed(destination=server.location, reason=server.reason(error)) from error
    except ValueError as error:
        raise LoadFailed(
            destination=server.location, reason=Phrase("the dump is not whole: {reason}", {"reason": str(error)})
        ) from error
    finally:
        connection.close()


class _Runner:
    def __init__(self, connection: Connection, manner: Manner, destination: str) -> None:
        self._connection = connection
        self._manner = manner
        self._destination = destination
        self._type = b""
        self._copying = contextlib.ExitStack()
        self._copy: psycopg.Copy | None = None

    def take(self, piece: Piece) -> None:
        if isinstance(piece, Meta):
            shown = piece.text.strip()[:40].decode("utf-8", "replace")
            reason = f"the dump holds a command for psql, which could run programs here: {shown}"
            raise RestoreRefused(destination=self._destination, reason=reason)
        if isinstance(piece, Comment):
            match = _TYPE.match(piece.text)
            self._type = match[1] if match is not None else self._type
        elif isinstance(piece, Statement):
            self._statement(piece)
        elif isinstance(piece, CopyData):
            if self._copy is not None:
                self._copy.write(piece.block)
        else:
            self._copy = None
            self._copying.close()

    def _statement(self, piece: Statement) -> None:
        manner = self._manner
        if not manner.roles and _OF_ROLES.match(piece.text):
            return
        if manner.wanted is not None and self._type in _LEFT_OUT_FOR_TABLES:
            return
        if not piece.copies:
            if piece.word == b"COPY":
                raise RestoreRefused(destination=self._destination, reason="the dump copies files or programs")
            self._connection.execute(piece.text)
        elif self._wants(piece.text):
            cursor = self._copying.enter_context(self._connection.cursor())
            self._copy = self._copying.enter_context(cursor.copy(piece.text))

    def _wants(self, statement: bytes) -> bool:
        if self._manner.wanted is None:
            return True
        table = copied_table(statement)
        return table is not None and self._manner.wanted(self._connection, table)


class RestoreTool(NamedTuple):
    """`pg_restore`, and how long it may be silent."""

    path: str
    silence_s: float
    cancelled: Callable[[], None]


def run_archive(
    server: PostgresqlServer, database: str, blocks: Iterable[bytes], manner: Manner, tool: RestoreTool
) -> None:
    """Loads an archive in the custom format.

    Raises:
        LoadFailed: the server or the program did not take it.
    """
    options = _PLAIN[:2] if manner.roles else [*_PLAIN]
    options += ["--single-transaction"] if manner.at_once else []
    _restore(server, database, blocks, options, tool)


def run_archive_definitions(
    server: PostgresqlServer, database: str, blocks: Iterable[bytes], tool: RestoreTool
) -> None:
    """Loads what comes before the rows in an archive: tables and what they need. Raises `LoadFailed`."""
    _restore(server, database, blocks, [*_PLAIN, "--section=pre-data"], tool)


def run_archive_rows(
    server: PostgresqlServer, database: str, blocks: Iterable[bytes], tables: Sequence[TableName], tool: RestoreTool
) -> None:
    """Loads the rows of some tables of an archive. Raises `LoadFailed`."""
    chosen = [f"--table={table.name}" for table in tables] + [f"--schema={table.schema}" for table in tables]
    _restore(server, database, blocks, [*_PLAIN, "--section=data", *chosen], tool)


def _restore(
    server: PostgresqlServer, database: str, blocks: Iterable[bytes], options: Sequence[str], tool: RestoreTool
) -> None:
    def silent(seconds: float) -> HoldfastError:
        return DumpStalled(source=server.source, seconds=round(seconds, 1))

    with (
        contextlib.closing(server.connect(database)) as connection,
        server.for_programs(connection) as access,
    ):
        patience = Patience(tool.silence_s, silent, tool.cancelled)
        try:
            program = Program(
                [tool.path, access.dbname, "--format=custom", *options],
                patience,
                environment=access.environment,
                feeds=True,
                pass_fds=access.pass_fds,
                secrets=access.secrets,
            )
        except OSError as error:
            reason = Phrase("{path} cannot be run: {reason}", {"path": tool.path, "reason": error.strerror})
            raise LoadFailed(destination=server.location, reason=reason) from error
        with program:
            taking = True
            for block in blocks:
                # The rest is read all the same: whether the content is whole is known at its end.
                taking = taking and program.feed(block)
            ending = program.finish()
        if not ending.succeeded:
            raise LoadFailed(destination=server.location, reason=ending.words)
