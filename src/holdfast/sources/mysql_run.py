"""Brings the text of a dump into a schema, statement by statement.

The text is not given to the client, which obeys commands in it, some of which run programs: what we send ourselves can
only do what the server lets this user do, and statements that leave the schema are refused.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from holdfast.errors import LoadFailed, Phrase, RestoreRefused
from holdfast.model.component import Problem
from holdfast.sources.mysql_dialect import Dialect, dialect_of
from holdfast.sources.mysql_script import Comment, Meta, Piece, Script
from holdfast.sources.mysql_server import MysqlServer, ask, qualified
from holdfast.sources.mysql_statements import (
    ROUTINES,
    Kind,
    Thing,
    columns_of,
    kind_of,
    sequences_of,
    without_definer,
    without_schema,
)

if TYPE_CHECKING:
    from holdfast.sources.mysql_server import Connection

_ACCESS_DENIED = frozenset((1227, 1044, 1142))
_DEFERRED = frozenset((Kind.TRIGGER, Kind.VIEW, Kind.EVENT, *ROUTINES))
_CONTEXT = "SELECT @@sql_mode, @@character_set_client, @@collation_connection, @@time_zone"
_ORDER = (*ROUTINES, Kind.VIEW, Kind.TRIGGER, Kind.EVENT)


class Programmed(NamedTuple):
    """A view, routine, trigger or event, and the settings of the session under which it is to be created."""

    thing: Thing
    text: bytes
    sql_mode: str
    charset: str
    collation: str
    time_zone: str

    @property
    def settings(self) -> tuple[str, ...]:
        """Statements that make the settings."""
        return (
            f"SET sql_mode = {_literal(self.sql_mode)}",
            f"SET character_set_client = {_literal(self.charset)}",
            f"SET collation_connection = {_literal(self.collation)}",
            f"SET time_zone = {_literal(self.time_zone)}",
        )


class Loader:
    """Loads dumps into schemas of one server.

    Attributes:
        programmed: views, routines, triggers and events of the last dump, in an order in which they can be created.
        problems: what could not be kept as it was.

    Args:
        server: with the database as it will be called in the end.
        dumped: the name of the database that was dumped.
    """

    def __init__(self, server: MysqlServer, dumped: str, cancelled: Callable[[], None]) -> None:
        self._server = server
        self._dumped = dumped
        self._placeholders: list[str] = []
        self._cancelled = cancelled
        self.programmed: list[Programmed] = []
        self.problems: list[Problem] = []

    def run(self, schema: str, blocks: Iterable[bytes], wanted: Callable[[str], bool]) -> None:
        """Creates tables and sequences and fills them; everything else is kept in `programmed`.

        Args:
            wanted: whether the rows of a table are loaded.

        Raises:
            LoadFailed: the server did not take it.
            RestoreRefused: it holds something that does not belong into a dump of one database.
        """
        import pymysql

        self.programmed = []
        with contextlib.closing(self._server.connect(schema)) as connection:
            try:
                dialect = dialect_of(str(ask(connection, "SELECT VERSION()")[0][0]))
                script = Script(dialect)
                for block in blocks:
                    for piece in script.feed(block):
                        self._take(connection, dialect, piece, wanted)
                    self._cancelled()
                for piece in script.finish():
                    self._take(connection, dialect, piece, wanted)
            except (pymysql.Error, OSError) as error:
                raise self.failed(error) from error
            except ValueError as error:
                raise LoadFailed(
                    destination=self._server.location,
                    reason=Phrase("the dump is not whole: {reason}", {"reason": str(error)}),
                ) from error
        self.programmed.sort(key=lambda programmed: _ORDER.index(programmed.thing.kind))

    def failed(self, error: Exception) -> LoadFailed:
        """What a server's error is to a restore."""
        return LoadFailed(destination=self._server.location, reason=self._server.reason(error))

    def _take(self, connection: Connection, dialect: Dialect, piece: Piece, wanted: Callable[[str], bool]) -> None:
        if isinstance(piece, Comment):
            return
        if isinstance(piece, Meta):
            reason = "the dump holds a command for the client, which could run programs here"
            raise RestoreRefused(destination=self._server.location, reason=reason)
        if piece.table:
            if wanted(piece.table):
                _run(connection, piece.text)
            return
        thing = kind_of(piece.text, dialect)
        if thing.kind is Kind.STRANGE:
            shown = piece.text[:40].decode("utf-8", "replace")
            reason = Phrase(
                "the dump holds a statement that dump programs do not write: {shown}", {"shown": repr(shown)}
            )
            raise RestoreRefused(destination=self._server.location, reason=reason)
        if thing.kind in _DEFERRED:
            [row] = ask(connection, _CONTEXT)
            text = without_schema(piece.text) if thing.kind is Kind.TRIGGER else piece.text
            self.programmed.append(Programmed(thing, text, *(str(value) for value in row)))
        elif thing.kind is Kind.TABLE:
            _run(connection, self._counting(connection, piece.text))
        elif thing.kind is not Kind.SKIPPED:
            _run(connection, piece.text)

    def _counting(self, connection: Connection, table: bytes) -> bytes:
        """A table whose defaults count with sequences of the final database, where there must be some meanwhile."""
        place = self._server.address.database
        text, sequences = sequences_of(table, self._dumped, place)
        for name in sequences:
            there = ask(
                connection,
                "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s",
                (place, name),
            )
            if not there:
                ask(connection, f"CREATE SEQUENCE {qualified(place, name)}")
                self._placeholders.append(name)
        return text

    def drop_placeholders(self, connection: Connection) -> None:
        """Drops sequences that stood in for those of the dump. Raises `pymysql.Error`."""
        while self._placeholders:
            name = self._placeholders.pop()
            ask(connection, f"DROP SEQUENCE IF EXISTS {qualified(self._server.address.database, name)}")

    def create_programmed(self, connection: Connection, place: str, chosen: Iterable[Programmed]) -> None:
        """Creates views, routines, triggers and events. Views that need others wait for them.

        Args:
            place: the schema of the connection.

        Raises:
            LoadFailed: the server did not take one of them.
        """
        import pymysql

        waiting = list(chosen)
        while waiting:
            later: list[Programmed] = []
            failure: Exception | None = None
            for programmed in waiting:
                try:
                    self._create(connection, place, programmed)
                except (pymysql.Error, OSError) as error:
                    failure = failure or error
                    later.append(programmed)
            if failure is not None and len(later) == len(waiting):
                reason = f"{later[0].thing.shown}: {self._server.reason(failure)}"
                raise LoadFailed(destination=self._server.location, reason=reason) from failure
            waiting = later

    def _create(self, connection: Connection, place: str, programmed: Programmed) -> None:
        import pymysql

        text = programmed.text
        if programmed.thing.kind is Kind.VIEW:
            text = columns_of(text, self._dumped, place)
        for setting in programmed.settings:
            ask(connection, setting)
        try:
            _run(connection, text)
        except pymysql.Error as error:
            bare = without_definer(text)
            if error.args[:1] not in {(code,) for code in _ACCESS_DENIED} or bare == text:
                raise
            _run(connection, bare)
            detail = "this user may not create it in the name of another; it has this user as definer now"
            self.problems.append(Problem(code="definer-changed", subject=programmed.thing.shown, detail=detail))


def _run(connection: Connection, statement: bytes) -> None:
    # Bytes go to the server as they are: a dump may hold more than one character set.
    with connection.cursor() as cursor:
        cursor.execute(statement)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
        while cursor.nextset():
            pass


def _literal(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
