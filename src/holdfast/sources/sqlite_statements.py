"""Reading SQL text into an empty SQLite database, without letting it reach anything else."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator

from holdfast.errors import LoadFailed, Phrase
from holdfast.protocols import ContentReader
from holdfast.sources.sqlite_opening import error_code, interruptible
from holdfast.sources.sqlite_text import FIRST_LINE, LAST_LINE

_BLOCK_BYTES = 1 << 20
_TAIL_BYTES = 200
_STATEMENT = re.compile(
    rb"""(?:[^'"`\[;/-]++|'[^']*+'|"[^"]*+"|`[^`]*+`|\[[^\]]*+\]|--[^\n]*+\n|/\*(?:[^*]|\*(?!/))*+\*/|-(?!-)|/(?!\*))*+;""",
)
_TRIGGER = re.compile(
    rb"(?:\s|--[^\n]*\n|/\*.*?\*/)*CREATE\s+(?:TEMP\s+|TEMPORARY\s+)?TRIGGER\b", re.IGNORECASE | re.DOTALL
)
_PRAGMAS = frozenset(
    ("foreign_keys", "page_size", "auto_vacuum", "encoding", "writable_schema", "user_version", "application_id")
)


def load_text(
    database: sqlite3.Connection, content: ContentReader, destination: str, cancelled: Callable[[], None]
) -> None:
    """Runs all statements of a text.

    Raises:
        LoadFailed: the database does not take a statement, or the text is not whole.
    """
    text = _Text(content, destination)
    database.set_authorizer(_judge)
    try:
        with interruptible(database, cancelled):
            for statement in text.statements():
                database.execute(statement)
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        if isinstance(error, sqlite3.Error) and error_code(error) == sqlite3.SQLITE_FULL:
            raise
        raise LoadFailed(
            destination=destination,
            reason=Phrase("statement {count}: {reason}", {"count": text.count, "reason": str(error)}),
        ) from error
    finally:
        database.set_authorizer(None)
    if database.in_transaction:
        raise LoadFailed(destination=destination, reason="the SQL text ends in the middle of a transaction")
    if not text.count:
        raise LoadFailed(destination=destination, reason="it holds neither a database nor SQL")
    text.check_end()


def _judge(action: int, first: str | None, second: str | None, _database: str | None, _trigger: str | None) -> int:
    """What a text may do.

    SAFETY: a text may come from somebody hostile. It may fill this database and not open another file, which is what
    `ATTACH` and `VACUUM INTO` do; settings that are none of its business are left alone.
    """
    if action in (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH):
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_FUNCTION and second in ("load_extension", "fts3_tokenizer"):
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_PRAGMA and first not in _PRAGMAS:
        return sqlite3.SQLITE_IGNORE
    return sqlite3.SQLITE_OK


class _Text:
    """Statements of a text, one after the other. `count` is the number of the present one."""

    def __init__(self, content: ContentReader, destination: str) -> None:
        self.count = 0
        self._content = content
        self._destination = destination
        self._buffer = b""
        self._position = 0
        self._ended = False
        self._ours = False
        self._tail = b""

    def statements(self) -> Iterator[str]:
        self._fill(len(FIRST_LINE))
        self._ours = self._buffer.startswith(FIRST_LINE)
        while (end := self._end_of_statement()) is not None:
            self.count += 1
            statement = self._buffer[self._position : end].decode()
            self._position = end
            yield statement
        rest = self._buffer[self._position :]
        if _only_comments(rest):
            return
        raise LoadFailed(destination=self._destination, reason="the SQL text ends in the middle of a statement")

    def check_end(self) -> None:
        """COMPAT(sqlite3): texts of the shell's `.dump` have no last line of ours; they end with their COMMIT."""
        if self._ours and not LAST_LINE.search(self._tail):
            raise LoadFailed(destination=self._destination, reason="the SQL text lacks its last line")

    def _end_of_statement(self) -> int | None:
        wanted = _BLOCK_BYTES
        while True:
            end = self._found()
            if end is not None:
                return end
            if self._ended:
                return None
            # Twice as much each time, so that a long statement is not searched again and again.
            self._fill(wanted)
            wanted *= 2

    def _found(self) -> int | None:
        match = _STATEMENT.match(self._buffer, self._position)
        if match is None:
            return None
        if not _TRIGGER.match(self._buffer, self._position):
            return match.end()
        while match is not None:
            if sqlite3.complete_statement(self._buffer[self._position : match.end()].decode()):
                return match.end()
            match = _STATEMENT.match(self._buffer, match.end())
        return None

    def _fill(self, wanted: int) -> None:
        parts, got = [self._buffer[self._position :]], 0
        self._position = 0
        while got < wanted and not self._ended:
            block = self._content.read(_BLOCK_BYTES)
            got += len(block)
            parts.append(block)
            self._tail = (self._tail + block)[-_TAIL_BYTES:]
            if not block:
                # A comment in the last line need not end with a line feed.
                self._ended = True
                parts.append(b"\n")
        self._buffer = b"".join(parts)


def _only_comments(rest: bytes) -> bool:
    return re.fullmatch(rb"(?:\s++|--[^\n]*+\n|/\*(?:[^*]|\*(?!/))*+\*/)*+", rest) is not None
