"""What the statements of a MySQL or MariaDB dump are for.

Only statements that dump programs write are known here, and everything else is strange: a dump that holds something
strange is neither believed when it is made nor loaded.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

from holdfast.sources.mysql_dialect import Dialect


class Kind(StrEnum):
    """What a statement does, as far as a dump and a restore care."""

    TABLE = "table"
    SEQUENCE = "sequence"
    VIEW = "view"
    TRIGGER = "trigger"
    FUNCTION = "function"
    PROCEDURE = "procedure"
    PACKAGE = "package"
    PACKAGE_BODY = "package body"
    EVENT = "event"
    SESSION = "settings, and what makes room"
    SKIPPED = "not needed"
    STRANGE = "strange"


ROUTINES = (Kind.PACKAGE, Kind.PACKAGE_BODY, Kind.FUNCTION, Kind.PROCEDURE)


class Thing(NamedTuple):
    """One object of a database. Triggers have no name here: a dump shows it as whoever created it wrote it."""

    kind: Kind
    name: str

    @property
    def shown(self) -> str:
        """For people: `view v`."""
        return f"{self.kind} {self.name}".rstrip()


_HEAD_BYTES = 16_000
_IDENTIFIER = rb"(?:`(?:[^`]|``)+`|[^\s.`'\"]+)"
_DEFINER = re.compile(
    rb"DEFINER\s*=\s*(?:CURRENT_USER(?:\(\))?|CURRENT_ROLE|(?:`(?:[^`]|``)*`|'[^']*'|[^\s@`']+)"
    rb"(?:@(?:`(?:[^`]|``)*`|'[^']*'|[^\s@`'*]+))?)\s*",
    re.IGNORECASE,
)
_TRIGGER_PLACES = re.compile(
    rb"(TRIGGER\s+(?:IF\s+NOT\s+EXISTS\s+)?)(?:IDENT\s*\.\s*)?(IDENT\s+(?:BEFORE|AFTER)\s[A-Z\s]+?\sON\s+)"
    rb"(?:IDENT\s*\.\s*)?(IDENT)".replace(b"IDENT", _IDENTIFIER),
    re.IGNORECASE,
)
_THREE_PARTS = re.compile(
    rb"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\"|`((?:[^`]|``)+)`(\.`(?:[^`]|``)+`\.`(?:[^`]|``)+`)", re.DOTALL
)
_COUNTS = re.compile(
    rb"'(?:[^'\\]|\\.|'')*'|((?:next|last)val)\s*\(`((?:[^`]|``)+)`\.`((?:[^`]|``)+)`", re.IGNORECASE | re.DOTALL
)
# A name that is not followed by a dot: nothing in a dump reaches into another schema.
_NAME = rb"(`(?:[^`]|``)+`)(?! ?\.)"
_MAYBE = rb"(?:OR REPLACE )?"
_UNLESS = rb"(?:IF NOT EXISTS )?"
_BEFORE = rb"(?:.*[^A-Z0-9_.@`]|(?:.*[^A-Z0-9_`])?@@)?"
_WORDS = (
    (Kind.TABLE, rb"CREATE TABLE " + _UNLESS + _NAME),
    (Kind.SEQUENCE, rb"CREATE SEQUENCE " + _NAME),
    (Kind.SKIPPED, rb"CREATE VIEW " + _NAME + rb" AS SELECT "),
    (Kind.VIEW, rb"CREATE ALGORITHM ?= ?\w+ (?:SQL SECURITY \w+ )?VIEW " + _NAME),
    (Kind.TRIGGER, rb"CREATE " + _MAYBE + rb"TRIGGER ()"),
    (Kind.FUNCTION, rb"CREATE " + _MAYBE + rb"(?:AGGREGATE )?FUNCTION " + _UNLESS + _NAME),
    (Kind.PROCEDURE, rb"CREATE " + _MAYBE + rb"PROCEDURE " + _UNLESS + _NAME),
    (Kind.PACKAGE_BODY, rb"CREATE " + _MAYBE + rb"PACKAGE BODY " + _NAME),
    (Kind.PACKAGE, rb"CREATE " + _MAYBE + rb"PACKAGE " + _NAME),
    (Kind.EVENT, rb"CREATE " + _MAYBE + rb"EVENT " + _UNLESS + _NAME),
    (Kind.SKIPPED, rb"(?:UN)?LOCK TABLES?\b()"),
    (Kind.SKIPPED, rb"ALTER DATABASE `(?:[^`]|``)+` CHARACTER SET \w+ COLLATE \w+\Z()"),
    (Kind.SKIPPED, rb"(?:COMMIT|START TRANSACTION|SET AUTOCOMMIT ?= ?\d|EXECUTE s|DEALLOCATE PREPARE s)\Z()"),
    (Kind.SKIPPED, rb"(?:SELECT COUNT\(\*\) INTO @is_rocksdb_supported |PREPARE s FROM @)()"),
    (Kind.STRANGE, rb"SET " + _BEFORE + rb"(?:GLOBAL|PERSIST(?:_ONLY)?|PASSWORD|ROLE|STATEMENT|RESOURCE)\b()"),
    (Kind.SESSION, rb"SET ()[@\w]"),
    (
        Kind.SESSION,
        rb"DROP (?:TABLE|VIEW|SEQUENCE|FUNCTION|PROCEDURE|EVENT|PACKAGE(?: BODY)?) IF EXISTS " + _NAME + rb" ?\Z",
    ),
    (Kind.SESSION, rb"ALTER TABLE " + _NAME + rb" (?:DIS|EN)ABLE KEYS\Z"),
    (Kind.SESSION, rb"DO SETVAL\(" + _NAME + rb", ?-?[0-9]+, ?[0-9]+(?:, ?[0-9]+)?\)\Z"),
    (Kind.SKIPPED, rb"\Z()"),
)
_KINDS = tuple((kind, re.compile(words, re.IGNORECASE | re.DOTALL)) for kind, words in _WORDS)


def kind_of(statement: bytes, dialect: Dialect) -> Thing:
    """What a statement is for, from its beginning, as a server of this dialect would understand it."""
    head = _DEFINER.sub(b"", dialect.bare(statement[:_HEAD_BYTES]), count=1)
    head = re.sub(rb" +", b" ", head[:600]) + head[600:]
    for kind, words in _KINDS:
        match = words.match(head)
        if match is not None:
            name = match[1][1:-1].replace(b"``", b"`").decode("utf-8", "surrogateescape")
            return Thing(kind, name)
    return Thing(Kind.STRANGE, "")


def sequences_of(table: bytes, schema: str, place: str) -> tuple[bytes, set[str]]:
    """A definition whose defaults count with sequences of `place` instead of `schema`, and which sequences these are.

    The server writes such a default with the schema, although the sequence is one of the same schema.
    """
    found: set[str] = set()
    former = schema.replace("`", "``").encode()

    def moved(match: re.Match[bytes]) -> bytes:
        if match[1] is None or match[2] != former:
            return match.group()
        found.add(match[3].replace(b"``", b"`").decode("utf-8", "surrogateescape"))
        return match[1] + b"(`" + place.replace("`", "``").encode() + b"`.`" + match[3] + b"`"

    return _COUNTS.sub(moved, table), found


def columns_of(view: bytes, schema: str, place: str) -> bytes:
    """A view whose columns are of tables in `place` instead of `schema`.

    The server writes some columns with their schema although their table is written without. Only names of three parts
    are certain to begin with one.
    """
    former = schema.replace("`", "``").encode()

    def moved(match: re.Match[bytes]) -> bytes:
        if match[1] != former:
            return match.group()
        return b"`" + place.replace("`", "``").encode() + b"`" + match[2]

    return _THREE_PARTS.sub(moved, view)


def without_definer(statement: bytes) -> bytes:
    """A statement that makes the current user the definer."""
    return _DEFINER.sub(b"", statement, count=1)


def without_schema(trigger: bytes) -> bytes:
    """A trigger without the schema that may stand before its name and its table, which is kept as it was written."""
    return _TRIGGER_PLACES.sub(rb"\1\2\3", trigger, count=1)
