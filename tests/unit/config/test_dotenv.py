"""The rules of `.env`."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.config.dotenv import parse_dotenv, read_dotenv
from holdfast.errors import ConfigUnreadable


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A=1", "1"),
        ("A = 1 ", "1"),
        ("export A=1", "1"),
        ("  export\tA=1", "1"),
        ("A=", ""),
        ("A= # nothing", ""),
        ("A=x # comment", "x"),
        ("A=x#y", "x#y"),
        ("A='x # y'  # z", "x # y"),
        ('A="x # y"', "x # y"),
        ("A='it\\'s'", "it's"),
        ("A='no ${B} here'", "no ${B} here"),
        ('A="line\\nnext"', "line\nnext"),
        ('A="two\nlines"', "two\nlines"),
        ("A='two\nlines'", "two\nlines"),
        ("A=pa$$word$1", "pa$$word$1"),
        ("B=b\nA=${B}/x", "b/x"),
        ('B=b\nA="${B}/x"', "b/x"),
        ("A=${C:-d}", "d"),
        ("A=${OUTER}", "outer"),
        ("A=1\nA=2", "2"),
        ("A=1\r\nB=2\r\n", "1"),
        ("A=postgres://u:p@h/d?x=1", "postgres://u:p@h/d?x=1"),
        ("# comment\n\nA=گذرواژه", "گذرواژه"),
    ],
)
def test_value(text: str, value: str) -> None:
    found = parse_dotenv(text, {"OUTER": "outer"})
    assert found.values["A"] == value
    assert found.unclear_lines == ()


def test_lines_that_nobody_understands_are_counted() -> None:
    found = parse_dotenv("A=1\nthis is no assignment\nB='open\nC=3", {})
    assert found.unclear_lines == (2, 3)
    assert found.values == {"A": "1", "C": "3"}


def test_name_without_a_value_is_not_set() -> None:
    assert parse_dotenv("A\nexport B\n", {}).values == {}


def test_a_python_environment_called_env_is_no_file(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    assert read_dotenv(tmp_path / ".env", {}).values == {}


def test_bytes_that_are_not_text(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"A=1\nB=\xff\n")
    with pytest.raises(ConfigUnreadable, match="line 2 is not UTF-8"):
        read_dotenv(tmp_path / ".env", {})
