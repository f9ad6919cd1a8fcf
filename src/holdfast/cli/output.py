"""What a command prints: text for people, or JSON for programs, never both."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TextIO

from holdfast.cli.text import _, ngettext, render
from holdfast.errors import english

_NOT_TEXT = re.compile("[\ud800-\udfff]")


class Printer:
    """The only way from a command to the terminal.

    Standard output carries results, standard error everything else, so that output can be piped.

    Args:
        json_output: documents instead of text.
        quiet: no text but results and errors.
        verbose: how much more to tell, 0 to 2.
        color: whether to use colours where the stream is a terminal.
    """

    def __init__(
        self,
        *,
        json_output: bool = False,
        quiet: bool = False,
        verbose: int = 0,
        color: bool = True,
        out: TextIO | None = None,
        err: TextIO | None = None,
    ) -> None:
        self.json_output = json_output
        self.quiet = quiet
        self.verbosity = 0 if quiet else verbose
        self.color = color
        self._out = out
        self._err = err

    @property
    def out(self) -> TextIO:
        """Where results go."""
        return self._out or sys.stdout

    @property
    def err(self) -> TextIO:
        """Where everything else goes."""
        return self._err or sys.stderr

    # --- for people --------------------------------------------------------------------------------

    def line(self, text: str = "") -> None:
        """Prints a line of the result. Names in it must have gone through `values.name` or `say`."""
        if not self.json_output:
            _write(self.out, text + "\n")

    def say(self, message: str, **named: object) -> None:
        """Prints a sentence of the result: an English literal with `{placeholders}`, translated and filled."""
        self.line(render(message, named))

    def note(self, message: str, **named: object) -> None:
        """Tells what is going on: left out with --quiet."""
        if not self.quiet:
            self.say(message, **named)

    def detail(self, level: int, message: str, **named: object) -> None:
        """Tells more to who asked for it: `level` 1 with --verbose, 2 with --verbose --verbose."""
        if self.verbosity >= level:
            self.say(message, **named)

    def warn(self, message: str, **named: object) -> None:
        """Prints a sentence about something that did not go well, to standard error."""
        if self.json_output:
            self.message("warning", stream=self.err, message=render(message, named, "en"))
        else:
            _write(self.err, f"{self.paint(_('Warning:'), 'yellow', self.err)} {render(message, named)}\n")

    def table(self, header: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[int] = ()) -> None:
        """Prints rows under a header, in columns as wide as they need.

        Args:
            header: translated titles.
            rows: cells, printable as they are; a line break in a cell makes a further line.
            right: numbers of the columns that end at the right.
        """
        if self.json_output:
            return
        lines = [[cell.split("\n") for cell in row] for row in rows]
        titles = [[title] for title in header]
        widths = [
            max(map(_width, (part for row in [titles, *lines] for part in row[column])), default=0)
            for column in range(len(header))
        ]
        rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
        aligned = frozenset(right)
        _write(self.out, "\n".join([*_lines(titles, widths, aligned), rule]) + "\n")
        for row in lines:
            _write(self.out, "\n".join(_lines(row, widths, aligned)) + "\n")
        _write(self.out, rule + "\n")

    def paint(self, text: str, color: str, stream: TextIO) -> str:
        """The text in a colour, if the stream is a terminal and colours are wanted."""
        if not self.color or not is_terminal(stream):
            return text
        import click

        return click.style(text, fg=color, bold=True)

    def raw(self, content: bytes | bytearray | memoryview) -> None:
        """Prints the bytes of a result as they are, whatever the form of other output."""
        self.out.flush()
        self.out.buffer.write(content)

    # --- for programs ------------------------------------------------------------------------------

    def document(self, value: object) -> None:
        """Prints a JSON document on one line, if JSON is wanted."""
        if self.json_output:
            _write(self.out, to_json(value) + "\n")

    def message(self, message_type: str, *, stream: TextIO | None = None, **fields: object) -> None:
        """Prints one of several JSON documents, told apart by their `message_type`, and sends it off at once."""
        if self.json_output:
            target = stream or self.out
            _write(target, to_json({"message_type": message_type, **fields}) + "\n")
            target.flush()


def to_json(value: object) -> str:
    """JSON on one line. Structs become objects; bytes are taken for file names, with U+FFFD for what is not text."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)
    return text if text.isascii() else _NOT_TEXT.sub("\ufffd", text)


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    import msgspec

    return msgspec.to_builtins(value, builtin_types=(bytes,), str_keys=True, enc_hook=english)


def is_terminal(stream: TextIO) -> bool:
    """Whether a person reads the stream, on a terminal that can move its cursor."""
    with suppress(ValueError):
        return stream.isatty()
    return False


def count(number: int, singular: str, plural: str) -> str:
    """A number with its noun, such as `2 files`: English literals with `{count}` in them."""
    return ngettext(singular, plural, number).replace("{count}", str(number))


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))


def _lines(row: Sequence[Sequence[str]], widths: Sequence[int], right: frozenset[int]) -> list[str]:
    return [
        "  ".join(
            _padded(cell[number] if number < len(cell) else "", widths[column], column in right)
            for column, cell in enumerate(row)
        ).rstrip()
        for number in range(max(map(len, row), default=0))
    ]


def _padded(text: str, width: int, right: bool) -> str:
    padding = " " * (width - _width(text))
    return padding + text if right else text + padding


def _width(text: str) -> int:
    """Columns on a terminal: two for wide characters, none for combining ones and isolates."""
    if text.isascii():
        return len(text)
    from unicodedata import category, east_asian_width

    return sum(
        0 if category(character) in ("Mn", "Me", "Cf") else 2 if east_asian_width(character) in "WF" else 1
        for character in text
    )
