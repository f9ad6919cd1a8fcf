"""How values of the model are kept in columns, the same way in every database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import cast

import msgspec
import sqlalchemy as sa

from holdfast.errors import english

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def plain(row: sa.RowMapping) -> dict[str, object]:
    """A row by names that are texts and nothing more, as decoders want them."""
    return {str(name): value for name, value in row.items()}


def storable(text: str) -> str:
    """A text without what some databases refuse: NUL, and halves of characters as names of files may hold them."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\N{REPLACEMENT CHARACTER}")


def encoded(document: object) -> str:
    """A plain document as JSON with sorted keys, so that equal documents are equal texts."""
    try:
        return msgspec.json.encode(document, enc_hook=english, order="deterministic").decode()
    except UnicodeEncodeError:
        plain = _storable_parts(msgspec.to_builtins(document, enc_hook=english))
        return msgspec.json.encode(plain, order="deterministic").decode()


def _storable_parts(value: object) -> object:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        pairs = cast(dict[str, object], value)
        return {storable(key): _storable_parts(part) for key, part in pairs.items()}
    if isinstance(value, list | tuple):
        return [_storable_parts(part) for part in cast(list[object], value)]
    return value


def micros(moment: datetime) -> int:
    """A moment as microseconds since 1970, UTC.

    Raises:
        ValueError: the moment has no time zone.
    """
    if moment.utcoffset() is None:
        raise ValueError("a naive datetime names no instant")
    return (moment - _EPOCH) // _MICROSECOND


class Moment(sa.TypeDecorator[datetime]):
    """An aware moment, as microseconds since 1970."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:  # noqa: ARG002
        """To the database."""
        return None if value is None else micros(value)

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """From the database."""
        return None if value is None else _EPOCH + value * _MICROSECOND


class Line(sa.TypeDecorator[str]):
    """A text; a member of a `StrEnum` is kept as its value."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002
        """To the database."""
        return None if value is None else storable(value)

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002
        """From the database."""
        return value


class Document(sa.TypeDecorator[object]):
    """A plain document, as JSON."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: object, dialect: sa.Dialect) -> str | None:  # noqa: ARG002
        """To the database."""
        return None if value is None else encoded(value)

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> object:  # noqa: ARG002
        """From the database."""
        return None if value is None else msgspec.json.decode(value)
