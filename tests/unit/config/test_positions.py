"""The line of every key, found without the parser's help."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.config.document import MAX_DEPTH, parse_document
from holdfast.config.positions import KeyPath, dotted, positions
from holdfast.config.toml_text import value_text
from holdfast.errors import ConfigInvalid

TEXT = '''\
title = "a" # comment = 1
[one.two]
"quoted key" = 1
'literal.key'.below = 2
list = [
  "x", # ] not the end
  [1, 2],
  { a = 1, b = { c = "}" } },
]
long = """
[not.a.table]
key = 1
\\""" still inside""""
raw = \'\'\'
x = 1\'\'\'
after = 2020-01-01T00:00:00Z
[[items]]
name = "first"
[items.sub]
deep = 1
[[items]]
name = "second"
[[items.sub2]]
last = true
'''


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("title",), 1),
        (("one",), 2),
        (("one", "two"), 2),
        (("one", "two", "quoted key"), 3),
        (("one", "two", "literal.key", "below"), 4),
        (("one", "two", "list"), 5),
        (("one", "two", "list", 0), 6),
        (("one", "two", "list", 1, 1), 7),
        (("one", "two", "list", 2, "b", "c"), 8),
        (("one", "two", "long"), 10),
        (("one", "two", "raw"), 14),
        (("one", "two", "after"), 16),
        (("items", 0, "name"), 18),
        (("items", 0, "sub", "deep"), 20),
        (("items", 1, "name"), 22),
        (("items", 1, "sub2", 0, "last"), 24),
    ],
)
def test_line_of_a_key(key: KeyPath, line: int) -> None:
    assert positions(TEXT)[key] == line
    assert positions(TEXT.replace("\n", "\r\n"))[key] == line


KEYS = st.one_of(st.from_regex(r"[A-Za-z0-9_-]{1,6}", fullmatch=True), st.text(max_size=4))
VALUES = st.recursive(
    st.one_of(st.text(max_size=8), st.integers(-9, 9), st.booleans()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)


@given(st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=3), max_size=3))
def test_every_key_is_found_on_the_line_it_was_written_on(sections: dict[str, dict[str, object]]) -> None:
    rows: list[str] = []
    expected: dict[KeyPath, int] = {}
    for section, values in sections.items():
        rows.append(f"[{dotted_key(section)}]")
        expected[(section,)] = len(rows)
        for key, value in values.items():
            rows.append(f"{dotted_key(key)} = {value_text(value)}")
            expected[section, key] = len(rows)
    text = "\n".join(rows)
    assert tomllib.loads(text).keys() == sections.keys()
    found = positions(text)
    assert {key: found[key] for key in expected} == expected
    assert all_keys(tomllib.loads(text), ()) == set(found)


def dotted_key(key: str) -> str:
    return value_text(key)


def all_keys(value: object, at: KeyPath) -> set[KeyPath]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {found for key, one in members for found in ({(*at, key)} | all_keys(one, (*at, key)))}


def test_key_as_a_person_writes_it() -> None:
    assert dotted(("targets", "a b", "urls", 2, 'x"')) == 'targets."a b".urls[2]."x\\""'


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 5000])
def test_deep_nesting_is_refused_and_never_a_crash(depth: int) -> None:
    with pytest.raises(ConfigInvalid, match="too deep"):
        parse_document(Path("holdfast.toml"), "a = " + "[" * depth + "]" * depth)
