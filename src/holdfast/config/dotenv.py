"""The file `.env` beside the configuration, by the rules that applications use for theirs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from holdfast.config.document import read_text

_STATEMENT = re.compile(
    r"""
    [ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)[ \t]*
    (?:=[ \t]*
        (?:'(?P<single>(?:[^'\\]|\\.)*)'[ \t]*(?:\#[^\n]*)?
        | "(?P<double>(?:[^"\\]|\\.)*)"[ \t]*(?:\#[^\n]*)?
        | (?P<bare>[^\n'"][^\n]*)?
        )
    )?(?=\n|\Z)
    """,
    re.VERBOSE | re.DOTALL,
)
_EMPTY = re.compile(r"[ \t]*(?:#[^\n]*)?(?=\n|\Z)")
_LINE = re.compile(r"[^\n]*")
_COMMENT = re.compile(r"(?:^|[ \t])#.*")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "b": "\b", "a": "\a"}
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


class DotEnv(msgspec.Struct, frozen=True, kw_only=True):
    """What the file says, and the lines that nobody understands."""

    values: dict[str, str]
    unclear_lines: tuple[int, ...] = ()


def read_dotenv(path: Path, environ: Mapping[str, str]) -> DotEnv:
    """Reads the file; there may be none, and a folder of this name is a Python environment.

    Raises:
        ConfigUnreadable: there is a file and it cannot be read.
    """
    if not path.exists() or path.is_dir():
        return DotEnv(values={})
    return parse_dotenv(read_text(path), environ)


def parse_dotenv(text: str, environ: Mapping[str, str]) -> DotEnv:
    """Reads the text of such a file.

    `export` before a name is skipped, text in quotes may go over several lines, ` #` begins a comment outside quotes.
    In double quotes and without quotes `${NAME}` stands for a variable of the environment or of a line above.

    Args:
        text: the file.
        environ: wins over the file within `${NAME}`, as it does everywhere.
    """
    content = text.replace("\r\n", "\n")
    values: dict[str, str] = {}
    unclear: list[int] = []
    at = 0
    while at < len(content):
        statement = _STATEMENT.match(content, at)
        if statement is not None:
            value = _value(statement, {**values, **environ})
            if value is not None:
                values[statement["name"]] = value
        found = statement or _EMPTY.match(content, at)
        if found is None:
            unclear.append(content.count("\n", 0, at) + 1)
            found = _LINE.match(content, at)
            assert found is not None
        at = found.end() + 1
    return DotEnv(values=values, unclear_lines=tuple(unclear))


def _value(statement: re.Match[str], known: Mapping[str, str]) -> str | None:
    """A name without a sign = has no value."""
    if statement["single"] is not None:
        return re.sub(r"\\(['\\])", r"\1", statement["single"])
    if statement["double"] is not None:
        return _filled(_ESCAPE.sub(_unescaped, statement["double"]), known)
    if "=" not in statement[0]:
        return None
    return _filled(_COMMENT.sub("", statement["bare"] or "").strip(), known)


def _unescaped(found: re.Match[str]) -> str:
    return _ESCAPED.get(found[1], found[1] if found[1] in "\\'\"$" else found[0])


def _filled(value: str, known: Mapping[str, str]) -> str:
    return _REFERENCE.sub(lambda found: known.get(found[1]) or found[2] or "", value)
