"""`${NAME}` and `${NAME:-default}` in the texts of a configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from holdfast.config.positions import KeyPath
from holdfast.config.problems import Problems
from holdfast.config.shapes import members, put

_PART = re.compile(r"\$\$\{|\$\{(?P<inner>[^}]*)(?P<close>\}?)")
_INNER = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<default>:-.*)?\Z", re.DOTALL)


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """A text that had variables in it.

    Attributes:
        written: as it stands in the file.
        names: which variables.
        sound: whether all of them have a value; if not, that was noted.
    """

    written: str
    names: tuple[str, ...]
    sound: bool


def fill(data: dict[str, object], variables: Mapping[str, str], problems: Problems) -> dict[KeyPath, Filled]:
    """Puts the values of variables into all texts of a configuration, in place.

    A variable that is missing is an error unless there is a default; so is one that is empty, because an empty path
    or number of days is dangerous: who means it writes `${NAME:-}`. `$${` stands for `${`.

    Returns:
        The texts that were changed.
    """
    filled: dict[KeyPath, Filled] = {}
    for container, key, text, at in list(_texts(data, ())):
        if "\0" in text:
            problems.add(at, reason="a NUL character is not text")
        if "${" not in text:
            continue
        filling = _Filling(variables, at, problems)
        before = problems.count
        value = _PART.sub(filling.value, text)
        sound = problems.count == before
        if filling.names or not sound:
            filled[at] = Filled(written=text, names=tuple(filling.names), sound=sound)
        put(container, key, value)
    return filled


class _Filling:
    """The variables of one text."""

    def __init__(self, variables: Mapping[str, str], at: KeyPath, problems: Problems) -> None:
        self.names: list[str] = []
        self._variables = variables
        self._at = at
        self._problems = problems

    def value(self, found: re.Match[str]) -> str:
        """What stands in the place of a variable."""
        if found["inner"] is None:
            return "${"
        inner = _INNER.match(found["inner"])
        if inner is None or not found["close"] or "${" in (inner["default"] or ""):
            self._problems.add(
                self._at,
                reason="a variable is written {plain} or {with_default}, and {escaped} stands for the sign itself",
                plain="${NAME}",
                with_default="${NAME:-default}",
                escaped="$${",
            )
            return ""
        name = inner["name"]
        self.names.append(name)
        value = self._variables.get(name)
        if not value and inner["default"] is not None:
            return str(inner["default"][2:])
        if value is None:
            self._problems.add(self._at, reason="the variable {variable} is not set", variable=name)
        elif not value:
            self._problems.add(self._at, reason="the variable {variable} is empty", variable=name)
        elif "\0" in value:
            self._problems.add(self._at, reason="a NUL character is not text")
        return value or ""


def _texts(container: object, at: KeyPath) -> Iterator[tuple[object, str | int, str, KeyPath]]:
    """Every text with the table or list that holds it."""
    for key, value in members(container):
        if isinstance(value, str):
            yield container, key, value, (*at, key)
        else:
            yield from _texts(value, (*at, key))
