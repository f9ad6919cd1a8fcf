"""What was found in an application, and what was left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from holdfast.config.shapes import texts
from holdfast.errors import Phrase

_NOT_TEXT = re.compile("[\ud800-\udfff]")
_NOT_IN_NAMES = re.compile(r"[^a-z0-9_-]+")


class Reference(str):
    """A text with `${NAME}` in it that means the variable; any other text means itself."""

    __slots__ = ()


class FoundSource(msgspec.Struct, frozen=True, kw_only=True):
    """Something to back up.

    Attributes:
        kind: as in the configuration.
        name: a proposal; made unique later.
        options: of the kind; a text that names variables is a `Reference`.
        origin: where it was seen.
        notes: what a person should know or do about it.
    """

    kind: str
    name: str
    options: Mapping[str, object]
    origin: Phrase
    notes: tuple[Phrase, ...] = ()


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was seen and will not be backed up, and why."""

    what: str
    why: Phrase


class Findings:
    """Collects what the detectors find."""

    def __init__(self) -> None:
        self.sources: list[FoundSource] = []
        self.left_out: list[LeftOut] = []

    def add(self, source: FoundSource) -> None:
        """Notes something to back up, once; its name gets a number if it is taken."""
        if any((one.kind, one.options) == (source.kind, source.options) for one in self.sources):
            return
        if any(_NOT_TEXT.search(text) for text in _texts(source.options)):
            self.leave_out(source.name, "its name is not UTF-8 text, which a configuration cannot hold")
            return
        name = source_name(source.name)
        taken = {one.name for one in self.sources}
        unique = next(one for one in _numbered(name) if one not in taken)
        self.sources.append(msgspec.structs.replace(source, name=unique))

    def leave_out(self, what: str, why: str, **values: object) -> None:
        """Notes something that is not backed up; `why` is an English literal."""
        self.left_out.append(LeftOut(what=what, why=Phrase(why, values)))

    def has(self, kind: str) -> bool:
        """Whether a source of a kind was found."""
        return any(source.kind == kind for source in self.sources)


def source_name(text: str) -> str:
    """A name that a source may have, as like the text as possible."""
    return _NOT_IN_NAMES.sub("-", text.lower()).strip("-_")[:60] or "source"


def shown_path(path: Path, root: Path) -> str:
    """A path as it goes into the configuration: relative below the application's folder."""
    try:
        return path.relative_to(root).as_posix()
    except ValueError:
        return str(path)


def _texts(options: Mapping[str, object]) -> Iterator[str]:
    for value in options.values():
        yield from texts(value) or [str(value)]


def _numbered(name: str) -> Iterable[str]:
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1
