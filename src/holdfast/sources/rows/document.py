"""The files in which tables and their changes are kept: JSON that any tool reads, one row in a line.

    {"format":"holdfast-table-1","table":"users",…,"rows":[
    {"id":1,"name":"Ayşe"},
    {"id":2,"name":"علی"}
    ],"count":2,"digest":"…","sections":[…]}

Because each row has a line to itself, such a file is written and read with memory for one row. Every list of rows is
a section; the end of the document counts and hashes each, and reading to the end proves them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

import msgspec

from holdfast.errors import DamageError, Phrase
from holdfast.protocols import ContentReader
from holdfast.sources.rows.digest import TableDigest
from holdfast.sources.rows.store import Column, TableInfo
from holdfast.sources.rows.streams import lines

TABLE_FORMAT = "holdfast-table-1"
CHANGES_FORMAT = "holdfast-changes-1"

_OPENED = re.compile(rb'("(?:[^"\\]|\\.)*"):\[\Z')
_SKELETON_BYTES = 64 << 20
_NAME_BYTES = 180


class Head(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a document begins.

    Attributes:
        condition: the operator's choice of rows; empty for all.
        whole: for changes: the rows are all there are, not only those that differ.
        related: for tables: columns of the tables that follow under `related`.
    """

    format: str
    table: str
    database: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    condition: str = ""
    whole: bool = False
    related: dict[str, tuple[str, ...]] = {}

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns in the order of the cells."""
        return tuple(column.name for column in self.columns)


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """What a list of rows holds."""

    count: int
    digest: str


class Tail(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a document ends.

    Attributes:
        count: rows of the table in the snapshot (for a table with a condition: of those that it chooses).
        digest: over the same rows; see `TableDigest`.
        counter: the last number that the table's counter gave out.
        sections: what each list of the document holds, in order.
    """

    count: int
    digest: str
    counter: int | None = None
    sections: tuple[Section, ...] = ()


def head_of(table: TableInfo, database: str, form: str, **more: object) -> Head:
    """The head for a table as the catalogue describes it."""
    head = Head(format=form, table=table.name, database=database, columns=table.columns, primary_key=table.primary_key)
    return msgspec.structs.replace(head, **more)


def file_name(table: str, suffix: str) -> str:
    """A file name for a table of any name: what could lead elsewhere or be hidden is written as `%2F`.

    Names that would be too long are cut, and told apart by a hash.
    """
    letters = [letter if letter.isalnum() or letter in "_-." else _escaped(letter) for letter in table]
    if letters and letters[0] in ("-", "."):
        letters[0] = f"%{ord(letters[0]):02X}"
    safe = "".join(letters) or "%"
    if len(safe.encode()) > _NAME_BYTES:
        digest = TableDigest(table).add(b"").hex()
        safe = safe.encode()[: _NAME_BYTES - 40].decode(errors="ignore").rstrip("%") + "-" + digest
    return safe + suffix


def _escaped(letter: str) -> str:
    return quote(letter.encode("utf-8", "surrogatepass"), safe="")


class Sections:
    """Writes the parts of one document, in order: `begin`, the lists, `end`."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._sections: list[Section] = []
        self._related = False

    def begin(self) -> bytes:
        """The document up to the list of rows."""
        return msgspec.json.encode(self._head)[:-1]

    def rows(self, key: str, subject: str, rows: Iterable[bytes], *, related: bool = False) -> Iterator[bytes]:
        """One list of lines under a key. Related lists follow each other in an object of their own."""
        opens = b',"related":{' if related and not self._related else b","
        self._related = self._related or related
        yield opens + msgspec.json.encode(key) + b":["
        digest = TableDigest(subject)
        before = b"\n"
        for line in rows:
            digest.add(line)
            yield before
            yield line
            before = b",\n"
        yield b"\n]"
        self._sections.append(Section(count=digest.count, digest=digest.hexdigest()))

    def end(self, count: int, digest: str, counter: int | None) -> bytes:
        """The rest of the document."""
        tail = Tail(count=count, digest=digest, counter=counter, sections=tuple(self._sections))
        return (b"}," if self._related else b",") + msgspec.json.encode(tail)[1:] + b"\n"

    @property
    def last(self) -> Section:
        """What the list that was written last holds."""
        return self._sections[-1]


class Document:
    """Reads a document once, from its beginning to its end.

    Args:
        reader: where it comes from.
        subject: what to call it in errors.

    Raises:
        DamageError: it is not such a document, or not whole.
    """

    def __init__(self, reader: ContentReader, subject: str) -> None:
        self._subject = subject
        self._lines = lines(reader, subject)
        self._line = next(self._lines, b"")
        self._skeleton = bytearray(self._line)
        try:
            self.head = msgspec.json.decode(self._line + b"]}", type=Head)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._damaged(Phrase("its first line cannot be read ({reason})", {"reason": str(error)})) from error
        if self.head.format not in (TABLE_FORMAT, CHANGES_FORMAT):
            raise self._damaged(Phrase("its format {format} is not known", {"format": repr(self.head.format)}))
        self._found: list[Section] = []
        self._tail: Tail | None = None

    @property
    def tail(self) -> Tail:
        """The document's end; only after all sections were read."""
        if self._tail is None:
            raise self._damaged("it was not read to its end")
        return self._tail

    def sections(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """The lists with their keys; each must be read to its end before the next. Proves them at the end."""
        first = True
        while opened := _OPENED.search(self._line):
            key = self._text(opened.group(1))
            yield key, self._rows(self.head.table if first or self.head.format == CHANGES_FORMAT else key)
            first = False
        if next(self._lines, b""):
            raise self._damaged("something follows its end")
        try:
            self._tail = msgspec.json.decode(self._skeleton, type=Tail)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._damaged(Phrase("its end cannot be read ({reason})", {"reason": str(error)})) from error
        if tuple(self._found) != self._tail.sections:
            raise self._damaged("its rows are not those that were written")
        if self.head.format == TABLE_FORMAT and self._found[0] != Section(
            count=self._tail.count, digest=self._tail.digest
        ):
            raise self._damaged("it does not hold as many rows as it says, or others")

    def _rows(self, subject: str) -> Iterator[bytes]:
        digest = TableDigest(subject)
        for line in self._lines:
            if line.startswith(b"]"):
                self._line = line
                self._skeleton += line
                if len(self._skeleton) > _SKELETON_BYTES:
                    raise self._damaged("it has no end")
                self._found.append(Section(count=digest.count, digest=digest.hexdigest()))
                return
            row = line.removesuffix(b",")
            digest.add(row)
            yield row
        raise self._damaged("it ends in the middle of its rows")

    def _text(self, encoded: bytes) -> str:
        try:
            return msgspec.json.decode(encoded, type=str)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._damaged("a name in it cannot be read") from error

    def _damaged(self, reason: str) -> DamageError:
        return DamageError(object=self._subject, reason=reason)
