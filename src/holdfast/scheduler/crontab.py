"""Our lines in somebody's crontab: between two marks, and not a byte of the others' is touched."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence

_BEGIN = "# BEGIN holdfast {app}"
_END = "# END holdfast {app}"
_NO_END = " (the line above had no end)"


def command_line(schedule: str, command: Sequence[str]) -> str:
    """A line that runs a command; cron takes a bare percent sign for the end of the line."""
    return f"{schedule} {shlex.join(command)}".replace("%", "\\%")


def with_lines(crontab: bytes, app: str, lines: Iterable[str]) -> bytes:
    """A crontab with these lines of an application in the place of those it has.

    Raises:
        ValueError: a mark is there without the other.
    """
    others = without_lines(crontab, app)
    unended = bool(others) and not others.endswith(b"\n")
    begin = _BEGIN.format(app=app) + (_NO_END if unended else "")
    block = "\n".join([begin, *lines, _END.format(app=app)]) + "\n"
    return others + (b"\n" if unended else b"") + block.encode()


def without_lines(crontab: bytes, app: str) -> bytes:
    """A crontab without the lines of an application: what it was before they were put there.

    Raises:
        ValueError: a mark is there without the other.
    """
    begin, end = re.escape(_BEGIN.format(app=app).encode()), re.escape(_END.format(app=app).encode())
    unended = re.escape(_NO_END.encode())
    block = re.compile(rb"^" + begin + rb"(" + unended + rb")?\n(?:.*\n)*?" + end + rb"(?:\n|\Z)", re.MULTILINE)
    found = block.search(crontab)
    rest = crontab if found is None else _cut(crontab, found)
    if re.search(rb"^(?:" + begin + rb"|" + end + rb")(?: |$)", rest, re.MULTILINE):
        raise ValueError(app)
    return rest


def _cut(crontab: bytes, found: re.Match[bytes]) -> bytes:
    before = crontab[: found.start()]
    return (before.removesuffix(b"\n") if found[1] else before) + crontab[found.end() :]


def lines_of(crontab: bytes, app: str) -> list[str]:
    """The lines of an application in a crontab."""
    text = crontab.decode(errors="replace").splitlines()
    begins = [number for number, line in enumerate(text) if line.removesuffix(_NO_END) == _BEGIN.format(app=app)]
    ends = [number for number, line in enumerate(text) if line == _END.format(app=app)]
    return text[begins[0] + 1 : ends[0]] if begins and ends else []
