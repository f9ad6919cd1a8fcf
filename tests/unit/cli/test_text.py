"""Languages, placeholders and hostile names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.cli import text
from holdfast.errors import RepositoryNotFound, RestoreError, UsageError


@pytest.mark.parametrize(
    ("asked", "environment", "language"),
    [
        (None, {}, "en"),
        (None, {"LANG": "tr_TR.UTF-8"}, "tr"),
        (None, {"LANG": "tr_TR.UTF-8", "LC_MESSAGES": "ru"}, "ru"),
        (None, {"LC_MESSAGES": "ru", "LC_ALL": "fa_IR"}, "fa"),
        (None, {"LC_ALL": "fa_IR", "HOLDFAST_LANG": "tr"}, "tr"),
        ("ru", {"HOLDFAST_LANG": "tr"}, "ru"),
        (None, {"LC_ALL": "C", "LANG": "fa"}, "en"),
        (None, {"LANG": "de_DE"}, "en"),
        (None, {"LANG": "POSIX"}, "en"),
        ("RU", {}, "ru"),
    ],
)
def test_language_is_chosen(asked: str | None, environment: dict[str, str], language: str) -> None:
    assert text.choose_language(asked, environment) == language


@pytest.mark.parametrize("language", text.LANGUAGES)
def test_every_language_fills_placeholders(language: str) -> None:
    message, hint = text.translate_error(RepositoryNotFound(url="/a{b}"), language)
    assert "/a{b}" in message
    assert hint
    assert (message == "there is no repository at /a{b}") is (language == "en")


def test_persian_isolates_names() -> None:
    message, _hint = text.translate_error(RepositoryNotFound(url="/srv/پشتیبان"), "fa")
    assert "\u2068/srv/پشتیبان\u2069" in message


def test_reasons_of_ours_are_translated_and_others_are_not() -> None:
    ours, _hint = text.translate_error(RestoreError(path="x", reason="it does not exist"), "tr")
    assert "it does not exist" not in ours
    theirs, _hint = text.translate_error(RestoreError(path="Size", reason="No such device"), "tr")
    assert "No such device" in theirs
    assert "Size" in theirs


def test_what_is_missing_is_named() -> None:
    assert text.render("{a} and {b}", {"a": "{b}"}) == "{b} and {b}"
    assert text.translate_error(UsageError(detail="x"))[0] == "x"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain نام\u200cفارسی 日本", "plain نام\u200cفارسی 日本"),
        ("a\x1b[31mred\nline\x7f", "a\\x1b[31mred\\x0aline\\x7f"),
        ("gpj\u202eexe", "gpj\\u202eexe"),
        ("bad\udcff", "bad\\xff"),
        ("\ud800", "\\ud800"),
        ("\u2066x\u2069\u2028", "\\u2066x\\u2069\\u2028"),
    ],
)
def test_names_cannot_disturb_a_terminal(name: str, shown: str) -> None:
    assert text.escape(name) == shown


@given(st.text())
def test_escaped_text_can_be_printed(name: str) -> None:
    shown = text.escape(name)
    shown.encode()
    assert not any(character < " " or "\x7f" <= character < "\xa0" for character in shown)
    assert text.render("{name}", {"name": name}) == shown
