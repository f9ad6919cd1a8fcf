"""Dump programs that lie: put into a folder in place of the real ones, they exit with 0 and have dumped nothing.

Each case is a name, what the program does, and the code of the error that a backup must end with. The same table serves
the tests of the sources and those of whole backups.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import NamedTuple

from holdfast.testing.databases import POSTGRESQL_BIN, DatabaseServer, run_sql


class Lie(NamedTuple):
    """One way of lying.

    Attributes:
        name: for people.
        does: Python statements for the program; see `_PROGRAM` for what they can call. At their end it exits with 0.
        error: code of the error that must come.
        version: what it prints for `--version`; empty for what the real program prints.
        mode: permissions of the program; None leaves it out altogether.
        shebang: whether the system can tell what runs it.
    """

    name: str
    does: str
    error: str = "dump-incomplete"
    version: str = ""
    mode: int | None = 0o755
    shebang: bool = True


class Kind(NamedTuple):
    """A kind of dump.

    Attributes:
        tool: name of the program.
        source: kind of the source.
        form: value of the form that is asked for.
        end: with what its end mark begins.
    """

    name: str
    tool: str
    source: str
    form: str
    end: bytes = b""


CUSTOM = Kind("postgresql custom", "pg_dump", "postgresql", "native")
PLAIN = Kind("postgresql sql", "pg_dump", "postgresql", "sql", b"--\n-- PostgreSQL database dump complete")
MARIADB = Kind("mariadb", "mariadb-dump", "mysql", "sql", b"-- Dump completed")
KINDS = (CUSTOM, PLAIN, MARIADB)

HANG_S = 1.0
"""How long a source may be silent in these tests: hanging programs cost that much."""

_POSTGRESQL = (
    "CREATE TYPE mood AS ENUM ('glad', 'sad')",
    "CREATE TABLE people (id int PRIMARY KEY, name text, mood mood)",
    "INSERT INTO people SELECT i, 'person ' || i, 'glad' FROM generate_series(1, 3000) i",
    "CREATE TABLE orders (id int PRIMARY KEY, person int REFERENCES people (id), note text)",
    "INSERT INTO orders SELECT i, i, repeat('x', 100) FROM generate_series(1, 3000) i",
    "CREATE INDEX orders_note ON orders (note)",
    "CREATE TABLE empty (id int)",
    "CREATE VIEW notes AS SELECT note FROM orders",
    "CREATE SEQUENCE counter",
    "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "CREATE TRIGGER touched BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch()",
    "SELECT lo_from_bytea(0, 'large')",
)
_MYSQL = (
    "CREATE TABLE people (id INT PRIMARY KEY, name TEXT)",
    "INSERT INTO people SELECT seq, CONCAT('person ', seq) FROM seq_1_to_3000",
    "CREATE TABLE orders (id INT PRIMARY KEY, person INT, note TEXT, FOREIGN KEY (person) REFERENCES people (id))",
    "INSERT INTO orders SELECT seq, seq, REPEAT('x', 100) FROM seq_1_to_3000",
    "CREATE TABLE empty (id INT)",
    "CREATE VIEW notes AS SELECT note FROM orders",
    "CREATE SEQUENCE counter",
    "CREATE FUNCTION doubled(a INT) RETURNS INT DETERMINISTIC RETURN a * 2",
    "CREATE PROCEDURE nothing() BEGIN END",
    "CREATE TRIGGER touched BEFORE UPDATE ON orders FOR EACH ROW SET NEW.note = OLD.note",
    "CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM empty",
)

_PROGRAM = """\
import functools, os, signal, subprocess, sys, time
arguments = sys.argv[1:]
if arguments == ["--version"]:
    if {version!r}:
        print({version!r})
        sys.exit()
    os.execv({real!r}, [{real!r}, "--version"])

def real(*more):  # what the real program prints, with more options
    command = [{real!r}, *arguments[:1], *more, *arguments[1:]]
    return subprocess.run(command, stdout=subprocess.PIPE, close_fds=False, check=True).stdout

@functools.cache
def all_():
    return real()

def say(output):
    sys.stdout.buffer.write(output)
    sys.stdout.buffer.flush()

def half():
    return all_()[: len(all_()) // 2]

def until(text):  # all before a text
    return all_()[: all_().index(text)]

def after(text):  # all from a text on
    return all_()[all_().index(text) :]

def lines(output):  # without the part of a line at the end
    return output.rpartition(b"\\n")[0] + b"\\n"

def end():
    return after({end!r})

def swap(old, new):
    assert old in all_()
    return all_().replace(old, new, 1)

def twice(first, last):  # what lies between two texts comes twice
    at = all_().index(first)
    to = all_().index(last, at) + len(last)
    return all_()[:to] + all_()[at:to] + all_()[to:]

def instead(old, new):  # another argument
    arguments[arguments.index(old)] = new

{does}
"""

_STALLED, _FAILED, _VERSION = "dump-stalled", "dump-failed", "tool-version"
ANY = (
    Lie("nothing", "pass"),
    Lie("a success message and nothing else", "print('Dump completed successfully.')"),
    Lie("a success message as a complaint", "print('done', file=sys.stderr)"),
    Lie("garbage", "say(os.urandom(100_000))"),
    Lie("zeros", "say(bytes(100_000))"),
    Lie("a page of HTML", "say(b'<html><body>502 Bad Gateway</body></html>')"),
    Lie("the header only", "say(all_()[:400])"),
    Lie("the first half", "say(half())"),
    Lie("the first half and a failure", "say(half()); sys.exit(1)", _FAILED),
    Lie("the second half", "say(all_()[len(half()):])"),
    Lie("all but the last byte", "say(all_()[:-1])"),
    Lie("all but the last line", "say(lines(all_().rstrip()))"),
    Lie("all of it twice", "say(all_() + all_())"),
    Lie("all of it and more", "say(all_() + b'more')"),
    Lie("a hole", "say(half()[:-1000] + all_()[len(half()):])"),
    Lie("all of it and a failure", "say(all_()); sys.exit(1)", _FAILED),
    Lie("all of it and a crash", "say(all_()); os.kill(os.getpid(), signal.SIGKILL)", _FAILED),
    Lie("silence from the start", "time.sleep(1000)", _STALLED),
    Lie("silence after half", "say(half()); time.sleep(1000)", _STALLED),
    Lie("silence after all of it", "say(all_()); os.close(1); time.sleep(1000)", _STALLED),
    Lie("deafness", "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)", _STALLED),
    Lie("a child that holds the pipe", "say(all_()); os.fork() or time.sleep(1000)", _FAILED),
    Lie("a child that goes on writing", "say(all_()); pid = os.fork()\nwhile not pid: say(bytes(100_000))", _FAILED),
    Lie("100 MB of complaints and half", "os.write(2, b'strange\\n' * 12_500_000); say(half())"),
    Lie("100 MB of complaints and a failure", "say(all_()); os.write(2, b'bad\\n' * 25_000_000); sys.exit(2)", _FAILED),
    Lie("another program", "say(all_())", _VERSION, "tar (GNU tar) 1.34"),
    Lie("no version", "say(all_())", _VERSION, " "),
    Lie("no program", "", "tool-missing", mode=None),
    Lie("a program that may not be run", "say(all_())", "tool-missing", mode=0o644),
    Lie("a script that nothing runs", "say(all_())", _VERSION, shebang=False),
)
_OF_POSTGRESQL = (
    Lie("an old version", "say(all_())", _VERSION, "pg_dump (PostgreSQL) 9.6.24"),
    Lie("definitions without rows", "say(real('--schema-only'))"),
    Lie("rows without definitions", "say(real('--data-only'))"),
    Lie("nothing after the rows", "say(real('--section=pre-data', '--section=data'))"),
    Lie("a table less", "say(real('--exclude-table=empty'))"),
    Lie("the rows of a table less", "say(real('--exclude-table-data=orders'))"),
    Lie("a view less", "say(real('--exclude-table=notes'))"),
    Lie("a sequence less", "say(real('--exclude-table=counter'))"),
    Lie("no large objects", "say(real('--no-blobs'))"),
)
_OF_CUSTOM = (
    Lie("a row less", "row = b'1500\\tperson 1500\\tglad\\n'; say(swap(b'\\0\\x16\\0\\0\\0' + row, b''))"),
    Lie("the format's header only", "say(all_()[:64])"),
    Lie("the table of contents only", "say(until(b'1\\tperson 1\\tglad\\n')[:-15])"),
    Lie("cut between two blocks of data", "say(until(b'1\\tperson 1\\tglad\\n')[:-10])"),
    Lie("cut within a row", "say(until(b'son 1500\\tglad'))"),
    Lie("cut between two rows", "say(until(b'1500\\tperson')[:-5])"),
    Lie("the plain format", "instead('--format=custom', '--format=plain'); say(all_())"),
    Lie("another format", "instead('--format=custom', '--format=tar'); arguments.remove('--compress=0'); say(all_())"),
    Lie("compressed content", "instead('--compress=0', '--compress=6'); say(all_())"),
)
_OF_PLAIN = (
    Lie("a row less", "say(swap(b'\\n1500\\tperson 1500\\tglad\\n', b'\\n'))"),
    Lie("a row more", "say(swap(b'\\n1500\\tperson', b'\\n9999\\tx\\tglad\\n1500\\tperson'))"),
    Lie("header and end mark", "say(lines(all_()[:400]) + end())"),
    Lie("half and end mark", "say(lines(half()) + end())"),
    Lie("half, the end of rows, and end mark", "say(lines(half()) + b'\\\\.\\n\\n' + end())"),
    Lie("cut within rows", "say(until(b'1500\\tperson'))"),
    Lie("cut before the rows", "say(until(b'COPY public.'))"),
    Lie("cut after the rows of a table", "say(until(b'\\n\\\\.\\n') + b'\\n\\\\.\\n')"),
    Lie("cut after the rows of a table, with end mark", "say(until(b'\\n\\\\.\\n') + b'\\n\\\\.\\n\\n' + end())"),
    Lie("cut before the keys, with end mark", "say(until(b'--\\n-- Name: orders orders_pkey') + end())"),
    Lie("cut before an index, with end mark", "say(until(b'--\\n-- Name: orders_note') + end())"),
    Lie("cut before a trigger, with end mark", "say(until(b'--\\n-- Name: orders touched') + end())"),
    Lie("cut before a foreign key, with end mark", "say(until(b'--\\n-- Name: orders orders_person_fkey') + end())"),
    Lie("cut before the end mark", "say(until(end()))"),
    Lie("the rows of a table twice", "say(twice(b'COPY public.people', b'\\\\.\\n'))"),
    Lie("a command for psql", "say(swap(b'SET statement_timeout', b'\\\\! id\\nSET statement_timeout'))"),
)
_OF_MARIADB = (
    Lie("an old version", "say(all_())", _VERSION, "mysqldump  Ver 10.13 Distrib 5.5.68-MariaDB, for Linux"),
    Lie("a row less", "say(swap(b\"(1500,'person 1500'),\\n\", b''))"),
    Lie("a row more", "say(swap(b\"(1500,'person\", b\"(9999,'x'),\\n(1500,'person\"))"),
    Lie("some rows only", "say(real('--where=id<1000'))"),
    Lie("definitions without rows", "say(real('--no-data'))"),
    Lie("rows without definitions", "say(real('--no-create-info'))"),
    Lie("a table less", "say(real('--ignore-table=' + arguments[-1] + '.empty'))"),
    Lie("no triggers", "instead('--triggers', '--skip-triggers'); say(all_())"),
    Lie("no routines", "instead('--routines', '--skip-routines'); say(all_())"),
    Lie("no events", "instead('--events', '--skip-events'); say(all_())"),
    Lie("header and end mark", "say(lines(all_()[:400]) + end())"),
    Lie("half and end mark", "say(lines(half()) + end())"),
    Lie("half, made whole, and end mark", "say(half().rpartition(b'),\\n')[0] + b');\\n' + end())"),
    Lie("cut within rows", 'say(until(b"(1500,\'person"))'),
    Lie("cut before the rows", "say(until(b'INSERT INTO `people`'))"),
    Lie("cut before a table, with end mark", "say(until(b'-- Table structure for table `people`') + end())"),
    Lie("cut before the routines, with end mark", "say(until(b'-- Dumping routines') + end())"),
    Lie("cut before the views, with end mark", "say(until(b'-- Final view structure') + end())"),
    Lie("cut before the end mark", "say(until(end()))"),
    Lie("a table twice", "say(twice(b'-- Table structure for table `people`', b'UNLOCK TABLES;\\n'))"),
    Lie("a command for the client", "say(swap(b'LOCK TABLES', b'\\\\! id\\nLOCK TABLES'))"),
    Lie("another database", "say(swap(b'LOCK TABLES', b'USE mysql;\\nLOCK TABLES'))"),
)


def lies(kind: Kind) -> tuple[Lie, ...]:
    """All ways of lying about a kind of dump."""
    if kind is MARIADB:
        return (*ANY, *_OF_MARIADB)
    return (*ANY, *_OF_POSTGRESQL, *(_OF_CUSTOM if kind is CUSTOM else _OF_PLAIN))


def cases() -> list[tuple[Kind, Lie]]:
    """Every lie about every kind of dump."""
    return [(kind, lie) for kind in KINDS for lie in lies(kind)]


def install(folder: Path, kind: Kind, lie: Lie) -> None:
    """Puts a lying program into a folder, for the option `tools` of a source."""
    folder.mkdir(exist_ok=True)
    if lie.mode is None:
        return
    real = _real(kind.tool)
    text = _PROGRAM.format(real=real, version=lie.version, end=kind.end, does=lie.does)
    program = folder / kind.tool
    program.write_text((f"#!{sys.executable} -IS\n" if lie.shebang else "") + text, "utf-8")
    program.chmod(lie.mode)


def fill(server: DatabaseServer, database: str) -> None:
    """Makes what the lies are about, in an empty database."""
    run_sql(server, database, *(_POSTGRESQL if server.kind == "postgresql" else _MYSQL))


def _real(tool: str) -> str:
    """The real program; of PostgreSQL the one of the server, without the wrapper that chooses between versions."""
    beside = Path(POSTGRESQL_BIN) / tool
    found = str(beside) if beside.exists() else shutil.which(tool)
    assert found is not None, f"{tool} is not installed"
    return found
