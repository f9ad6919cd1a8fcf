"""A report in words, before it is text or a page: every text in it is translated, escaped, and ready to be shown."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

import msgspec

from holdfast.errors import Phrase
from holdfast.runtime.quantities import digits, duration_text, size_text
from holdfast.runtime.translation import escape, isolate, render, translated


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A number with its name."""

    label: str
    value: str


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Rows under a header. `right` are the columns that end at the right, `bad` the rows that stand out, by number."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[int] = frozenset()
    bad: frozenset[int] = frozenset()


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Values of one kind, one for each label of a chart. `tone` is `good`, `bad` or `plain`."""

    name: str
    values: tuple[float, ...]
    tone: str = "plain"


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """Columns over labels, one series on top of the other. `totals` say in words what each column comes to."""

    title: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    totals: tuple[str, ...]


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a report; what is empty is not shown."""

    title: str
    note: str = ""
    figures: tuple[Figure, ...] = ()
    chart: Chart | None = None
    table: Table | None = None


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A whole report."""

    language: str
    title: str
    subtitle: str
    sections: tuple[Section, ...]
    footer: str


class Tongue:
    """Says things in a language, on the clock of a zone.

    Args:
        language: one of `holdfast.runtime.translation.LANGUAGES`.
        zone: of moments.
    """

    def __init__(self, language: str, zone: tzinfo = UTC) -> None:
        self.language = language
        self._zone = zone

    def say(self, message: str, **values: object) -> str:
        """A sentence: an English literal, translated and filled. Digits of names in it stay as they are."""
        return render(message, values, self.language)

    def said(self, phrase: Phrase) -> str:
        """A sentence that carries its values."""
        return translated(phrase, self.language)

    def name(self, text: str) -> str:
        """A name as it is, unable to disturb what stands around it."""
        return isolate(escape(text), self.language) if text else "-"

    def number(self, value: float, places: int = 0) -> str:
        """A number."""
        return digits(f"{value:.{places}f}", self.language)

    def percent(self, share: float | None) -> str:
        """A share of 0 to 1; a dash for none."""
        return "-" if share is None else isolate(digits(f"{100 * share:.1f}%", self.language), self.language)

    def size(self, size_bytes: float | None) -> str:
        """A size; a dash for none."""
        return "-" if size_bytes is None else isolate(digits(size_text(size_bytes), self.language), self.language)

    def duration(self, seconds: float | None) -> str:
        """A length of time; a dash for none."""
        return "-" if seconds is None else isolate(digits(duration_text(seconds), self.language), self.language)

    def moment(self, at: datetime | None) -> str:
        """A moment, to the minute; a dash for none."""
        return "-" if at is None else self._told(at, "%Y-%m-%d %H:%M")

    def bare_moment(self, at: datetime) -> str:
        """A moment for the inside of a sentence, which isolates it itself."""
        return self.bare(at.astimezone(self._zone).strftime("%Y-%m-%d %H:%M"))

    def bare(self, text: str) -> str:
        """A number or date that is text already, for the inside of a sentence."""
        return digits(text, self.language)

    def day(self, at: datetime | None) -> str:
        """The day of a moment; a dash for none."""
        return "-" if at is None else self._told(at, "%Y-%m-%d")

    def plain(self, text: str) -> str:
        """A date that is text already."""
        return isolate(digits(text, self.language), self.language)

    def _told(self, at: datetime, form: str) -> str:
        return isolate(digits(at.astimezone(self._zone).strftime(form), self.language), self.language)
