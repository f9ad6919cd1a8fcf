"""Backups of an application beside the plain tools people would use: `python -m benchmarks application`.

Each round runs both, one right after the other and in turns who goes first. `checked` rows give the plain tool the
checks that Holdfast always makes (integrity of the copy, a checksum of what was stored), so that both do the same.
`load_before` and `load_after` tell how busy the machine was: with more to do than it has processors, ratios become
those of processor time, which is that of the programs of either side, without that of a database server.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import measure
from benchmarks.data import MIB
from benchmarks.measure import Measured
from holdfast.testing.databases import postgresql_server, run_sql

_RESULTS = Path(__file__).resolve().parent / "results"
_HOLDFAST = [sys.executable, "-m", "holdfast"]
_LARGER = 4  # times as many rows, so that what every run costs weighs little
_TEXT = ["quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog", "while", "backups", "run", "at", "night"]


@dataclass(frozen=True)
class Row:
    """Two commands that do the same: ours runs in `folder`; `theirs` is a shell line."""

    name: str
    folder: Path
    ours: Sequence[str]
    theirs: str
    env: Mapping[str, str] = field(default_factory=dict)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="1.0 is some 512 MiB for each row")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--only", default="", help="SQLite, files or PostgreSQL; the other rows stay as they were saved"
    )
    parser.add_argument("--folder", type=Path, help="where to work")
    parser.add_argument("--save", type=Path, default=_RESULTS / "application.json")
    chosen = parser.parse_args(arguments)
    kept: list[dict[str, object]] = json.loads(chosen.save.read_text())["rows"] if chosen.save.exists() else []
    found = {str(row["row"]): row for row in kept}
    about = {"scale": chosen.scale, "rounds": chosen.rounds, "processors": len(os.sched_getaffinity(0))}
    about["python"] = platform.python_version()
    with tempfile.TemporaryDirectory(dir=chosen.folder, prefix="holdfast-bench-") as name, ExitStack() as stack:
        for group, make in _GROUPS.items():
            if not group.startswith(chosen.only):
                continue
            for row in stack.enter_context(make(Path(name), chosen.scale)):
                load = os.getloadavg()[0]
                measured = _measure(row, Path(name), chosen.rounds)
                found[row.name] = {**about, **measured, "load_before": load, "load_after": os.getloadavg()[0]}
                _print(found[row.name])
                chosen.save.write_text(json.dumps({"rows": list(found.values())}, indent=1) + "\n")


def _measure(row: Row, scratch: Path, rounds: int) -> dict[str, object]:
    ours: list[Measured] = []
    theirs: list[Measured] = []
    env = {**os.environ, **row.env}
    out = row.folder / "plain"
    for number in range(rounds + 1):  # the first round warms the page cache for both and is not counted
        runs: list[tuple[list[Measured], Sequence[str], Path]] = [
            (ours, row.ours, row.folder / "backups"),
            (theirs, ["bash", "-ec", f"set -o pipefail; cd {row.folder}; {row.theirs}"], out),
        ]
        for results, command, made in runs if number % 2 else runs[::-1]:
            shutil.rmtree(made, ignore_errors=True)
            out.mkdir(exist_ok=True)
            took = measure.run(command, {**env, "HOLDFAST_CONFIG": str(row.folder / "holdfast.toml")}, scratch / "log")
            results += [took] if number else []
    ratios = [left.wall_s / right.wall_s for left, right in zip(ours, theirs, strict=True)]
    return {
        "row": row.name,
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "ours_s": statistics.median(one.wall_s for one in ours),
        "theirs_s": statistics.median(one.wall_s for one in theirs),
        "ours_cpu_s": statistics.median(one.cpu_s for one in ours),
        "theirs_cpu_s": statistics.median(one.cpu_s for one in theirs),
        "ours_peak": max(one.peak_bytes for one in ours),
        "theirs_peak": max(one.peak_bytes for one in theirs),
    }


def _print(row: Mapping[str, object]) -> None:
    peaks = f"{int(str(row['ours_peak'])) / MIB:6.0f}MiB {int(str(row['theirs_peak'])) / MIB:6.0f}MiB"
    took = f"{row['ours_s']:8.2f}s{row['theirs_s']:8.2f}s  ratio {row['ratio']:5.2f}"
    cpu = f"processor {row['ours_cpu_s']:.2f}s {row['theirs_cpu_s']:.2f}s"
    print(f"{row['row']:50}{took}  {cpu}  {peaks}", flush=True)


def _configured(folder: Path, source: str, target: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = f'[app]\nname = "bench"\n\n{source}\n\n[targets.local]\nkind = "archive"\nurl = "backups"\n{target}\n'
    (folder / "holdfast.toml").write_text(text)


@contextmanager
def _sqlite(scratch: Path, scale: float) -> Generator[list[Row]]:
    folder = scratch / "sqlite"
    _configured(folder, '[sources.database]\nkind = "sqlite"\npath = "app.db"', 'layout = "typed"')
    rng = random.Random(1)
    connection = sqlite3.connect(folder / "app.db")
    connection.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, owner INTEGER, title TEXT, body BLOB)")
    rows = ((rng.randrange(10_000), " ".join(rng.choices(_TEXT, k=6)), rng.randbytes(900)) for _ in _count(scale))
    connection.executemany("INSERT INTO notes (owner, title, body) VALUES (?, ?, ?)", rows)
    connection.execute("CREATE INDEX notes_owner ON notes (owner)")
    connection.commit()
    connection.close()
    ours = [*_HOLDFAST, "create", "--type", "database", "--quiet"]
    plain = 'sqlite3 app.db ".backup plain/copy.db"'
    checked = f'{plain} && sqlite3 plain/copy.db "PRAGMA integrity_check" >/dev/null && sha256sum plain/copy.db'
    yield [
        Row("SQLite: create, beside .backup", folder, ours, plain),
        Row("SQLite: create, beside .backup, checked", folder, ours, checked),
    ]


@contextmanager
def _tree(scratch: Path, scale: float) -> Generator[list[Row]]:
    folder = scratch / "tree"
    _configured(folder, '[sources.storage]\nkind = "files"\npaths = ["storage"]', 'layout = "typed"')
    rng = random.Random(2)
    for number in range(max(1, int(2048 * scale))):
        path = folder / "storage" / f"{number % 64:02}" / f"{number}.dat"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = " ".join(rng.choices(_TEXT, k=24_000)).encode()
        path.write_bytes(text if number % 2 else rng.randbytes(128 * 1024))
    ours = [*_HOLDFAST, "create", "--type", "storage", "--quiet"]
    plain = "tar -czf plain/storage.tar.gz storage"
    yield [
        Row("files: create, beside tar -czf", folder, ours, plain),
        Row("files: create, beside tar -czf, checked", folder, ours, f"{plain} && gzip -t {plain.split()[2]}"),
    ]


@contextmanager
def _postgresql(scratch: Path, scale: float) -> Generator[list[Row]]:
    if shutil.which("zstd") is None:
        print("PostgreSQL: left out, because zstd is not installed")
        yield []
        return
    with postgresql_server() as server:
        rows: list[Row] = []
        for times, name in ((1, "PostgreSQL: create"), (_LARGER, "PostgreSQL, larger: create")):
            folder = scratch / f"postgresql-{times}"
            database = server.new_database()
            url = server.url(database, password=False)
            source = f'[sources.database]\nkind = "postgresql"\nurl = "{url}"\npassword = "${{PGPASSWORD}}"'
            _configured(folder, source, 'layout = "flat"\ncompression = "zst"')
            run_sql(
                server,
                database,
                "CREATE TABLE notes (id bigserial PRIMARY KEY, owner int, title text, body text)",
                "INSERT INTO notes (owner, title, body) SELECT n % 10000, 'note ' || n, repeat(md5(n::text), 28)"
                f" FROM generate_series(1, {len(_count(scale * times))}) n",
                "CREATE INDEX notes_owner ON notes (owner)",
                "VACUUM ANALYZE notes",
                "CHECKPOINT",
            )
            ours = [*_HOLDFAST, "create", "--type", "database", "--quiet"]
            plain = f"pg_dump -Fc -Z0 '{url}' | zstd -q -3 -o plain/dump.zst"
            rows.append(Row(f"{name}, beside pg_dump | zstd", folder, ours, plain, {"PGPASSWORD": server.password}))
        yield rows


def _count(scale: float) -> range:
    return range(max(100, int(500_000 * scale)))


_GROUPS: dict[str, Callable[[Path, float], AbstractContextManager[list[Row]]]] = {
    "SQLite": _sqlite,
    "files": _tree,
    "PostgreSQL": _postgresql,
}
