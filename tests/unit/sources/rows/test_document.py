"""Rows and documents survive being written and read, whatever is in them."""

from __future__ import annotations

import io
import json
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import DamageError
from holdfast.sources.rows.cells import (
    Cell,
    decode_key,
    decode_row,
    encode_key,
    encode_row,
    float_cell,
    json_cell,
    text_of,
)
from holdfast.sources.rows.digest import TableDigest
from holdfast.sources.rows.document import CHANGES_FORMAT, TABLE_FORMAT, Document, Sections, file_name, head_of
from holdfast.sources.rows.postgresql_arrays import array_cell, array_text
from holdfast.sources.rows.store import Column, TableInfo
from holdfast.sources.rows.streams import IteratorReader, gathered, lines

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
TAGS = st.sampled_from(
    ("$decimal", "$date", "$time", "$timestamp", "$interval", "$uuid", "$bit", "$json_text", "$array")
)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS | st.sampled_from(("$binary", "$json")), inner),
    max_leaves=8,
)
ARRAYS = st.recursive(st.lists(st.none() | TEXTS), lambda inner: st.lists(inner, min_size=1), max_leaves=5)
CELLS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats().map(float_cell)
    | TEXTS
    | st.sampled_from(('{"$binary": "AA=="}', "]", "],", '{"$json":', '"rows":['))
    | st.builds(lambda tag, text: {tag: text}, TAGS, TEXTS)
    | st.builds(lambda tag, value: {tag: value}, st.sampled_from(("$binary", "$invalid_text")), st.binary())
    | st.builds(lambda array: {"$array": array}, ARRAYS)
    | DOCUMENTS.map(lambda value: json_cell(json.dumps(value, ensure_ascii=False)))
    | DOCUMENTS.map(lambda value: json_cell(json.dumps(value, indent=1)))
)
ROWS = st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=6)
NAMES = ("id", 'quo"te\n', "$json")
TABLE = TableInfo(
    name="table -- \n]", columns=tuple(Column(name=name, type="x") for name in NAMES), primary_key=("id",)
)


def same(one: Cell, other: Cell) -> bool:
    """Equal, and of the same type: 1, 1.0 and true are three things here."""
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and [plain(v) for v in one.values()] == [plain(v) for v in other.values()]
    if isinstance(one, float) and isinstance(other, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return type(one) is type(other) and one == other


def plain(value: object) -> object:
    return bytes(value) if isinstance(value, msgspec.Raw) else value


def all_same(one: tuple[Cell, ...], other: tuple[Cell, ...]) -> bool:
    return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))


def written(rows: list[tuple[Cell, ...]]) -> bytes:
    sections = Sections(head_of(TABLE, "sqlite", TABLE_FORMAT, related={"rows": NAMES}))
    parts = [sections.begin(), *sections.rows("rows", TABLE.name, (encode_row(NAMES, row) for row in rows))]
    first = sections.last
    parts += sections.rows("rows", "rows", (encode_row(NAMES, row) for row in reversed(rows)), related=True)
    parts.append(sections.end(first.count, first.digest, 7))
    return b"".join(gathered(iter(parts)))


def read(text: bytes) -> list[list[bytes]]:
    document = Document(io.BytesIO(text), "a file")
    found = [list(section) for _key, section in document.sections()]
    assert document.tail.counter == 7
    return found


@given(ROWS)
def test_rows_survive_a_document(rows: list[tuple[Cell, ...]]) -> None:
    text = written(rows)
    first, second = read(text)
    assert len(first) == len(second) == len(rows)
    for line, row in zip(first, rows, strict=True):
        assert all_same(decode_row(line, NAMES), row)
        assert encode_row(NAMES, decode_row(line, NAMES)) == line
    document = json.loads(text)
    assert document["count"] == len(document["rows"]) == len(document["related"]["rows"]) == len(rows)
    assert document["table"] == TABLE.name


@given(st.lists(CELLS, min_size=1, max_size=4))
def test_keys_survive(key: list[Cell]) -> None:
    assert all_same(decode_key(encode_key(tuple(key))), tuple(key))


@given(ROWS, st.data())
def test_no_other_document_is_taken_for_it(rows: list[tuple[Cell, ...]], data: st.DataObject) -> None:
    text = written(rows)
    at = data.draw(st.integers(0, len(text) - 2))
    wrong = text[:at] + bytes([text[at] ^ data.draw(st.integers(1, 255))]) + text[at + 1 :]
    try:
        found = read(wrong)
        same_rows = found == read(text)
    except (DamageError, AssertionError):
        return
    # What is not a row is the head: its words may differ, and the rows are those that were written.
    assert same_rows


@given(DOCUMENTS, st.sampled_from((None, 1)))
def test_documents_of_json_columns_keep_their_spelling(value: object, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    assert text_of(json_cell(text)) == text
    [cell] = decode_row(encode_row(("a",), (json_cell(text),)), ("a",))
    assert text_of(cell) == text


@pytest.mark.parametrize(
    "text",
    ["", "{", "1 2", " 1", "NaN", "1e400", "[" * 5000 + "]" * 5000, '"\\ud800"', "'x'", "01", "\n1", '{"a":1}\n'],
)
def test_documents_that_other_tools_would_not_read_are_kept_as_texts(text: str) -> None:
    cell = json_cell(text)
    assert cell == {"$json_text": text}
    assert decode_row(encode_row(("a",), (cell,)), ("a",)) == (cell,)


@given(ARRAYS)
def test_arrays_survive(array: list[object]) -> None:
    assert array_cell(array_text(array)) == {"$array": array}  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["[0:1]={a,b}", "{", "{}}", "{a}{b}", "x", "", '{"a'])
def test_what_is_no_plain_array_stays_a_text(text: str) -> None:
    assert array_cell(text) == {"$array": text}


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"[]",
        b'{"a":{}}',
        b'{"a":{"$binary":"*"}}',
        b'{"a":{"$binary":1}}',
        b'{"a":{"$other":"x"}}',
        b'{"a":{"$decimal":"1","b":2}}',
        b'{"a":[1]}',
        b'{"b":1}',
        b'{"a":1,"b":2}',
        b'{"a":{"$array":[1]}}',
        b'{"a":{"$json":}}',
        b'{"a":"\xff"}',
        b"[" * 3000,
        b'{"a":{"$json":' + b"[" * 3000,
    ],
)
def test_what_is_no_row_is_damage(line: bytes) -> None:
    with pytest.raises(DamageError):
        decode_row(line, ("a",))


@given(st.lists(st.binary(max_size=9).map(lambda part: part.replace(b"\r", b"")), max_size=9), st.integers(1, 7))
def test_lines_are_those_of_the_whole(parts: list[bytes], size: int) -> None:
    class Small(IteratorReader):
        def read(self, _size: int = -1, /) -> bytes:
            return super().read(size)

    whole = b"".join(parts)
    expected = whole.split(b"\n")
    found = list(lines(Small(iter(parts)), "x"))
    assert found == (expected if expected[-1] else expected[:-1])


@given(st.lists(TEXTS, unique=True, min_size=2, max_size=2))
def test_file_names_lead_nowhere_and_differ(tables: list[str]) -> None:
    names = [file_name(table, ".json") for table in tables]
    for name in names:
        assert "/" not in name
        assert "\0" not in name
        assert not name.startswith((".", "-"))
        assert len(name.encode()) <= 200
    assert names[0] != names[1]


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("image_timelines", "image_timelines.json"),
        ("sales.orders", "sales.orders.json"),
        ("../etc/passwd", "%2E.%2Fetc%2Fpasswd.json"),
        ("کاربران", "کاربران.json"),
        ("-rf", "%2Drf.json"),
        ("a%2Fb", "a%252Fb.json"),
    ],
)
def test_file_names_are_readable(table: str, name: str) -> None:
    assert file_name(table, ".json") == name


def test_the_digest_does_not_depend_on_order_but_on_everything_else() -> None:
    def digest(table: str, *found: bytes) -> str:
        made = TableDigest(table)
        for line in found:
            made.add(line)
        return made.hexdigest()

    assert digest("t", b"1", b"2") == digest("t", b"2", b"1")
    others = [digest("t"), digest("t", b"1"), digest("t", b"1", b"1"), digest("u", b"1", b"2"), digest("t", b"12")]
    assert len({digest("t", b"1", b"2"), *others}) == 6


def test_changes_name_their_parts() -> None:
    sections = Sections(head_of(TABLE, "mysql", CHANGES_FORMAT, whole=True))
    text = sections.begin() + b"".join(sections.rows("rows", TABLE.name, ()))
    text += b"".join(sections.rows("gone", TABLE.name, [b"[1]"])) + sections.end(0, "0" * 32, None)
    assert [key for key, section in Document(io.BytesIO(text), "x").sections() if list(section) is not None] == [
        "rows",
        "gone",
    ]
