"""Names of tables and other objects, as dumps and people write them."""

from __future__ import annotations

import re
from typing import NamedTuple

_IDENTIFIER = rb'(?:"(?:[^"]|"")+"|[^\s".(]+)'
_COPY_TABLE = re.compile(rb"COPY\s+(?:(" + _IDENTIFIER + rb")\.)?(" + _IDENTIFIER + rb")[\s(]")


class Thing(NamedTuple):
    """One object of a database, as a table of contents names it. `schema` is empty where there is none."""

    type: str
    schema: str
    name: str

    @property
    def shown(self) -> str:
        """For people: `INDEX public.orders_by_date`."""
        return f"{self.type} {self.schema}.{self.name}" if self.schema else f"{self.type} {self.name}"


class TableName(NamedTuple):
    """A table."""

    schema: str
    name: str

    @property
    def shown(self) -> str:
        """How people name it: without the schema `public`."""
        return self.name if self.schema == "public" else f"{self.schema}.{self.name}"


def copied_table(statement: bytes) -> TableName | None:
    """The table of a `COPY … FROM stdin` statement; None if it is not written as pg_dump writes it."""
    match = _COPY_TABLE.match(statement)
    if match is None:
        return None
    return TableName(_plain(match[1] or b""), _plain(match[2]))


def comparable(thing: Thing) -> Thing:
    """A name as comments in a dump show it: pg_dump puts spaces for line ends; functions without arguments."""
    name = thing.name.replace("\n", " ").replace("\r", " ")
    if thing.type in ("FUNCTION", "PROCEDURE", "AGGREGATE"):
        name = name.partition("(")[0]
    return Thing(thing.type, thing.schema.replace("\n", " ").replace("\r", " "), name)


def _plain(identifier: bytes) -> str:
    if identifier.startswith(b'"'):
        identifier = identifier[1:-1].replace(b'""', b'"')
    return identifier.decode("utf-8", "surrogateescape")
