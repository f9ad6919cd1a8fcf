"""Plain dumps, split."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.sources.postgresql_names import TableName, Thing, comparable, copied_table
from holdfast.sources.postgresql_script import Comment, CopyData, CopyEnd, Meta, Piece, Script, Statement
from holdfast.sources.postgresql_text import TextJudge

DUMP = b"""\
--
-- PostgreSQL database dump
--

\\restrict abcDEF123

SET statement_timeout = 0;

--
-- Name: f(text); Type: FUNCTION; Schema: public; Owner: me
--

CREATE FUNCTION public.f(a text) RETURNS text
    LANGUAGE plpgsql
    AS $_$ begin return ';
\\.
-- not a comment'; end $_$;

CREATE FUNCTION public.g() RETURNS int LANGUAGE sql
    BEGIN ATOMIC
 SELECT CASE WHEN (1 = 1) THEN 'a;b' ELSE E'c\\';d' END;
 SELECT 1;
END;

CREATE RULE r AS ON INSERT TO public.t DO ALSO (SELECT 1; SELECT 2);

/* a /* nested; */ comment */ COMMENT ON TABLE public."a""b;" IS '-- Name: x; Type: TABLE; Schema: y; Owner: z
\\! touch /tmp/x
';

--
-- Data for Name: t; Type: TABLE DATA; Schema: public; Owner: me
--

COPY public.t (a, "b;") FROM stdin;
1\tone
2\t\\\\.
3\t\\N
\\.


COPY public.empty FROM stdin;
\\.


COPY public.nothing  FROM stdin;


\\.


--
-- PostgreSQL database dump complete
--

\\unrestrict abcDEF123

"""


def pieces(blocks: list[bytes]) -> list[Piece]:
    script = Script()
    found = [piece for block in blocks for piece in script.feed(block)]
    found += script.finish()
    joined: list[Piece] = []
    for piece in found:
        if isinstance(piece, CopyData) and joined and isinstance(joined[-1], CopyData):
            joined[-1] = CopyData(joined[-1].block + piece.block, joined[-1].rows + piece.rows)
        else:
            joined.append(piece)
    return joined


def cuts(content: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(places), len(content)]
    return [content[begin:end] for begin, end in itertools.pairwise(edges)]


def test_what_a_dump_consists_of() -> None:
    found = pieces([DUMP])
    statements = [piece for piece in found if isinstance(piece, Statement)]
    assert [piece.word for piece in statements] == [
        b"SET",
        *[b"CREATE"] * 3,
        b"COMMENT",
        *[b"COPY"] * 3,
    ]
    assert next(piece.text for piece in statements if piece.copies) == b'COPY public.t (a, "b;") FROM stdin;'
    data = [piece for piece in found if isinstance(piece, CopyData)]
    assert data == [CopyData(b"1\tone\n2\t\\\\.\n3\t\\N\n", 3), CopyData(b"\n\n", 2)]
    assert sum(isinstance(piece, CopyEnd) for piece in found) == 3
    assert not [piece for piece in found if isinstance(piece, Meta)]
    assert Comment(b"-- PostgreSQL database dump complete") in found


@given(places=st.lists(st.integers(0, len(DUMP)), max_size=40))
def test_pieces_do_not_depend_on_blocks(places: list[int]) -> None:
    assert pieces(cuts(DUMP, places)) == pieces([DUMP])


def test_byte_by_byte() -> None:
    assert pieces([DUMP[at : at + 1] for at in range(len(DUMP))]) == pieces([DUMP])


@pytest.mark.parametrize(
    "text",
    [
        b"\\! id\n",
        b"SELECT 1 \\! id\n;",
        b"SELECT 1\\g |id\n",
        b"\\restrict a b\n",
        b"\\restrict\n",
        b"\\unrestrict a; \\! id\n",
        b"\\connect - - evil\n",
        b"/* x */ \\! id\n",
        b"-- x\n\\! id\n",
        b"SELECT '\\'; \\! id\n;",
        b"SELECT $a$ $b$ $a$ \\! id\n;",
        b'SELECT "a" \\! id\n;',
    ],
)
def test_commands_for_psql_are_seen(text: bytes) -> None:
    script = Script()
    assert any(isinstance(piece, Meta) for piece in script.feed(text + b" "))


@pytest.mark.parametrize(
    "text",
    [
        b"SELECT '\\! id';",
        b"SELECT E'\\\\! \\' \\! id';",
        b"SELECT $$\n\\! id\n$$;",
        b"SELECT $_1$ $$ \\! $_1$;",
        b'SELECT "\\!";',
        b"-- \\! id\nSELECT 1;",
        b"/* \\! /* id */ \\! */ SELECT 1;",
        b"COPY t FROM stdin;\n\\! id\n\\.\n",
        b"\\restrict a1\nSELECT 1;\n\\unrestrict a1\n",
    ],
)
def test_what_looks_like_a_command_and_is_none(text: bytes) -> None:
    script = Script()
    assert not any(isinstance(piece, Meta) for piece in [*script.feed(text), *script.finish()])


@pytest.mark.parametrize("text", [b"SELECT 1", b"SELECT '1;", b"SELECT $a$;", b"/* x", b"COPY t FROM stdin;\n1\n"])
def test_what_ends_in_the_middle(text: bytes) -> None:
    script = Script()
    list(script.feed(text))
    with pytest.raises(ValueError, match="it ends"):
        list(script.finish())


def test_rows_that_do_not_begin_on_a_line() -> None:
    with pytest.raises(ValueError, match="line of their own"):
        list(Script().feed(b"COPY t FROM stdin; 1\n\\.\n"))


def test_the_judge_finds_everything() -> None:
    judge = TextJudge()
    judge.feed(DUMP)
    judge.finish()
    assert judge.rows == {
        TableName("public", "t"): 3,
        TableName("public", "empty"): 0,
        TableName("public", "nothing"): 2,
    }
    assert {comparable(thing) for thing in judge.things} == {
        Thing("FUNCTION", "public", "f"),
        Thing("TABLE DATA", "public", "t"),
    }


def test_no_cut_is_whole() -> None:
    for length in range(len(DUMP)):
        judge = TextJudge()
        with pytest.raises(ValueError, match=r".+"):
            finished(judge, DUMP[:length])


def test_random_damage_is_never_a_crash(rng: random.Random) -> None:
    for _ in range(300):
        damaged = bytearray(DUMP)
        for _ in range(rng.randrange(1, 4)):
            damaged[rng.randrange(len(damaged))] = rng.choice(b"'\"\\;$-/*\n(a\x00\xff")
        try:
            finished(TextJudge(), bytes(damaged))
        except ValueError:
            continue


def finished(judge: TextJudge, content: bytes) -> None:
    judge.feed(content)
    judge.finish()


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        (b"COPY public.t (a) FROM stdin;", TableName("public", "t")),
        (b'COPY "a.b"."c ""d"" (" (a) FROM stdin;', TableName("a.b", 'c "d" (')),
        (b"COPY side.t FROM stdin;", TableName("side", "t")),
        ("COPY public.ünï (a) FROM stdin;".encode(), TableName("public", "ünï")),
        (b"COPY (SELECT 1) TO stdout;", None),
    ],
)
def test_names_of_copied_tables(statement: bytes, table: TableName | None) -> None:
    assert copied_table(statement) == table
