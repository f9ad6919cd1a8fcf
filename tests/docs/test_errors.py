"""Each error has a page, each page an error, and both say the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from string import Formatter

import pytest

from docs.pages import DOCS, first_column, text
from holdfast import errors

PAGES = DOCS / "errors"


def _tree(cls: type[errors.HoldfastError]) -> Iterator[type[errors.HoldfastError]]:
    yield cls
    for below in cls.__subclasses__():
        yield from _tree(below)


# A class without a code of its own is the same error to a reader, said in other words.
ERRORS = [cls for cls in _tree(errors.HoldfastError) if cls.__module__ == errors.__name__ and "code" in vars(cls)]


def test_folder_and_classes_are_equal() -> None:
    codes = {cls.code for cls in ERRORS}
    written = {page.stem for page in PAGES.glob("*.md")} - {"README"}
    assert sorted(codes - written) == [], "these errors have no page in docs/errors/"
    assert sorted(written - codes) == [], "these pages describe no error"


def test_codes_are_unique_and_kebab_case() -> None:
    codes = [cls.code for cls in ERRORS]
    assert sorted(codes) == sorted(set(codes))
    assert [code for code in codes if not re.fullmatch(r"[a-z]+(-[a-z]+)*", code)] == []


@pytest.mark.parametrize("cls", ERRORS, ids=lambda cls: cls.code)
def test_page_says_what_the_class_says(cls: type[errors.HoldfastError]) -> None:
    page = text(PAGES / f"{cls.code}.md")
    assert page.startswith(f"# {cls.code}\n"), f"docs/errors/{cls.code}.md must be headed by the code"
    assert f"Exit status: {cls.exit_code}." in page
    assert f"Worth repeating unchanged: {'yes' if cls.transient else 'no'}" in page
    for heading in ("## Common causes", "## What to do", "## Example"):
        assert heading in page
    if not any(name for _, name, _, _ in Formatter().parse(cls.hint)):
        assert cls.hint in page, "the example must end with the hint the program prints"


@pytest.mark.parametrize("cls", ERRORS, ids=lambda cls: cls.code)
def test_list_of_errors_names_it(cls: type[errors.HoldfastError]) -> None:
    row = re.search(rf"^\| \[{cls.code}\]\({cls.code}\.md\) \| (\d+) \|", text(PAGES / "README.md"), re.MULTILINE)
    assert row is not None, "docs/errors/README.md lists every code"
    assert int(row[1]) == cls.exit_code


FIXED_BY_CONTRACT = ("Not enough disk space for ", "Database connection failed", "Cannot create {what} archive")
"""Sentences that admin panels and people look for, spelled as the contract has them."""


@pytest.mark.parametrize("cls", ERRORS, ids=lambda cls: cls.code)
def test_message_is_one_clause(cls: type[errors.HoldfastError]) -> None:
    assert not cls.message.endswith(".")
    assert "\n" not in cls.message + cls.hint
    assert cls.message[0] == "{" or cls.message[0].islower() or cls.message.startswith(FIXED_BY_CONTRACT)


def test_exit_statuses_are_documented() -> None:
    page = first_column(text(DOCS / "reference" / "exit-codes.md"))
    codes = {value for name, value in vars(errors.ExitCode).items() if name.isupper()}
    assert {str(code) for code in codes} <= page
