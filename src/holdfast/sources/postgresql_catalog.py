"""What a PostgreSQL database holds, asked in one snapshot: tables with rows, and every object a dump must name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from holdfast.sources.postgresql_names import TableName, Thing

if TYPE_CHECKING:
    from holdfast.sources.postgresql_server import Connection

_OURS = """n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    AND (cardinality(%(schemas)s::text[]) = 0 OR n.nspname = ANY (%(schemas)s::text[]))"""
_NO_MEMBER = """NOT EXISTS (SELECT FROM pg_catalog.pg_depend x
    WHERE x.classid = '{0}'::pg_catalog.regclass AND x.objid = {1}.oid AND x.deptype = 'e')"""
_NO_RELATION_MEMBER = _NO_MEMBER.format("pg_catalog.pg_class", "c")

_TABLES = f"""
SELECT n.nspname, c.relname, coalesce(rn.nspname, n.nspname), coalesce(r.relname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_class r ON c.relispartition AND r.oid = pg_catalog.pg_partition_root(c.oid)
LEFT JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND {_OURS} AND {_NO_RELATION_MEMBER}
ORDER BY 1, 2
"""  # noqa: S608 - constants only

_THINGS = f"""
SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
    n.nspname, c.relname
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') AND c.relpersistence <> 't' AND {_OURS} AND {_NO_RELATION_MEMBER}
UNION ALL
SELECT 'INDEX', n.nspname, i.relname
FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_class c ON c.oid = x.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE x.indisvalid AND x.indisready AND c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't' AND {_OURS}
    AND {_NO_RELATION_MEMBER} AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k
        WHERE k.conindid = i.oid AND k.conrelid = c.oid AND k.contype IN ('p', 'u', 'x'))
UNION ALL
SELECT CASE k.contype WHEN 'f' THEN 'FK CONSTRAINT' ELSE 'CONSTRAINT' END, n.nspname, c.relname || ' ' || k.conname
FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype IN ('p', 'u', 'x', 'f') AND (k.contype <> 'f' OR k.conparentid = 0) AND c.relpersistence <> 't'
    AND c.relkind IN ('r', 'p') AND {_OURS} AND {_NO_RELATION_MEMBER}
UNION ALL
SELECT 'TRIGGER', n.nspname, c.relname || ' ' || t.tgname
FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT t.tgisinternal AND coalesce((pg_catalog.to_jsonb(t) ->> 'tgparentid')::oid, 0) = 0
    AND c.relpersistence <> 't' AND {_OURS} AND {_NO_RELATION_MEMBER}
UNION ALL
SELECT CASE p.prokind WHEN 'p' THEN 'PROCEDURE' WHEN 'a' THEN 'AGGREGATE' ELSE 'FUNCTION' END, n.nspname, p.proname
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE {_OURS} AND {_NO_MEMBER.format("pg_catalog.pg_proc", "p")}
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend i WHERE i.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
        AND i.objid = p.oid AND i.deptype = 'i')
UNION ALL
SELECT CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, n.nspname, t.typname
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
WHERE (t.typtype IN ('e', 'd', 'r') OR (t.typtype = 'c' AND c.relkind = 'c')) AND {_OURS}
    AND {_NO_MEMBER.format("pg_catalog.pg_type", "t")}
"""  # noqa: S608 - constants only

_ABOUT = """
SELECT pg_catalog.current_setting('server_version'), pg_catalog.pg_encoding_to_char(encoding), datcollate, datctype,
    (SELECT count(*) FROM pg_catalog.pg_largeobject_metadata)
FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()
"""


class Catalog(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a database.

    Attributes:
        tables: that hold rows themselves, each with the table whose rows they are for people: itself, or the
            partitioned table it is a part of.
        things: objects that a whole dump names.
        large_objects: how many there are; they belong to no schema.
    """

    tables: dict[TableName, TableName]
    things: frozenset[Thing]
    large_objects: int
    server_version: str
    encoding: str
    collate: str
    ctype: str

    def rows(self, counts: dict[TableName, int]) -> dict[str, int]:
        """Rows by table, as people name it, partitions added up."""
        rows: dict[str, int] = {}
        for table, root in self.tables.items():
            rows[root.shown] = rows.get(root.shown, 0) + counts.get(table, 0)
        return dict(sorted(rows.items()))


def read_catalog(connection: Connection, schemas: Sequence[str] = ()) -> Catalog:
    """Asks a connection, within its transaction if it is in one. Raises `psycopg.Error`."""
    parameters = {"schemas": list(schemas)}
    tables = {
        TableName(str(schema), str(name)): TableName(str(root_schema), str(root))
        for schema, name, root_schema, root in connection.execute(_TABLES.encode(), parameters)
    }
    things = frozenset(Thing(str(a), str(b), str(c)) for a, b, c in connection.execute(_THINGS.encode(), parameters))
    row = connection.execute(_ABOUT.encode()).fetchone()
    assert row is not None
    return Catalog(
        tables=tables,
        things=things,
        large_objects=0 if schemas else int(str(row[4])),
        server_version=str(row[0]),
        encoding=str(row[1]),
        collate=str(row[2]),
        ctype=str(row[3]),
    )


def count_rows(connection: Connection, table: TableName) -> int:
    """Counts the rows of a table itself, without those of tables that inherit from it. Raises `psycopg.Error`."""
    from psycopg import sql

    query = sql.SQL("SELECT count(*) FROM ONLY {}").format(sql.Identifier(table.schema, table.name))
    row = connection.execute(query).fetchone()
    return 0 if row is None else int(str(row[0]))
