"""The file as it is written: its values, and the line of every key."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from holdfast.config.positions import KeyPath, positions
from holdfast.config.shapes import members
from holdfast.errors import ConfigInvalid, ConfigNotFound, ConfigUnreadable, Phrase

FILE_NAME = "holdfast.toml"
MAX_FILE_BYTES = 1 << 20
MAX_DEPTH = 32

_HUGE = re.compile(r"[0-9_]{4300}")
_TABLE = re.compile(r"\s*\[+([A-Za-z0-9_.-]+)\]+")
_KEY = re.compile(r"\s*([A-Za-z0-9_.-]+)\s*[=:]")
_WHERE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """One configuration file."""

    path: Path
    data: dict[str, object]
    lines: Mapping[KeyPath, int]


def find_config(path: Path | None, environ: Mapping[str, str], cwd: Path) -> Path:
    """Where the configuration is: named, else by HOLDFAST_CONFIG, else in a folder or the nearest one above it.

    Raises:
        ConfigNotFound: there is none.
    """
    named = path if path is not None else environ.get("HOLDFAST_CONFIG") or None
    if named is not None:
        return Path(os.path.abspath(cwd / named))
    start = Path(os.path.abspath(cwd))
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    raise ConfigNotFound(directory=str(start))


def read_text(path: Path) -> str:
    """A small text file.

    Raises:
        ConfigUnreadable: it is missing, forbidden, too large or not UTF-8.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigUnreadable(path=str(path), reason=error.strerror or str(error)) from error
    if len(content) > MAX_FILE_BYTES:
        raise ConfigUnreadable(path=str(path), reason="the file is larger than 1 MiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        reason = Phrase("line {line} is not UTF-8 text", {"line": line})
        raise ConfigUnreadable(path=str(path), reason=reason) from error


def read_document(path: Path) -> Document:
    """Reads a configuration file.

    Raises:
        ConfigUnreadable: it cannot be read.
        ConfigInvalid: it is not TOML.
    """
    return parse_document(path, read_text(path))


def parse_document(path: Path, text: str) -> Document:
    """Takes a text for the content of a configuration file.

    Raises:
        ConfigInvalid: it is not TOML.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax(path, text, str(error)) from error
    except ValueError as error:
        # The parser leaves a number of thousands of digits to Python, which refuses it.
        line = next((number for number, row in enumerate(text.split("\n"), 1) if _HUGE.search(row)), 1)
        raise ConfigInvalid(path=str(path), line=line, key="TOML", reason="a number is too large") from error
    except RecursionError as error:
        raise ConfigInvalid(path=str(path), line=1, key="TOML", reason="the nesting is too deep") from error
    if _too_deep(data):
        raise ConfigInvalid(path=str(path), line=1, key="TOML", reason="the nesting is too deep")
    return Document(path=path, data=data, lines=positions(text))


def _syntax(path: Path, text: str, message: str) -> ConfigInvalid:
    """The parser's own words, with the key of the line; the last line with anything on it if it says the end."""
    rows = text.split("\n")
    found = _WHERE.search(message)
    line = int(found[1]) if found is not None and found[1] else len(text.rstrip().split("\n"))
    detail = _WHERE.sub("", message)
    reason = Phrase("this is not TOML: {detail}", {"detail": detail})
    if detail == "Invalid value":
        reason = Phrase("this is no value: a text needs quotes around it, a list its end", {})
    return ConfigInvalid(path=str(path), line=line, key=_key_on(rows, line), reason=reason)


def _key_on(rows: list[str], line: int) -> str:
    """What the line seems to say something about."""
    own = _KEY.match(rows[line - 1]) if line <= len(rows) else None
    tables = [found[1] for row in rows[: line - 1] if (found := _TABLE.match(row)) is not None]
    if own is None:
        return tables[-1] if tables else "TOML"
    return f"{tables[-1]}.{own[1]}" if tables else own[1]


def _too_deep(data: object) -> bool:
    level: list[object] = [data]
    for _depth in range(MAX_DEPTH):
        level = [below for one in level for _key, below in members(one)]
        if not level:
            return False
    return True
