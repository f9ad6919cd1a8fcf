"""Copies of SQLite databases under live writers: each is one committed state, and none holds half a transaction."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from holdfast.sources.sqlite import Sqlite, SqliteOptions
from holdfast.testing.dumped_content import collect, dump_request

# Money moves between two tables within one transaction, so their sum is the same at every moment; every transaction
# also rewrites a block of rows that lie far apart.
WRITER = """
import random, sqlite3, sys, time
path, seed = sys.argv[1], int(sys.argv[2])
rng = random.Random(seed)
database = sqlite3.connect(path, timeout=30, isolation_level=None)
print("ready", flush=True)
generation = 0
while True:
    generation += 1
    amount = rng.randrange(100)
    database.execute("BEGIN IMMEDIATE")
    database.execute("UPDATE here SET money = money - ? WHERE id = ?", (amount, rng.randrange(2000)))
    for number in range(0, 2000, 100):
        changed = (generation, str(rng.random()) * 40, number)
        database.execute("UPDATE pages SET generation = ?, filler = ? WHERE id = ?", changed)
    database.execute("UPDATE there SET money = money + ? WHERE id = ?", (amount, rng.randrange(2000)))
    database.execute("COMMIT")
    time.sleep(0.001)
"""


def make(path: Path, mode: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA journal_mode = {mode}")
        for name in ("here", "there"):
            database.execute(f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, money INTEGER)")
            database.executemany(f"INSERT INTO {name} VALUES (?, 1000)", [(n,) for n in range(2000)])
        database.execute("CREATE TABLE pages (id INTEGER PRIMARY KEY, generation INTEGER, filler TEXT)")
        database.executemany("INSERT INTO pages VALUES (?, 0, ?)", [(n, "x" * 500) for n in range(2000)])
        database.execute("CREATE INDEX by_filler ON pages(filler)")
        database.commit()


@contextmanager
def writer(path: Path, seed: int) -> Generator[None]:
    process = subprocess.Popen([sys.executable, "-c", WRITER, path, str(seed)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield
        assert process.poll() is None, "the writer died"
    finally:
        process.kill()
        process.wait()
        process.communicate()


def problem_of(path: Path) -> str:
    """What is wrong with a copy; empty if nothing is."""
    try:
        with closing(sqlite3.connect(path)) as database:
            (answer,) = database.execute("PRAGMA integrity_check").fetchone()
            if answer != "ok":
                return str(answer)
            (money,) = database.execute(
                "SELECT (SELECT sum(money) FROM here) + (SELECT sum(money) FROM there)"
            ).fetchone()
            generations = database.execute("SELECT DISTINCT generation FROM pages WHERE id % 100 = 0").fetchall()
    except sqlite3.Error as error:
        return str(error)
    if money != 4_000_000:
        return f"the sum is {money}"
    return "" if len(generations) == 1 else f"half a transaction: {generations}"


def copies(tmp_path: Path, mode: str, seed: int, count: int, copy: Callable[[Path, Path], None]) -> list[str]:
    path = tmp_path / "live" / "app.db"
    path.parent.mkdir()
    make(path, mode)
    problems: list[str] = []
    with writer(path, seed):
        for number in range(count):
            target = tmp_path / f"copy-{number}.db"
            copy(path, target)
            problems.append(problem_of(target))
            target.unlink()
    return [problem for problem in problems if problem]


def by_source(method: str) -> Callable[[Path, Path], None]:
    def copy(path: Path, target: Path) -> None:
        source = Sqlite("database", SqliteOptions(path=str(path), method=method), path.parent)  # type: ignore[arg-type]
        with source.dump(dump_request(target.parent / "scratch")) as dump:
            target.write_bytes(collect(dump).contents[b"app.db"])

    return copy


def by_plain_copy(path: Path, target: Path) -> None:
    """What must not be done: read the file while others write it."""
    with open(path, "rb") as original, open(target, "wb") as copy:
        while block := original.read(8192):
            copy.write(block)
            time.sleep(0.0005)


@pytest.mark.parametrize("mode", ["wal", "delete"])
@pytest.mark.parametrize("method", ["backup", "vacuum"])
def test_copies_under_a_live_writer_are_whole(tmp_path: Path, seed: int, mode: str, method: str) -> None:
    assert copies(tmp_path, mode, seed, 5, by_source(method)) == []


@pytest.mark.deep
@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_thousand_copies_under_a_live_writer_are_whole(tmp_path: Path, seed: int, mode: str) -> None:
    assert copies(tmp_path, mode, seed, 500, by_source("backup")) == []


def test_the_same_test_finds_a_plain_copy_out(tmp_path: Path, seed: int) -> None:
    assert copies(tmp_path, "delete", seed, 5, by_plain_copy) != []


def test_a_log_is_not_part_of_a_plain_copy(tmp_path: Path) -> None:
    """Why the log is never copied and never needed: what is only in it is in the copy."""
    path = tmp_path / "app.db"
    make(path, "wal")
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE here SET money = money - 1 WHERE id = 1")
        database.execute("UPDATE there SET money = money + 1 WHERE id = 1")
        database.commit()
        by_source("backup")(path, tmp_path / "copy.db")
        shutil.copyfile(path, tmp_path / "plain.db")
    assert money_of(tmp_path / "copy.db") == 999
    assert money_of(tmp_path / "plain.db") == 1000


def money_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute("SELECT money FROM here WHERE id = 1").fetchone()[0])
