"""What goes wrong in a database, told as errors of this program. Never names a password or a value."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Generator

import sqlalchemy as sa
from sqlalchemy import exc

from holdfast.errors import CatalogDamaged, CatalogUnavailable, HoldfastError

_SQLITE_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_PRIMARY_CODE = 0xFF


@contextlib.contextmanager
def named_failures(place: str) -> Generator[None]:
    """Turns errors of a database into errors of this program; a broken uniqueness passes as it is.

    Args:
        place: the database as people may read it.

    Raises:
        CatalogUnavailable: it cannot be reached, is full, locked for too long, or may not be written.
        CatalogDamaged: its file is not whole, or tables are missing.
    """
    try:
        yield
    except exc.IntegrityError:
        raise
    except exc.DBAPIError as error:
        raise _named(error, place) from error
    except exc.TimeoutError as error:
        raise CatalogUnavailable(place=place, reason="all connections are busy") from error


def place_of(url: sa.URL) -> str:
    """A database as people may read it: no user, no password, no options."""
    if url.get_backend_name() == "sqlite":
        return url.database or ":memory:"
    port = f":{url.port}" if url.port else ""
    return f"postgresql://{url.host or ''}{port}/{url.database or ''}"


def _named(error: exc.DBAPIError, place: str) -> HoldfastError:
    original = error.orig
    reason = _first_line(original)
    if isinstance(original, sqlite3.Error):
        code = getattr(original, "sqlite_errorcode", 0) & _PRIMARY_CODE
        if code in _SQLITE_DAMAGED or _names_no_table(error):
            return CatalogDamaged(place=place, reason=reason)
        return CatalogUnavailable(place=place, reason=reason)
    if isinstance(error, exc.ProgrammingError):
        return CatalogDamaged(place=place, reason=reason)
    return CatalogUnavailable(place=place, reason=reason)


def _names_no_table(error: exc.DBAPIError) -> bool:
    return str(error.orig).startswith(("no such table", "no such column"))


def _first_line(error: BaseException | None) -> str:
    # Further lines quote statements and values.
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
