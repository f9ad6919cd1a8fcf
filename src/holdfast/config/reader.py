"""Reads tables into Structs, field by field, so that one mistake does not hide the next."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, TypeVar, cast, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo

from holdfast.config.effective import Effective
from holdfast.config.positions import KeyPath
from holdfast.config.problems import Problems, listed, nearest
from holdfast.config.reasons import bare, complaint, noun
from holdfast.config.secrets import SUFFIXES, SecretReader, is_secret
from holdfast.config.shapes import items, members
from holdfast.config.shapes import table as as_table
from holdfast.errors import HoldfastError

T = TypeVar("T")


class _Wrong:
    """Stands for a value that was complained about."""


_WRONG: Final = _Wrong()


class Reader:
    """Turns what was parsed into what is typed, and notes everything that is wrong."""

    def __init__(self, effective: Effective, problems: Problems, secrets: SecretReader) -> None:
        self._effective = effective
        self.problems = problems
        self._secrets = secrets

    def struct(self, kind: type[T], table: object, at: KeyPath, also: Collection[str] = ()) -> T | None:
        """Reads a table.

        Args:
            kind: a class of msgspec Structs.
            table: what was parsed.
            at: its key.
            also: keys of the table that are read elsewhere.

        Returns:
            None if anything is wrong; that was noted.
        """
        given = as_table(table)
        if given is None:
            self.problems.add(at, reason="expected a table, not {found}", found=noun(table))
            return None
        fields = fields_of(kind)
        hidden = [name for name, field in fields.items() if is_secret(field.type)]
        before = self.problems.count
        self.unknown(given, {*fields, *also, *(name + suffix for name in hidden for suffix in SUFFIXES)}, at)
        values: dict[str, object] = {}
        for name, field in fields.items():
            value: object = None
            if name in hidden:
                value = self._secrets.read(given, name, at)
            elif name in given:
                value = self._value(given[name], field.type, (*at, name))
            if value is not None:
                values[field.name] = value
            elif field.required and name not in given:
                self.problems.add((*at, name), reason="this is missing")
        if self.problems.count > before:
            return None
        return self._made(kind, values, at)

    def unknown(self, table: Mapping[str, object], known: Collection[str], at: KeyPath) -> None:
        """Notes the keys of a table that mean nothing."""
        for name in table:
            if name in known:
                continue
            near = nearest(name, known)
            if near:
                self.problems.add((*at, name), reason="there is no such key; did you mean {near}?", near=near)
            else:
                self.problems.add((*at, name), reason="there is no such key (there is: {known})", known=listed(known))

    def _made(self, kind: type[T], values: dict[str, object], at: KeyPath) -> T | None:
        """Some classes look at their fields together."""
        try:
            return kind(**values)
        except HoldfastError as error:
            self.problems.add(at, reason="{detail}", detail=self._secrets.without(str(error)))
        except (TypeError, ValueError) as error:
            self.problems.add(at, reason="{detail}", detail=self._secrets.without(str(error)))
        return None

    def was_filled(self, at: KeyPath) -> bool:
        """Whether a text came from a variable."""
        return at in self._effective.filled

    def _value(self, value: object, kind: object, at: KeyPath) -> object:
        plain = bare(kind)
        struct = as_struct(plain)
        if as_table(value) is not None and struct is not None:
            return self.struct(struct, value, at) or _WRONG
        read = [self._value(part, part_kind, where) for part, part_kind, where in _parts(value, plain, at)]
        return _WRONG if _WRONG in read else self._converted(value, kind, at)

    def _converted(self, value: object, kind: object, at: KeyPath) -> object:
        """Text that came from a variable may stand for a number or for true and false."""
        filled = self._effective.filled.get(at)
        if filled is not None and not filled.sound:
            return _WRONG
        try:
            return msgspec.convert(value, cast(Any, kind), strict=filled is None)
        except msgspec.ValidationError as error:
            found = complaint(error, kind, value)
            self.problems.add((*at, *found.below), reason=found.phrase.template, **found.phrase.values)
            return _WRONG


def as_struct(kind: object) -> type[msgspec.Struct] | None:
    """The type if it is a class of Structs."""
    return kind if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else None


def fields_of(kind: type[object]) -> dict[str, FieldInfo]:
    """The fields of a class of Structs by the key that a table has for them."""
    return {field.encode_name: field for field in msgspec.structs.fields(cast(type[msgspec.Struct], kind))}


def _parts(value: object, kind: object, at: KeyPath) -> list[tuple[object, object, KeyPath]]:
    """The items of a list, or the values of a table, each with its type and key."""
    kinds = get_args(kind)
    many = items(value) is not None and get_origin(kind) in (tuple, list, set, frozenset) and kinds
    if many:
        return [(one, kinds[0], (*at, key)) for key, one in members(value)]
    if as_table(value) is not None and get_origin(kind) is dict and len(kinds) == 2:
        return [(one, kinds[1], (*at, key)) for key, one in members(value)]
    return []
