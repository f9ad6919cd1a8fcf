"""Whether a SQLite database that nobody writes to is sound, and how many rows it has."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec

from holdfast.sources.sqlite_opening import closing, connect, interruptible

_PROBLEMS_SHOWN = 3
_KEYS_COUNTED = 1000


class Examination(msgspec.Struct, frozen=True, kw_only=True):
    """What was found.

    Attributes:
        problems: what the integrity check says; empty if all is well.
        rows: by table, virtual tables and those of SQLite itself left out.
        broken_keys: rows whose foreign key names no row; at most a thousand are counted.
        unchecked: tables whose indexes need a function or collation that only the application has.
    """

    problems: tuple[str, ...] = ()
    rows: dict[str, int] = {}
    broken_keys: int = 0
    unchecked: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """The problems in one line."""
        return "; ".join(self.problems[:_PROBLEMS_SHOWN])


def examine(path: Path, *, full: bool, cancelled: Callable[[], None], mode: str = "immutable") -> Examination:
    """Reads a database through.

    Args:
        full: compare indexes with their tables as well.
        mode: how to open it; `immutable` leaves no trace.

    Raises:
        sqlite3.Error: it is not a database, or too broken to be asked.
    """
    with closing(connect(path, mode)) as database, interruptible(database, cancelled):
        problems, unchecked = _integrity(database, "integrity_check" if full else "quick_check")
        if problems:
            return Examination(problems=problems, unchecked=unchecked)
        rows = count_rows(database)
        return Examination(rows=rows, broken_keys=_broken_keys(database), unchecked=unchecked)


def quoted(name: str) -> str:
    """A name as SQL takes it."""
    return '"' + name.replace('"', '""') + '"'


def table_names(database: sqlite3.Connection) -> list[str]:
    """Tables that hold rows, those behind virtual tables included, by name."""
    query = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'shadow') ORDER BY name"
    return [name for (name,) in database.execute(query) if not name.startswith("sqlite_")]


def count_rows(database: sqlite3.Connection) -> dict[str, int]:
    """Rows by table. Raises `sqlite3.Error`."""
    counted: dict[str, int] = {}
    for name in table_names(database):
        (counted[name],) = database.execute(f"SELECT count(*) FROM {quoted(name)}").fetchone()  # noqa: S608
    return counted


def _integrity(database: sqlite3.Connection, check: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    try:
        return _answers(database.execute(f"PRAGMA {check}").fetchall()), ()
    except sqlite3.OperationalError as error:
        if not _needs_application(error):
            raise
    problems: list[str] = []
    unchecked: list[str] = []
    for name in table_names(database):
        try:
            problems += _answers(database.execute(f"PRAGMA {check}({quoted(name)})").fetchall())
        except sqlite3.OperationalError as error:
            if not _needs_application(error):
                raise
            unchecked.append(name)
    return tuple(problems), tuple(unchecked)


def _answers(rows: list[tuple[str]]) -> tuple[str, ...]:
    return tuple(text for (text,) in rows if text != "ok")


def _needs_application(error: sqlite3.OperationalError) -> bool:
    """Whether the application brings along what is missing: a collation, a function, a kind of virtual table."""
    return str(error).startswith(("no such collation", "no such function", "unknown function", "no such module"))


def _broken_keys(database: sqlite3.Connection) -> int:
    try:
        return len(database.execute("PRAGMA foreign_key_check").fetchmany(_KEYS_COUNTED))
    except sqlite3.OperationalError:
        # The parent is gone, or its key is no key: SQLite cannot compare, and the data is not the worse for it.
        return 0
