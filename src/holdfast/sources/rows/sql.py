"""SQL that all three databases understand, made of quoted names."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from holdfast.sources.rows.store import ForeignKey

Quote = Callable[[str], str]


def double_quoted(name: str) -> str:
    """A name as standard SQL quotes it."""
    return '"' + name.replace('"', '""') + '"'


def backquoted(name: str) -> str:
    """A name as MySQL quotes it."""
    return "`" + name.replace("`", "``") + "`"


def listed(names: Sequence[str], quote: Quote) -> str:
    """Names with commas between them."""
    return ", ".join(quote(name) for name in names)


def select(what: str, table: str, condition: str, order: str) -> str:
    """A statement that reads rows; `condition` and `order` may be empty."""
    # The newline keeps a comment at the end of the operator's condition from swallowing the rest.
    chosen = f" WHERE ({condition}\n)" if condition else ""
    return f"SELECT {what} FROM {table}{chosen}" + (f" ORDER BY {order}" if order else "")  # noqa: S608


def orphans(child: str, parent: str, key: ForeignKey, quote: Quote) -> str:
    """Counts rows of `child` (quoted) that name a row of `parent` (quoted) which is not there."""
    named = " AND ".join(f"c.{quote(column)} IS NOT NULL" for column in key.columns)
    pairs = zip(key.columns, key.parent_columns, strict=True)
    equal = " AND ".join(f"p.{quote(theirs)} = c.{quote(ours)}" for ours, theirs in pairs)
    return f"SELECT count(*) FROM {child} c WHERE {named} AND NOT EXISTS (SELECT 1 FROM {parent} p WHERE {equal})"  # noqa: S608
