"""From a notice to what people read, in their language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
from functools import cache

from holdfast import errors
from holdfast.errors import HoldfastError, RunLost
from holdfast.model.notice import Notice, Occasion
from holdfast.notifiers.phrases import FACTS, NEXT, RUN, WHEN, WORDS, Words
from holdfast.runtime.quantities import duration_text, size_text
from holdfast.runtime.translation import escape, render, translate_error

MAX_TITLE_CHARS = 200
MAX_VALUE_CHARS = 500

START, SUCCESS, FAIL, LOG = "start", "success", "fail", "log"
# A test is no backup: it must not turn a check green.
_PING = {Occasion.STARTED: START, Occasion.SUCCESS: SUCCESS, Occasion.TEST: LOG}


def worded(notice: Notice, language: str, zone: tzinfo = UTC) -> tuple[str, str]:
    """(title, body) of a notice.

    The title is one line. Names in both are escaped: no line break, control character or change of direction that comes
    from outside gets through. A report's text is taken as it is, line by line.
    """
    words = words_for(notice)
    title = _cut(render(words.title, {"app": notice.app}, language), MAX_TITLE_CHARS)
    if notice.occasion is Occasion.REPORT and notice.message:
        return title, "\n".join(_shown(line) for line in notice.message.splitlines())
    sentence, hint = error_text(notice, language)
    said = [render(words.what, {}, language), _ended(sentence)]
    then = hint or render(words.then, {}, language)
    facts = [*_facts(notice, language, zone), render(WHEN, {"value": _moment(notice.at, zone)}, language)]
    facts += [render(RUN, {"value": notice.run_id}, language)] if notice.run_id else []
    first = "\n".join(line for line in said if line)
    return title, "\n\n".join([first, render(NEXT, {}, language).replace("{detail}", then), "\n".join(facts)])


def ping_text(notice: Notice, language: str) -> tuple[str, str]:
    """What a dead man's switch is told: `start`, `success`, `fail` or `log`, and the sentence of the error alone.

    INVARIANT: what is not a whole success is `fail`: a backup with something missing is not green.
    """
    signal = _PING.get(notice.occasion, FAIL)
    return signal, _ended(error_text(notice, language)[0]) if signal == FAIL else ""


def words_for(notice: Notice) -> Words:
    """The words of an occasion, more exact ones where there are any for what was being done."""
    known = "lost" if notice.code == RunLost.code else notice.values.get("operation", "")
    kind = notice.values.get("kind") or known
    return WORDS.get((notice.occasion, kind)) or WORDS[notice.occasion, ""]


def error_text(notice: Notice, language: str) -> tuple[str, str]:
    """(sentence, hint) of the error a notice is about; both may be empty."""
    sentence = error_sentence(notice.code, notice.message, notice.context, language)
    known = _known(notice.code, notice.message, notice.context)
    if known is None or not notice.hint:
        return sentence, _plain(notice.hint)
    return sentence, translate_error(known, language)[1]


def error_sentence(code: str, message: str, context: Mapping[str, str], language: str) -> str:
    """What an error says, in a language: its class's template, found by the code and filled again.

    Args:
        code: of the error.
        message: English, as it was said; told as it is if no class says that.
        context: values of the template.
        language: of the sentence.
    """
    known = _known(code, message, context)
    return _plain(message) if known is None else translate_error(known, language)[0]


def _known(code: str, message: str, context: Mapping[str, str]) -> HoldfastError | None:
    """An error that says just this, with values cut. One said in other words than its class's own has none."""
    found = _by_code().get(code)
    return found(**_cut_all(context)) if found is not None and found(**context).args == (message,) else None


def _cut_all(context: Mapping[str, str]) -> dict[str, str]:
    return {name: _cut(value, MAX_VALUE_CHARS) for name, value in context.items()}


@cache
def _by_code() -> dict[str, type[HoldfastError]]:
    return {cls.code: cls for cls in reversed([*_tree(HoldfastError)]) if "code" in vars(cls)}


def _tree(cls: type[HoldfastError]) -> Iterator[type[HoldfastError]]:
    if cls.__module__ == errors.__name__:
        yield cls
    for below in cls.__subclasses__():
        yield from _tree(below)


def _facts(notice: Notice, language: str, zone: tzinfo) -> Iterator[str]:
    for name, message in FACTS.items():
        value = notice.values.get(name, "")
        if value:
            text = _cut(_told(name, value, zone), MAX_VALUE_CHARS)
            yield render(message, {"value": text, "reason": text}, language)


def _told(name: str, value: str, zone: tzinfo) -> str:
    """A number or time for people; what is neither stays as it is."""
    with suppress(ValueError):
        if name.endswith("_bytes"):
            return size_text(float(value))
        if name.endswith("_s"):
            return duration_text(float(value))
        if name.endswith("_at"):
            return _moment(datetime.fromisoformat(value), zone)
    return value


def _moment(at: datetime, zone: tzinfo) -> str:
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def _ended(sentence: str) -> str:
    """An error's clause as a sentence."""
    whole = sentence[:1].upper() + sentence[1:]
    return whole if not whole or whole.endswith((".", "!", "?")) else whole + "."


def _plain(text: str) -> str:
    return _cut(escape(text), 2 * MAX_VALUE_CHARS)


def _shown(line: str) -> str:
    # The text comes from our own renderer, which isolates names itself.
    return "".join(one if one in "\u2068\u2069" else escape(one) for one in line)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
