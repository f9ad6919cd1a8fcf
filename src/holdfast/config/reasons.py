"""What is wrong with a value, in words that need no knowledge of the program's types."""

from __future__ import annotations

import re
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Literal, NamedTuple, Union, get_args, get_origin

import msgspec

from holdfast.config.problems import nearest
from holdfast.errors import Phrase

_GOT = re.compile(r"Expected `(?P<expected>[^`]+)`(?:, got `(?P<got>[^`]+)`)?")
_BOUND = re.compile(r"Expected `(?:int|float|decimal)[^`]*` (?P<sign>[<>]=?) (?P<bound>\S+)")
_LENGTH = re.compile(r"Expected `(?P<what>[^`]+)` of length (?P<sign>[<>=]=?) (?P<length>\d+)")
_PLACE = re.compile(r" - at `\$(?P<place>.*)`\Z")
_PLACE_PART = re.compile(r"\[(?P<index>\d+)\]|\.(?P<name>[^.\[]+)|\[\.\.\.\]")
_NOUNS = {
    "str": Phrase("text", {}),
    "int": Phrase("a whole number", {}),
    "float": Phrase("a number", {}),
    "fraction": Phrase("a fraction", {}),
    "bool": Phrase("true or false", {}),
    "array": Phrase("a list", {}),
    "object": Phrase("a table", {}),
    "date": Phrase("a date", {}),
    "time": Phrase("a time", {}),
    "datetime": Phrase("a moment", {}),
}


class Complaint(NamedTuple):
    """What is wrong, and where below the value: an index of a list or a key of a table each."""

    phrase: Phrase
    below: tuple[str | int, ...]


def complaint(error: msgspec.ValidationError, expected: object, value: object) -> Complaint:
    """Rewrites what the validation says.

    Args:
        error: names types and not values, except for a choice.
        expected: the type.
        value: shown only where it is one of a few words.
    """
    text = str(error)
    place = _PLACE.search(text)
    below = tuple(_below(place["place"])) if place is not None else ()
    return Complaint(_phrase(text[: place.start()] if place is not None else text, expected, value), below)


def noun(value: object) -> Phrase:
    """What a value is: `text`, `a table`."""
    names: dict[type, str] = {bool: "bool", str: "str", int: "int", float: "fraction", list: "array", dict: "object"}
    name = next((name for kind, name in names.items() if isinstance(value, kind)), type(value).__name__)
    return _NOUNS.get(name) or Phrase("something else", {})


def choices(expected: object) -> list[str]:
    """The words that a type allows; empty if it allows more than certain words."""
    kind = bare(expected)
    if get_origin(kind) is Literal:
        return [str(choice) for choice in get_args(kind)]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [str(member.value) for member in kind]
    return []


def bare(expected: object) -> object:
    """A type without its annotations and without None."""
    if get_origin(expected) is Annotated:
        return bare(get_args(expected)[0])
    if get_origin(expected) in (Union, UnionType):
        members = [member for member in get_args(expected) if member is not NoneType]
        return bare(members[0]) if len(members) == 1 else expected
    return expected


def _below(place: str) -> list[str | int]:
    return [int(found["index"]) if found["index"] else found["name"] or "…" for found in _PLACE_PART.finditer(place)]


def _phrase(text: str, expected: object, value: object) -> Phrase:
    allowed = choices(expected)
    if allowed:
        return _choice(value, allowed)
    if "matching regex" in text:
        described = _description(expected)
        return Phrase("this is not {expected}", {"expected": Phrase(described, {})}) if described else _unlike(text)
    bound = _BOUND.match(text)
    if bound is not None:
        return _bounded(bound)
    length = _LENGTH.match(text)
    if length is not None:
        return Phrase("this must not be empty", {}) if length["length"] == "1" else _unfit(text)
    got = _GOT.match(text)
    if got is not None:
        return Phrase("expected {expected}, not {found}", {"expected": _nouns(got["expected"]), "found": noun(value)})
    return _unfit(text)


def _choice(value: object, allowed: list[str]) -> Phrase:
    shown = ", ".join(word or repr(word) for word in allowed)
    if not isinstance(value, str):
        return Phrase("expected one of {known}, not {found}", {"known": shown, "found": noun(value)})
    near = nearest(value, allowed)
    if near:
        return Phrase("{word} is none of {known}; did you mean {near}?", {"word": value, "known": shown, "near": near})
    return Phrase("{word} is none of {known}", {"word": value or repr(value), "known": shown})


def _bounded(found: re.Match[str]) -> Phrase:
    values = {"bound": found["bound"].removesuffix(".0")}
    phrases = {
        ">=": Phrase("this must be at least {bound}", values),
        "<=": Phrase("this must be at most {bound}", values),
        ">": Phrase("this must be more than {bound}", values),
        "<": Phrase("this must be less than {bound}", values),
    }
    return phrases[found["sign"]]


def _nouns(expected: str) -> Phrase:
    """What would fit: `text`, `text or a list`."""
    phrases = [_NOUNS[word] for word in dict.fromkeys(expected.split(" | ")) if word in _NOUNS]
    if not phrases:
        return Phrase("something else", {})
    whole = phrases[0]
    for phrase in phrases[1:]:
        whole = Phrase("{first} or {second}", {"first": whole, "second": phrase})
    return whole


def _description(expected: object) -> str:
    """What the type itself says it is."""
    for part in [expected, *get_args(expected)]:
        if get_origin(part) is Annotated:
            for note in get_args(part)[1:]:
                if isinstance(note, msgspec.Meta) and note.description:
                    return note.description
    return ""


def _unlike(text: str) -> Phrase:
    return Phrase(
        "this does not fit the pattern {pattern}", {"pattern": text.partition("matching regex ")[2].strip("'")}
    )


def _unfit(text: str) -> Phrase:
    return Phrase("this does not fit: {detail}", {"detail": text})
