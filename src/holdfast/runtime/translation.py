"""Messages in a language that is named.

Every message is an English literal in the code; catalogs below `holdfast/locale` translate it. Names, codes and
numbers are put into the translated sentence afterwards, with what could disturb a terminal escaped, and in a language
written from right to left each of them isolated so that it keeps its own direction.
"""

from __future__ import annotations

import gettext
import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from holdfast.errors import HoldfastError, Phrase

LANGUAGES = ("en", "fa", "ru", "tr")
RIGHT_TO_LEFT = frozenset({"fa"})
DOMAIN = "holdfast"
LOCALE_DIR = Path(__file__).resolve().parent.parent / "locale"

_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"
# Controls, line and paragraph separators, everything that changes direction, and bytes that are not text. Joiners
# stay: Persian names need them.
_DISTURBING = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
# Values of these placeholders may themselves be messages of ours. Others never are: a host may be called `Size`.
_TRANSLATED_VALUES = frozenset({"reason", "detail", "feature"})
_PLACEHOLDER = re.compile(r"\{([a-z_]+)(!r)?\}")


@lru_cache(maxsize=len(LANGUAGES))
def catalog(language: str) -> gettext.NullTranslations:
    """The translations into a language; those into English change nothing."""
    return gettext.translation(DOMAIN, LOCALE_DIR, languages=[language], fallback=True)


def N_(message: str) -> str:  # noqa: N802 - gettext's own name for it
    """Marks a message for translation where it is written; it is translated where it is shown."""
    return message


def plural(singular: str, plural_form: str, number: int, language: str) -> str:
    """The form of a message that goes with a number, translated; placeholders stay."""
    return catalog(language).ngettext(singular, plural_form, number)


def escape(text: str) -> str:
    """The text with everything that could disturb a terminal shown as an escape sequence."""
    return _DISTURBING.sub(_shown, text)


def _shown(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def isolate(text: str, language: str) -> str:
    """The text protected from the direction of the sentence around it, where that direction is right to left."""
    if language not in RIGHT_TO_LEFT:
        return text
    return f"{_FIRST_STRONG_ISOLATE}{text}{_POP_ISOLATE}"


def render(message: str, values: Mapping[str, object], language: str) -> str:
    """Translates a message and puts values in for its placeholders.

    A reason or detail that is itself a message of ours is translated too.
    """
    translations = catalog(language)

    def value_of(found: re.Match[str]) -> str:
        if found[1] not in values:
            return found[0]
        value = values[found[1]]
        if isinstance(value, Phrase):
            return translated(value, language)
        text = value if isinstance(value, str) else _as_text(value)
        message = translations.gettext(text) if text and found[1] in _TRANSLATED_VALUES else text
        if message != text:
            return message
        # Quotes show where an empty or a blank value is.
        return isolate(f"'{escape(text)}'" if found[2] else escape(text), language)

    # One pass over the template: a brace in a file name is never taken for a placeholder.
    return _PLACEHOLDER.sub(value_of, translations.gettext(message) if message else "")


def translated(text: str, language: str) -> str:
    """A text of ours in a language: a phrase with its values, or a message that has none."""
    if isinstance(text, Phrase):
        return render(text.template, text.values, language)
    return catalog(language).gettext(text) if text else ""


def _as_text(value: object) -> str:
    return os.fsdecode(value) if isinstance(value, bytes) else str(value)


def translate_error(error: HoldfastError, language: str) -> tuple[str, str]:
    """(message, hint) of an error in a language."""
    return render(error.message, error.context, language), render(error.hint, error.context, language)
