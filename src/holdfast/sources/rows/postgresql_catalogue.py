"""What tables a PostgreSQL database has."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple, cast

from holdfast.sources.rows.sql import double_quoted
from holdfast.sources.rows.store import Column, ForeignKey, TableInfo

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[object, ...]]

_OURS = "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'"
_OWN = (
    "NOT EXISTS (SELECT 1 FROM pg_depend d"
    " WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e')"
)

# Rows of a partitioned table are read and written through it, so partitions are left out; tables that inherit in the
# old way are tables of their own, which is why reading says ONLY for all that are not partitioned.
_TABLES = f"""
SELECT c.oid, n.nspname, c.relname, c.relkind = 'p'
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND NOT c.relispartition AND {_OURS} AND {_OWN}
ORDER BY n.nspname, c.relname
"""  # noqa: S608
_COLUMNS = """
SELECT a.attrelid, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attgenerated <> '',
       coalesce(pg_get_serial_sequence(%s, a.attname), (
         SELECT min(s.oid::regclass::text) FROM pg_attrdef v
         JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = v.oid
         JOIN pg_class s ON d.refclassid = 'pg_class'::regclass AND s.oid = d.refobjid AND s.relkind = 'S'
         WHERE v.adrelid = a.attrelid AND v.adnum = a.attnum), ''),
       CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) ELSE '' END,
       t.typcategory
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_KEYS = """
SELECT k.conname, k.contype::text, k.conkey, k.confrelid, k.confkey
FROM pg_constraint k WHERE k.conrelid = %s AND k.contype IN ('p', 'f') ORDER BY k.conname
"""
_NAMES = "SELECT attnum, attname FROM pg_attribute WHERE attrelid = %s"

# Everything that `CREATE` makes and that a restore of changes alone would not bring.
_SCHEMA = f"""
SELECT 'class', c.oid::regclass::text, c.relkind::text, concat_ws(' ',
           c.relacl, c.relrowsecurity, c.reloptions, pg_get_viewdef(CASE WHEN c.relkind IN ('v', 'm') THEN c.oid END))
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relpersistence <> 't' AND {_OURS}
UNION ALL SELECT 'column', a.attrelid::regclass::text, a.attname, concat_ws(' ', format_type(a.atttypid, a.atttypmod),
           a.attnotnull, a.attidentity, a.attgenerated, a.attnum, pg_get_expr(d.adbin, d.adrelid)) FROM pg_attribute a
  JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'c') AND c.relpersistence <> 't' AND {_OURS}
UNION ALL SELECT 'index', i.indexrelid::regclass::text, '', pg_get_indexdef(i.indexrelid) FROM pg_index i
  JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relpersistence <> 't' AND {_OURS}
UNION ALL SELECT 'constraint', k.conrelid::regclass::text, k.conname, pg_get_constraintdef(k.oid) FROM pg_constraint k
  JOIN pg_namespace n ON n.oid = k.connamespace WHERE {_OURS}
UNION ALL SELECT 'trigger', t.tgrelid::regclass::text, t.tgname, pg_get_triggerdef(t.oid) || t.tgenabled::text
  FROM pg_trigger t WHERE NOT t.tgisinternal
UNION ALL SELECT 'function', p.oid::regprocedure::text, p.prokind::text, concat_ws(' ', p.prosrc, p.proargtypes,
           p.prorettype::regtype) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {_OURS}
UNION ALL SELECT 'enum', e.enumtypid::regtype::text, e.enumlabel, e.enumsortorder::text FROM pg_enum e
UNION ALL SELECT 'extension', extname, extversion, '' FROM pg_extension
UNION ALL SELECT 'schema', nspname, '', '' FROM pg_namespace n WHERE {_OURS}
ORDER BY 1, 2, 3, 4
"""  # noqa: S608


class Place(NamedTuple):
    """How a table is called and read in statements.

    Attributes:
        kinds: how each column is read, by name.
        sequence: what the table's counter takes its numbers from, quoted; empty if there is none.
    """

    oid: int
    schema: str
    table: str
    partitioned: bool
    kinds: dict[str, str]
    sequence: str

    @property
    def quoted(self) -> str:
        """The name, for statements that write."""
        return f"{double_quoted(self.schema)}.{double_quoted(self.table)}"

    @property
    def only(self) -> str:
        """The name, for statements that read or delete: without tables that inherit from it."""
        return self.quoted if self.partitioned else f"ONLY {self.quoted}"


def read_tables(connection: Connection) -> dict[str, tuple[TableInfo, Place]]:
    """All tables and partitioned tables of the application, by name, in that order."""
    listed = [
        (int(str(oid)), str(schema), str(name), bool(part))
        for oid, schema, name, part in connection.execute(_TABLES.encode())
    ]
    names = {oid: _name(schema, table) for oid, schema, table, _part in listed}
    found = {names[place[0]]: _table(connection, place, names) for place in listed}
    return dict(sorted(found.items()))


def schema_sha256(connection: Connection) -> str:
    """Fingerprint of everything that was created: tables, constraints, indexes, views, functions, triggers, types."""
    hashed = hashlib.sha256()
    for row in connection.execute(_SCHEMA.encode()):
        hashed.update(repr(row).encode())
    return hashed.hexdigest()


def _name(schema: str, table: str) -> str:
    return table if schema == "public" and "." not in table else f"{schema}.{table}"


def _table(
    connection: Connection, listed: tuple[int, str, str, bool], names: dict[int, str]
) -> tuple[TableInfo, Place]:
    oid, schema, name, partitioned = listed
    columns: list[Column] = []
    numbers: dict[int, str] = {}
    kinds: dict[str, str] = {}
    counter = sequence = ""
    shown = connection.execute(_COLUMNS.encode(), (f"{double_quoted(schema)}.{double_quoted(name)}", oid)).fetchall()
    for _oid, number, column, kind, generated, counts, base, category in shown:
        columns.append(Column(name=str(column), type=str(kind), generated=bool(generated)))
        numbers[int(str(number))] = str(column)
        kinds[str(column)] = _kind(str(base or kind), str(category))
        if counts and not counter:
            counter, sequence = str(column), str(counts)
    primary_key, foreign_keys = _keys(connection, oid, numbers, names)
    info = TableInfo(
        name=names[oid],
        columns=tuple(columns),
        primary_key=primary_key,
        foreign_keys=foreign_keys,
        counter=counter,
        partitions=partitioned,
    )
    return info, Place(oid, schema, name, partitioned, kinds, sequence)


def _kind(kind: str, category: str) -> str:
    # Boxes are told apart by semicolons, unlike the elements of all other arrays: they stay texts.
    return "array" if category == "A" and not kind.startswith("box") else kind


def _keys(
    connection: Connection, oid: int, numbers: dict[int, str], names: dict[int, str]
) -> tuple[tuple[str, ...], tuple[ForeignKey, ...]]:
    primary_key: tuple[str, ...] = ()
    foreign: list[ForeignKey] = []
    for name, kind, ours, parent, theirs in connection.execute(_KEYS.encode(), (oid,)).fetchall():
        columns = tuple(numbers[number] for number in _integers(ours))
        if kind == "p":
            primary_key = columns
        elif int(str(parent)) in names:
            rows = connection.execute(_NAMES.encode(), (parent,)).fetchall()
            known = {int(str(number)): str(column) for number, column in rows}
            parent_columns = tuple(known[number] for number in _integers(theirs))
            parent_name = names[int(str(parent))]
            foreign.append(
                ForeignKey(name=str(name), columns=columns, parent=parent_name, parent_columns=parent_columns)
            )
    return primary_key, tuple(foreign)


def _integers(value: object) -> list[int]:
    return [int(str(number)) for number in cast("list[object]", value)] if isinstance(value, list) else []
