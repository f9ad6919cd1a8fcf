"""Every type of every database comes back as it was."""

# ruff: noqa: E501

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from unit.sources.rows.kit import Database, apply, dumped

TEXTS = (
    "",
    "سلام دنیا",
    "İstanbul'da ağaç",
    "🦉 \U0001f468‍👩‍👧",
    'quote " back \\ line\nfeed\r\ttab',
    '{"$binary": "eA=="}',
    "]",
    "NULL",
)

SQLITE = """
CREATE TABLE kinds (id INTEGER PRIMARY KEY, v);
CREATE TABLE typed (id INTEGER PRIMARY KEY AUTOINCREMENT, n INTEGER, t TEXT, b BLOB, r REAL, d NUMERIC,
                    g AS (n * 2) STORED, h AS (t || '!'));
CREATE TABLE keyless (a, b);
CREATE TABLE keys ("a b" TEXT, n INT, v TEXT, PRIMARY KEY ("a b", n)) WITHOUT ROWID;
INSERT INTO kinds (v) VALUES (1), (1.0), (-0.0), ('1'), (x'31'), (NULL), (9223372036854775807), (-9223372036854775808),
    (9e999), (-9e999), (0.1), (5e-324), (1.7976931348623157e308), (CAST(x'ff00fe' AS TEXT)), (CAST(x'610062' AS TEXT)),
    (CAST(x'eda080' AS TEXT)), (x''), (x'00'), (''), (123456789012345678), (zeroblob(100000));
INSERT INTO typed (n, t, b, r, d) VALUES ('text in an integer', 5, 'text in a blob', 'text in a real', '1.10'),
    (7, x'00ff', 1.5, 2, 3), (NULL, NULL, NULL, NULL, NULL);
INSERT INTO keyless VALUES (1, 2), (1, 2), (NULL, NULL);
INSERT INTO keys VALUES ('x', 1, 'a'), ('x', 2, 'b'), ('', 1, NULL)
"""
POSTGRESQL = '''
CREATE TYPE mood AS ENUM ('sad', 'it''s, "ok"');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE kinds (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, i2 smallint, i8 bigint, n numeric, m numeric(20, 4), f4 real,
  f8 double precision, b boolean, by bytea, c char(5), vc varchar(20), d date, t time(3), tz timetz, ts timestamp,
  tstz timestamptz, iv interval, j json, jb jsonb, u uuid, mood mood, bits bit(5), vb varbit, ip inet, mac macaddr,
  ia int[], ta text[], nested int[][], ma mood[], bx box[], r int4range, p point, pr pair, pos positive, x xml,
  money money, tsv tsvector, oid oid, rel regclass, g int GENERATED ALWAYS AS (i2 * 2) STORED);
INSERT INTO kinds (i2, i8, n, m, f4, f8, b, by, c, vc, d, t, tz, ts, tstz, iv, j, jb, u, mood, bits, vb, ip, mac, ia, ta,
  nested, ma, bx, r, p, pr, pos, x, money, tsv, oid, rel) VALUES
 (32767, 9007199254740993, 12345678901234567890.12345678901234567890, 1.1000, 0.1, 0.1, true, '\\x00ff27', 'ab', 'ok',
  '2024-02-29', '23:59:59.999', '12:00:00+03:30', '2024-01-01 00:00:00.123456', '2024-06-01 12:00:00+03:30',
  '1 year 2 mons -3 days 04:05:06.789', '{"a":  1.10, "a": 2}', '{"x": [1, {"y": null}], "$binary": "q"}',
  'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'it''s, "ok"', '01010', '1', '10.0.0.1/8', '08:00:2b:01:02:03',
  '{1,NULL,3}', ARRAY['', 'NULL', NULL, 'a,b', 'q"\\', ' ', '{', 'علی'], '{{1,2},{3,4}}', ARRAY['sad']::mood[],
  ARRAY['(1,1),(0,0)']::box[], '[1,5)', '(1.5,2)', ROW(1, 'x,y'), 5, '<a>b</a>', '12.34', 'a:1 b:2', 42, 'pg_class'),
 (-1, -9223372036854775808, 'NaN', -1, 'NaN', '-Infinity', false, '', '', '', '0044-03-15 BC', '00:00', '24:00:00-12',
  '-infinity', 'infinity', '-1 day', '"s"', '1e400', NULL, 'sad', NULL, '', '::1', NULL, '{}', '[0:1]={a,b}', '{}', NULL,
  NULL, 'empty', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
 (NULL, NULL, 'Infinity', NULL, '-Infinity', 'NaN', NULL, NULL, NULL, NULL, '294276-12-31', NULL, NULL, NULL, NULL, NULL,
  E'{\\n"a": 1}', 'null', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '(,)', NULL, NULL, NULL, NULL,
  NULL, NULL, NULL, NULL),
 (0, 1, 0, 0, 3.4028235e38, 5e-324, true, '\\x', 'x  ', 'x  ', 'infinity', NULL, NULL, NULL, NULL, NULL, ' 1 ', '{}',
  NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE SCHEMA "other ""one""";
CREATE TABLE "other ""one"""."we;ird -- name" ("co%l ""x""" text PRIMARY KEY, "new
line" int);
INSERT INTO "other ""one"""."we;ird -- name" VALUES ('a', 1);
CREATE TABLE keyless (a int, b text);
INSERT INTO keyless VALUES (1, 'x'), (1, 'x'), (NULL, NULL);
CREATE TABLE parts (k int, at date, PRIMARY KEY (k, at)) PARTITION BY RANGE (at);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE parts_2 PARTITION OF parts DEFAULT;
INSERT INTO parts VALUES (1, '2024-05-05'), (2, '1999-01-01');
CREATE TABLE nothing ();
INSERT INTO nothing DEFAULT VALUES
'''
MYSQL = """
CREATE TABLE kinds (
  id bigint unsigned AUTO_INCREMENT PRIMARY KEY, ti tinyint, b boolean, i8 bigint, u8 bigint unsigned, n decimal(40, 20),
  f float, d double, bits bit(10), c char(5), vc varchar(50), lc varchar(50) CHARACTER SET latin1, bi binary(4),
  vb varbinary(20), bl longblob, da date, dt datetime(6), ts timestamp(3) NULL, t time(2), y year, j json,
  e enum('x', 'y''z'), s set('p', 'q'), g geometry, u uuid, ip inet6, tx mediumtext,
  vi int AS (ti * 2) VIRTUAL, st int AS (ti * 3) STORED) DEFAULT CHARSET utf8mb4;
SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO';
INSERT INTO kinds (id, ti, b, i8, u8, n, f, d, bits, c, vc, lc, bi, vb, bl, da, dt, ts, t, y, j, e, s, g, u, ip, tx) VALUES
 (0, -128, true, -9223372036854775808, 18446744073709551615, 12345678901234567890.12345678901234567890, 0.1, 0.1,
  b'1010101010', 'ab', 'سلام 🦉', 'é', x'00ff', x'27005c0a', x'00ff275c1a0d0a22', '2024-02-29',
  '2024-01-01 00:00:00.123456', '2024-06-01 12:00:00.5', '838:59:59', 2024, '{"a": 1.10, "b": [1,2]}', 'y''z', 'p,q',
  ST_GeomFromText('POINT(1 2)', 4326), 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '::1', 'line\\nfeed \\\\ '' \\0 "'),
 (5, 127, false, 9007199254740993, 0, -1, 16777217, 1.7976931348623157e308, b'0', '', '', '', '', '', '', '0000-00-00',
  '0000-00-00 00:00:00', NULL, '-838:59:59', 0, '"x"', 'x', '', ST_GeomFromText('LINESTRING(0 0, 1 1)'), NULL, NULL, ''),
 (6, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2024-00-00', NULL, NULL, NULL,
  NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE `we;ird -- ``name%s` (`co%l "x"` varchar(20) PRIMARY KEY, `new
line` int);
INSERT INTO `we;ird -- ``name%s` VALUES ('a', 1);
CREATE TABLE keyless (a int, b text);
INSERT INTO keyless VALUES (1, 'x'), (1, 'x'), (NULL, NULL);
CREATE TABLE keys_of_all_kinds (a decimal(30, 10), b binary(3), c date, d bit(3), e float, PRIMARY KEY (a, b, c, d, e));
INSERT INTO keys_of_all_kinds VALUES (12345678901234567890.0000000001, x'00ff27', '2024-01-01', b'101', 0.1),
  (12345678901234567890.0000000002, x'00ff27', '2024-01-01', b'101', 0.1)
"""
SCRIPTS = {"sqlite": SQLITE, "postgresql": POSTGRESQL, "mysql": MYSQL}


def fill(database: Database) -> None:
    database.run(*SCRIPTS[database.kind].split(";\n"))


def create_only(database: Database) -> None:
    """The same tables without rows."""
    statements = [part for part in SCRIPTS[database.kind].split(";\n") if "INSERT INTO" not in part]
    database.run(*statements)


def names(database: Database) -> list[str]:
    with database.row_store() as store:
        return [table.name for table in store.tables()]


def test_all_types_survive_a_round_trip(new_database: Callable[[], Database], tmp_path: Path) -> None:
    source, copy = new_database(), new_database()
    fill(source)
    create_only(copy)
    content = dumped(source, tmp_path)
    counts = apply(copy, content, tmp_path)
    assert counts == content.component.rows
    assert sum(counts.values()) > 5
    for table in names(source):
        if "." not in table and "`" not in table:
            assert copy.rows_of(table) == source.rows_of(table), table
    again = dumped(copy, tmp_path)
    assert again.files == content.files


def test_documents_are_json_that_any_tool_reads(new_database: Callable[[], Database], tmp_path: Path) -> None:
    source = new_database()
    fill(source)
    for _name, content in dumped(source, tmp_path).files:
        document = json.loads(content)
        assert document["count"] == len(document["rows"])
        assert document["database"] == source.kind
        for row in document["rows"]:
            assert list(row) == [column["name"] for column in document["columns"]]


def test_texts_of_all_languages_survive(new_database: Callable[[], Database], tmp_path: Path) -> None:
    source, copy = new_database(), new_database()
    charset = " CHARACTER SET utf8mb4" if source.kind == "mysql" else ""
    for database in (source, copy):
        database.run(f"CREATE TABLE texts (id integer PRIMARY KEY, t text{charset})")
    for number, text in enumerate(TEXTS):
        quoted = text.replace("'", "''")
        quoted = quoted.replace("\\", "\\\\") if source.kind == "mysql" else quoted
        source.run(f"INSERT INTO texts VALUES ({number}, '{quoted}')")
    apply(copy, dumped(source, tmp_path), tmp_path)
    assert [row[1] for row in copy.run("SELECT id, t FROM texts ORDER BY id")] == list(TEXTS)


def test_the_next_insert_works(new_database: Callable[[], Database], tmp_path: Path) -> None:
    source, copy = new_database(), new_database()
    key = {
        "sqlite": "INTEGER PRIMARY KEY AUTOINCREMENT",
        "postgresql": "serial PRIMARY KEY",
        "mysql": "int AUTO_INCREMENT PRIMARY KEY",
    }[source.kind]
    for database in (source, copy):
        database.run(f"CREATE TABLE counted (id {key}, v int)")
    source.run("INSERT INTO counted (v) VALUES (1), (2), (3)", "DELETE FROM counted WHERE id > 1")
    apply(copy, dumped(source, tmp_path), tmp_path)
    copy.run("INSERT INTO counted (v) VALUES (9)")
    assert copy.run("SELECT id FROM counted WHERE v = 9") == [(4,)]
