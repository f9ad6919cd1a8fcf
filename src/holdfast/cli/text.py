"""Messages in the language of this process; see `holdfast.runtime.translation`."""

from __future__ import annotations

import gettext
import os
import re
from collections.abc import Mapping

from holdfast.errors import HoldfastError
from holdfast.runtime import translation
from holdfast.runtime.translation import DOMAIN, LANGUAGES, LOCALE_DIR, N_, catalog, escape

__all__ = [
    "LANGUAGES",
    "N_",
    "_",
    "choose_language",
    "current_language",
    "escape",
    "isolate",
    "ngettext",
    "render",
    "set_language",
    "translate_error",
    "translated",
]

_VARIABLES = ("HOLDFAST_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


class _Current:
    """The language of this process; one command speaks one language."""

    language = "en"


def choose_language(asked: str | None, environment: Mapping[str, str]) -> str:
    """The language asked for, else that of the environment, else English."""
    for value in (asked, *(environment.get(name) for name in _VARIABLES)):
        if value:
            language = re.split(r"[_.@-]", value.lower(), maxsplit=1)[0]
            return language if language in LANGUAGES else "en"
    return "en"


def set_language(language: str) -> None:
    """Makes all further messages, those of the argument parser included, speak a language."""
    _Current.language = language
    # The parser looks its messages up through the process-wide domain and this variable.
    os.environ["LANGUAGE"] = language
    gettext.bindtextdomain(DOMAIN, str(LOCALE_DIR))
    gettext.textdomain(DOMAIN)


def current_language() -> str:
    """The language of this process."""
    return _Current.language


def _(message: str) -> str:
    """The message in the current language."""
    return catalog(_Current.language).gettext(message) if message else ""


def translated(text: str) -> str:
    """A text of a report in the current language: a phrase with its values, or a message that has none."""
    return translation.translated(text, _Current.language)


def ngettext(singular: str, plural: str, number: int) -> str:
    """The form of the message that goes with a number, in the current language."""
    return catalog(_Current.language).ngettext(singular, plural, number)


def isolate(text: str, language: str | None = None) -> str:
    """The text protected from the direction of the sentence around it, by default one in the current language."""
    return translation.isolate(text, language or _Current.language)


def render(message: str, values: Mapping[str, object], language: str | None = None) -> str:
    """Translates a message and puts values in for its placeholders; by default into the current language."""
    return translation.render(message, values, language or _Current.language)


def translate_error(error: HoldfastError, language: str | None = None) -> tuple[str, str]:
    """(message, hint) of an error in a language, by default the current one."""
    return translation.translate_error(error, language or _Current.language)
