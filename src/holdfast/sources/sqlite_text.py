"""A SQLite database as SQL text that the `sqlite3` shell and this program read: nothing is lost on the way.

Beyond what `.dump` keeps: row ids, the encoding, `user_version` and `application_id`, numbers to the last bit,
carriage returns and NUL in texts. The text ends with a line that says how much it holds.
"""

from __future__ import annotations

import math
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from holdfast.errors import DumpIncomplete
from holdfast.sources.sqlite_check import quoted
from holdfast.sources.sqlite_opening import closing, connect, interruptible

FIRST_LINE = b"-- Holdfast: a SQLite database as SQL text\n"
LAST_LINE = re.compile(rb"-- Holdfast: whole, tables: (\d+), rows: (\d+)\n\Z")

_VALUE_BYTES_MAX = 450_000_000
_EXACT_POWER = 30
_MANTISSA_BITS = 53
_AUTOINCREMENT = re.compile(r"\bAUTOINCREMENT\b", re.IGNORECASE)


class _Text(bytes):
    """A value of storage class TEXT; blobs are plain bytes."""


class _Item(NamedTuple):
    """One row of the schema."""

    kind: str
    name: str
    rootpage: int
    sql: str


def sql_text(path: Path, source: str, tally: dict[str, int], cancelled: Callable[[], None]) -> Iterator[bytes]:
    """The text in small pieces.

    Args:
        path: a database that nobody writes to.
        tally: takes the rows of each table as they are written.

    Raises:
        DumpIncomplete: a value is too large for SQL text.
        sqlite3.Error: the database cannot be read.
    """
    with closing(connect(path, "immutable")) as database, interruptible(database, cancelled):
        yield from _Writer(database, source, tally).lines()


class _Writer:
    def __init__(self, database: sqlite3.Connection, source: str, tally: dict[str, int]) -> None:
        self._database = database
        self._source = source
        self._tally = tally
        self._encoding = str(self._pragma("encoding"))
        self._items = [
            _Item(*row)
            for row in database.execute("SELECT type, name, rootpage, sql FROM sqlite_master WHERE sql IS NOT NULL")
        ]
        database.text_factory = _Text

    def _pragma(self, name: str) -> object:
        return self._database.execute(f"PRAGMA {name}").fetchone()[0]

    def lines(self) -> Iterator[bytes]:
        yield FIRST_LINE
        yield b"PRAGMA foreign_keys=OFF;\n"
        for name in ("page_size", "auto_vacuum"):
            yield f"PRAGMA {name}={self._pragma(name)};\n".encode()
        yield f"PRAGMA encoding='{self._encoding}';\nBEGIN TRANSACTION;\n".encode()
        yield from self._tables()
        yield from self._virtual_tables()
        for kind in ("index", "view", "trigger"):
            yield from (_statement(item.sql) for item in self._items if item.kind == kind)
        for name in ("user_version", "application_id"):
            yield f"PRAGMA {name}={self._pragma(name)};\n".encode()
        rows = sum(self._tally.values())
        yield f"COMMIT;\n-- Holdfast: whole, tables: {len(self._tally)}, rows: {rows}\n".encode()

    def _tables(self) -> Iterator[bytes]:
        tables = [item for item in self._items if item.kind == "table" and item.rootpage]
        for item in tables:
            if not item.name.startswith("sqlite_"):
                yield _statement(item.sql)
                yield from self._rows(item.name, *self._columns(item.name))
        names = {item.name for item in tables}
        if "sqlite_sequence" in names and any(_AUTOINCREMENT.search(item.sql) for item in tables):
            yield b"DELETE FROM sqlite_sequence;\n"
            yield from self._system_rows("sqlite_sequence")
        if "sqlite_stat1" in names:
            yield b"ANALYZE sqlite_master;\nDELETE FROM sqlite_stat1;\n"
            yield from self._system_rows("sqlite_stat1")

    def _virtual_tables(self) -> Iterator[bytes]:
        """Their rows are in tables behind them, so only their names must be put into the schema."""
        virtual = [item for item in self._items if item.kind == "table" and not item.rootpage]
        if not virtual:
            return
        yield b"PRAGMA writable_schema=ON;\n"
        for item in virtual:
            name, sql = (self._literal(_Text(text.encode())) for text in (item.name, item.sql))
            yield b"INSERT INTO sqlite_master(type,name,tbl_name,rootpage,sql)VALUES('table',"
            yield name + b"," + name + b",0," + sql + b");\n"
        yield b"PRAGMA writable_schema=OFF;\n"

    def _columns(self, table: str) -> tuple[str, str]:
        """What to select from a table, and the list of columns to write it to; empty if that is all of them."""
        query = "SELECT name, type, pk, hidden FROM pragma_table_xinfo(?) ORDER BY cid"
        found = [(_plain(name), _plain(kind), key, hidden) for name, kind, key, hidden in self._ask(query, table)]
        stored = [quoted(name) for name, _, _, hidden in found if not hidden]
        row_id = self._row_id(table, found)
        written = [row_id, *stored] if row_id else stored
        if row_id or len(stored) < len(found):
            return ",".join(written), "(" + ",".join(written) + ")"
        return ",".join(stored), ""

    def _row_id(self, table: str, columns: list[tuple[str, str, int, int]]) -> str:
        """The name under which row ids can be written; empty where there are none, or where a column is the row id."""
        without = self._ask("SELECT 1 FROM pragma_table_list WHERE schema = 'main' AND wr AND name = ?", table)
        keys = [kind for _, kind, key, _ in columns if key]
        own_index = self._ask("SELECT 1 FROM pragma_index_list(?) WHERE origin = 'pk'", table)
        if without or (len(keys) == 1 and keys[0].upper() == "INTEGER" and not own_index):
            return ""
        taken = {name.lower() for name, _, _, _ in columns}
        return next((name for name in ("rowid", "_rowid_", "oid") if name not in taken), "")

    def _ask(self, query: str, table: str) -> list[tuple[bytes, bytes, int, int]]:
        return self._database.execute(query, (table,)).fetchall()

    def _rows(self, table: str, selected: str, written: str) -> Iterator[bytes]:
        literals, count = self._literal, 0
        head = f"INSERT INTO {quoted(table)}{written} VALUES(".encode()
        for row in self._database.execute(f"SELECT {selected} FROM {quoted(table)}"):  # noqa: S608 - quoted names
            yield head + b",".join([literals(value) for value in row]) + b");\n"
            count += 1
        self._tally[table] = count

    def _system_rows(self, table: str) -> Iterator[bytes]:
        for row in self._database.execute(f"SELECT * FROM {table}"):  # noqa: S608 - one of two names above
            yield f"INSERT INTO {table} VALUES(".encode() + b",".join(map(self._literal, row)) + b");\n"

    def _literal(self, value: object) -> bytes:
        if type(value) is _Text:
            return self._text(value)
        if isinstance(value, int):
            return b"%d" % value
        if value is None:
            return b"NULL"
        if isinstance(value, float):
            return self._real(value)
        assert isinstance(value, bytes)
        self._measure(value)
        return b"X'" + value.hex().encode() + b"'"

    def _text(self, value: bytes) -> bytes:
        self._measure(value)
        if b"\0" not in value and b"\r" not in value and (value.isascii() or _is_utf8(value)):
            return b"'" + value.replace(b"'", b"''") + b"'"
        # COMPAT(sqlite3): SQL ends at a NUL, and the shell drops a carriage return at the end of a line. Bytes that are
        # made a text are taken in the database's own encoding.
        if self._encoding != "UTF-8":
            value = value.decode("utf-8", "surrogatepass").encode(self._encoding.lower(), "surrogatepass")
        return b"CAST(X'" + value.hex().encode() + b"' AS TEXT)"

    def _real(self, value: float) -> bytes:
        if math.isinf(value):
            return b"9e999" if value > 0 else b"-9e999"
        text = repr(value)
        # Not every version of SQLite reads every decimal number to the last bit.
        ((read,),) = self._database.execute("SELECT CAST(? AS REAL)", (text,))
        return text.encode() if read == value else _exact(value)

    def _measure(self, value: bytes) -> None:
        if len(value) > _VALUE_BYTES_MAX:
            raise DumpIncomplete(source=self._source, reason="it holds a value too large for SQL text")


def _statement(sql: str) -> bytes:
    # A comment may end a definition; the semicolon must not become part of it.
    return sql.encode() + (b"\n;\n" if "--" in sql else b";\n")


def _plain(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _exact(value: float) -> bytes:
    """A number as an integer times powers of two: every step is exact."""
    fraction, exponent = math.frexp(value)
    text = b"CAST(%d AS REAL)" % int(fraction * 2**_MANTISSA_BITS)
    exponent -= _MANTISSA_BITS
    operator = b"*" if exponent > 0 else b"/"
    full, rest = divmod(abs(exponent), _EXACT_POWER)
    return text + (operator + b"1073741824.0") * full + operator + b"%d.0" % 2**rest
