"""Dumps of MariaDB and MySQL, split as their servers would."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.sources.mysql_dialect import Dialect, dialect_of
from holdfast.sources.mysql_script import Comment, Meta, Piece, Script, Statement
from holdfast.sources.mysql_statements import Kind, Thing, columns_of, kind_of, sequences_of, without_schema
from holdfast.sources.mysql_text import TextJudge

MARIADB = Dialect(mariadb=True, version=101119)
MYSQL = Dialect(mariadb=False, version=80036)

DUMP = b"""\
/*M!999999\\- enable the sandbox mode */ \n\
-- MariaDB dump 10.19  Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)
--
-- Host: 127.0.0.1    Database: x
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;

--
-- Table structure for table `t`
--

DROP TABLE IF EXISTS `t`;
CREATE TABLE `t` (
  `a` int(11) DEFAULT 1 COMMENT '; -- /* \\' */',
  `b;` text /* no comment */
) ENGINE=InnoDB;
LOCK TABLES `t` WRITE;
INSERT INTO `t` VALUES
(1,'a\\'b;\\\\'),
(2,'),('),
(3,NULL);
INSERT INTO `t` VALUES (4,'x),(\\''),(5,'it''s');
UNLOCK TABLES;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`me`@`%`*/ /*!50003 TRIGGER tr BEFORE INSERT ON t FOR EACH ROW begin
  -- ;; not the end
  # ;; nor this
  set @x = ';;'; /* ;; */
end */;;
DELIMITER ;
/*!50001 CREATE VIEW `v` AS SELECT
 1 AS `a` */;
/*!50001 CREATE ALGORITHM=UNDEFINED */
/*!50013 DEFINER=`me`@`%` SQL SECURITY DEFINER */
/*!50001 VIEW `v` AS select `t`.`a` AS `a` from `t` */;

-- Dump completed on 2026-11-21 10:08:30
"""


def pieces(blocks: list[bytes], dialect: Dialect = MARIADB) -> list[Piece]:
    script = Script(dialect)
    return [*(piece for block in blocks for piece in script.feed(block)), *script.finish()]


def finished(judge: TextJudge, content: bytes) -> TextJudge:
    judge.feed(content)
    judge.finish()
    return judge


def new_judge(dialect: Dialect = MARIADB) -> TextJudge:
    return TextJudge(dialect, lambda: None)


def test_what_a_dump_consists_of() -> None:
    found = pieces([DUMP])
    kinds = [kind_of(piece.text, MARIADB) for piece in found if isinstance(piece, Statement) and not piece.table]
    assert [thing.kind for thing in kinds] == [
        Kind.SESSION,
        Kind.SESSION,
        Kind.TABLE,
        Kind.SKIPPED,
        Kind.SKIPPED,
        Kind.TRIGGER,
        Kind.SKIPPED,
        Kind.VIEW,
    ]
    assert [(piece.table, piece.rows) for piece in found if isinstance(piece, Statement) and piece.table] == [
        ("t", 3),
        ("t", 2),
    ]
    assert not [piece for piece in found if isinstance(piece, Meta)]
    assert Comment(b"-- Dump completed on 2026-11-21 10:08:30") in found


@given(places=st.lists(st.integers(0, len(DUMP)), max_size=40))
def test_pieces_do_not_depend_on_blocks(places: list[int]) -> None:
    edges = [0, *sorted(places), len(DUMP)]
    assert pieces([DUMP[a:b] for a, b in itertools.pairwise(edges)]) == pieces([DUMP])


def test_byte_by_byte() -> None:
    assert pieces([DUMP[at : at + 1] for at in range(len(DUMP))]) == pieces([DUMP])


@given(
    st.lists(st.lists(st.one_of(st.none(), st.integers(), st.binary(max_size=30)), min_size=1), min_size=1),
    st.booleans(),
)
def test_rows_are_counted_whatever_is_in_them(rows: list[list[bytes | int | None]], lines: bool) -> None:
    def literal(value: bytes | int | None) -> bytes:
        if value is None or isinstance(value, int):
            return b"NULL" if value is None else str(value).encode()
        for special in (b"\\", b"'", b'"'):
            value = value.replace(special, b"\\" + special)
        return b"'" + value.replace(b"\n", b"\\n").replace(b"\0", b"\\0") + b"'"

    texts = [b"(" + b",".join(literal(value) for value in row) + b")" for row in rows]
    first, between = (b"\n", b",\n") if lines else (b" ", b",")
    insert = b"INSERT INTO `a``b` VALUES" + first + between.join(texts) + b";\n"
    assert pieces([insert]) == [Statement(insert[:-2], "a`b", len(rows))]
    # With a list of columns, as for tables with generated columns.
    named = insert.replace(b"VALUES", b"(`x`,`y (z)`) VALUES", 1)
    found = pieces([named.replace(b"y (z)", b"y")])
    assert [(piece.table, piece.rows) for piece in found if isinstance(piece, Statement)] == [("a`b", len(rows))]


def test_no_cut_is_whole() -> None:
    finished(new_judge(), DUMP)
    for length in range(len(DUMP)):
        with pytest.raises(ValueError, match=r".+"):
            finished(new_judge(), DUMP[:length])


def test_the_judge_finds_everything() -> None:
    began: list[int] = []
    judge = TextJudge(MARIADB, lambda: began.append(1))
    finished(judge, DUMP)
    assert began == [1]
    assert judge.rows == {"t": 5}
    assert judge.triggers == 1
    assert judge.things == {Thing(Kind.TABLE, "t"), Thing(Kind.VIEW, "v")}


def test_random_damage_is_never_a_crash(rng: random.Random) -> None:
    for _ in range(300):
        damaged = bytearray(DUMP)
        for _ in range(rng.randrange(1, 4)):
            damaged[rng.randrange(len(damaged))] = rng.choice(b"'\"\\;`-/*#\n(a\x00\xff")
        try:
            finished(new_judge(), bytes(damaged))
        except ValueError:
            continue


@pytest.mark.parametrize(
    "text", [b"\\! id\n", b"SELECT 1 \\! id\n;", b"SELECT 1\\G", b"SELECT '\\\\' \\! id;", b"/*!1 \\! */;"]
)
def test_commands_for_the_client_are_seen(text: bytes) -> None:
    script = Script(MARIADB)
    assert any(isinstance(piece, Meta) for piece in script.feed(text + b"          "))


def test_backslashes_that_escape_nothing() -> None:
    text = (
        b"SET sql_mode = 'NO_BACKSLASH_ESCAPES';\nSELECT '\\', ';';\nSET sql_mode = @saved_sql_mode;\nSELECT '\\';';\n"
    )
    assert [piece.text for piece in pieces([text])] == [
        b"SET sql_mode = 'NO_BACKSLASH_ESCAPES'",
        b"SELECT '\\', ';'",
        b"SET sql_mode = @saved_sql_mode",
        b"SELECT '\\';'",
    ]


@pytest.mark.parametrize(
    ("opener", "mariadb", "mysql"),
    [
        (b"/*!", True, True),
        (b"/*!40101", True, True),
        (b"/*!50700", False, True),
        (b"/*!80016", False, True),
        (b"/*!99999", False, False),
        (b"/*!101100", True, False),
        (b"/*!110000", False, False),
        (b"/*M!100616", True, False),
        (b"/*M!999999", False, False),
    ],
)
def test_comments_that_are_executed(opener: bytes, mariadb: bool, mysql: bool) -> None:
    assert MARIADB.executes(opener) is mariadb
    assert MYSQL.executes(opener) is mysql
    text = opener + b" ; DROP DATABASE mysql; */ SELECT 1;"
    assert len(pieces([text], MARIADB)) == (3 if mariadb else 1)


def test_dialects() -> None:
    assert dialect_of("10.11.19-MariaDB-0+deb12u1") == MARIADB
    assert dialect_of("5.5.5-10.11.19-MariaDB") == MARIADB
    assert dialect_of("8.0.36") == MYSQL
    assert dialect_of("nonsense") == Dialect(mariadb=False, version=0)


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        (b"CREATE TABLE `a` (n INT)", Kind.TABLE),
        (b"create  table if not exists `a``b` (n INT)", Kind.TABLE),
        (b"CREATE TABLE `a`.`b` (n INT)", Kind.STRANGE),
        (b"CREATE TABLE a (n INT)", Kind.STRANGE),
        (b"CREATE/**/TABLE `a` (n INT)", Kind.TABLE),
        (b"/*!99999 CREATE TABLE `a` (n INT) */ DROP DATABASE x", Kind.STRANGE),
        (b"/*!50001 DROP VIEW IF EXISTS `v`*/", Kind.SESSION),
        (b"DROP VIEW IF EXISTS `mysql`.`user`", Kind.STRANGE),
        (b"DROP TABLE `t`", Kind.STRANGE),
        (b"DROP TABLE IF EXISTS `t`, `u`", Kind.STRANGE),
        (b"ALTER TABLE `t` DISABLE KEYS", Kind.SESSION),
        (b"/*!40000 ALTER TABLE `t` ENABLE KEYS */", Kind.SESSION),
        (b"ALTER TABLE `t` DROP COLUMN a", Kind.STRANGE),
        (b"SET NAMES utf8mb4", Kind.SESSION),
        (b"SET @@SESSION.sql_mode = ''", Kind.SESSION),
        (b"SET GLOBAL x = 1", Kind.STRANGE),
        (b"SET @a = 1, @@GLOBAL.x = 1", Kind.STRANGE),
        (b"SET @a = 1, global x = 1", Kind.STRANGE),
        (b"SET PASSWORD = ''", Kind.STRANGE),
        (b"SET ROLE admin", Kind.STRANGE),
        (b"DO SETVAL(`s`, 5, 0)", Kind.SESSION),
        (b"DO SLEEP(100)", Kind.STRANGE),
        (b"ALTER DATABASE `x` CHARACTER SET latin1 COLLATE latin1_swedish_ci", Kind.SKIPPED),
        (b"commit", Kind.SKIPPED),
        (b"/*!80000 SET SESSION information_schema_stats_expiry=0 */", Kind.SKIPPED),
        (b"CREATE DEFINER=`a`@`b` FUNCTION `f`() RETURNS INT RETURN 1", Kind.FUNCTION),
        (b"CREATE DEFINER=CURRENT_USER() PROCEDURE `p`() BEGIN END", Kind.PROCEDURE),
        (b"CREATE DEFINER=`a``'`@`%` PACKAGE BODY `p` AS END", Kind.PACKAGE_BODY),
        (
            b"/*!50106 CREATE*/ /*!50117 DEFINER=`a`@`b`*/ /*!50106 EVENT `e` ON SCHEDULE EVERY 1 DAY DO SET @x=1 */",
            Kind.EVENT,
        ),
        (b"GRANT ALL ON *.* TO x", Kind.STRANGE),
        (b"USE mysql", Kind.STRANGE),
        (b"SELECT 1", Kind.STRANGE),
        (b"REPLACE INTO `t` VALUES (1)", Kind.STRANGE),
        (b"LOAD DATA INFILE 'x' INTO TABLE `t`", Kind.STRANGE),
    ],
)
def test_what_statements_are(statement: bytes, kind: Kind) -> None:
    assert kind_of(statement, MARIADB).kind is kind


@pytest.mark.parametrize(
    ("trigger", "bare"),
    [
        (b"CREATE TRIGGER a BEFORE INSERT ON b FOR EACH ROW x", b"CREATE TRIGGER a BEFORE INSERT ON b FOR EACH ROW x"),
        (
            b"create trigger s.a before insert on s.b for each row x",
            b"create trigger a before insert on b for each row x",
        ),
        (b"TRIGGER `s`.`a.c` AFTER UPDATE ON `s` . `b` FOR", b"TRIGGER `a.c` AFTER UPDATE ON `b` FOR"),
    ],
)
def test_triggers_without_schema(trigger: bytes, bare: bytes) -> None:
    assert without_schema(trigger) == bare


def test_sequences_and_columns_move_along() -> None:
    table = b"CREATE TABLE `t` (`a` int DEFAULT nextval(`old`.`s``1`), `b` text DEFAULT 'nextval(`old`.`x`)')"
    moved, names = sequences_of(table, "old", "ne`w")
    assert moved == table.replace(b"nextval(`old`.`s", b"nextval(`ne``w`.`s", 1)
    assert names == {"s`1"}
    assert sequences_of(table, "other", "new") == (table, set())
    view = b"VIEW `v` AS select `old`.`t`.`a` AS `a`,`old`.`b`,'`old`.`t`.`a`' from `old`"
    assert columns_of(view, "old", "new") == view.replace(b"select `old`", b"select `new`", 1)
