"""Every occasion has words; no name can do more in a message than be read."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from holdfast.errors import NotEnoughSpace, UnknownName
from holdfast.model.notice import Notice, Occasion
from holdfast.model.run import run_error
from holdfast.notifiers.phrases import FACTS, WORDS
from holdfast.notifiers.wording import MAX_TITLE_CHARS, error_text, ping_text, worded
from holdfast.runtime.translation import LANGUAGES

AT = datetime(2026, 3, 20, 21, 30, tzinfo=UTC)
RUN = "0123456789abcdef0123456789abcdef"
EVIL = "x\r\nBcc: all@example.org\r\n\r\n<b>\x1b[31m\u202egpj\u2066\u2028{app}"
ENGLISH = re.compile(r"[A-Za-z]?[a-z]+(?: [a-z]{2,}){2,}")
DISTURBING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066\u2067]")


def _notice(occasion: Occasion, kind: str = "", **values: str) -> Notice:
    return Notice(
        occasion=occasion, app="shop", at=AT, run_id=RUN, values={**values, **({"kind": kind} if kind else {})}
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("occasion", list(Occasion))
def test_every_occasion_has_words_in_every_language(occasion: Occasion, language: str) -> None:
    title, body = worded(_notice(occasion), language)
    assert "shop" in title
    assert "{" not in title + body
    assert len(body.split("\n\n")) == 3
    assert RUN in body


@pytest.mark.parametrize(("occasion", "kind"), list(WORDS))
def test_every_sentence_says_what_happened_and_what_to_do(occasion: Occasion, kind: str) -> None:
    what, then, _facts = worded(_notice(occasion, kind), "en")[1].split("\n\n")
    assert what == WORDS[occasion, kind].what
    assert then == f"What to do: {WORDS[occasion, kind].then}"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("occasion", list(Occasion))
def test_names_cannot_forge_lines_headers_or_directions(occasion: Occasion, language: str) -> None:
    harmless, evil = dict.fromkeys(FACTS, "x"), dict.fromkeys(FACTS, EVIL)
    if occasion is Occasion.REPORT:
        return
    plain = Notice(occasion=occasion, app="x", at=AT, run_id="x", values=harmless)
    notice = Notice(occasion=occasion, app=EVIL, at=AT, run_id=EVIL, values=evil)
    title, body = worded(notice, language)
    assert "\n" not in title
    assert not DISTURBING.search(title + body)
    assert body.count("\n") == worded(plain, language)[1].count("\n")


@pytest.mark.parametrize("language", ["fa", "ru"])
@pytest.mark.parametrize(("occasion", "kind"), list(WORDS))
def test_no_sentence_is_left_in_english(occasion: Occasion, kind: str, language: str) -> None:
    facts = {name: "its certificate is not trusted" if name == "reason" else "x" for name in FACTS}
    title, body = worded(_notice(occasion, kind, **facts), language)
    assert not ENGLISH.search(re.sub("`[^`]*`", "", f"{title}\n{body}"))


@pytest.mark.parametrize("language", ["fa", "ru"])
def test_error_that_was_written_down_keeps_its_words(language: str) -> None:
    error = run_error(UnknownName(what="database source", name="x", known="none"))
    notice = Notice(
        occasion=Occasion.FAILURE, app="shop", at=AT, code=error.code, message=error.message, hint=error.hint,
        context=error.context,
    )  # fmt: skip
    body = worded(notice, language)[1]
    assert not re.search("database source|none", body)
    assert not ENGLISH.search(body)


def test_error_is_told_with_its_hint() -> None:
    error = run_error(NotEnoughSpace(target="offsite", needed=5, free=3))
    notice = Notice(
        occasion=Occasion.FAILURE, app="shop", at=AT, code=error.code, message=error.message, hint=error.hint,
        context=error.context,
    )  # fmt: skip
    body = worded(notice, "en")[1]
    assert error.message[1:] in body
    assert f"What to do: {error.hint}" in body


def test_error_of_a_newer_version_is_told_as_it_was_said() -> None:
    notice = Notice(
        occasion=Occasion.FAILURE, app="shop", at=AT, code="from-the-future", message="it\nbroke", hint="wait"
    )
    assert error_text(notice, "fa") == ("it\\x0abroke", "wait")


def test_report_keeps_its_lines_and_nothing_else() -> None:
    text = "Report\n  \u2068shop\u2069  3\n\u202eevil\x1b[0m"
    notice = Notice(occasion=Occasion.REPORT, app="shop", at=AT, message=text)
    assert worded(notice, "en")[1] == "Report\n  \u2068shop\u2069  3\n\\u202eevil\\x1b[0m"


def test_figures_are_for_people_and_times_are_theirs() -> None:
    values = {"size_bytes": "1536", "duration_s": "3723.4", "due_at": AT.isoformat(), "count": "3"}
    body = worded(_notice(Occasion.OVERDUE, **values), "en", ZoneInfo("Asia/Tehran"))[1]
    assert "Size: 1.5 KiB" in body
    assert "Took: 1:02:03" in body
    assert "Due: 2026-03-21 01:00:00 +0330" in body


def test_what_is_not_a_figure_is_told_as_it_is() -> None:
    assert "Size: ten" in worded(_notice(Occasion.SUCCESS, size_bytes="ten"), "en")[1]


def test_ping_holds_the_sentence_of_the_error_alone() -> None:
    notice = Notice(
        occasion=Occasion.FAILURE, app="shop", at=AT, message="the disk is full", values={"backup": "secret"}
    )
    assert ping_text(notice, "en") == ("fail", "The disk is full.")
    assert ping_text(_notice(Occasion.STARTED, backup="secret"), "en") == ("start", "")


def test_title_is_cut() -> None:
    notice = Notice(occasion=Occasion.TEST, app="s" * 1000, at=AT)
    assert len(worded(notice, "en")[0]) == MAX_TITLE_CHARS
