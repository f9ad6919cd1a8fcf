"""Restores killed at system calls: what is there afterwards is old or new and never half, and the next one works."""

from __future__ import annotations

import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

CALLS = (
    "mkdir,fsync,syncfs,fdatasync,ftruncate,rename,renameat,renameat2,link,linkat,unlink,unlinkat,rmdir,pwrite64,write"
)
POINTS = 3
_CALL = re.compile(r"\d+ +(\w+)\(")

RESTORE = """
import sys
from pathlib import Path
from holdfast.sources.files import Files, FilesOptions
from holdfast.sources.sqlite import Sqlite, SqliteOptions
from holdfast.testing.dumped_content import collect, dump_request, load_request
good, live, scratch, kind = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
def source(base):
    if kind == "sqlite":
        return Sqlite("s", SqliteOptions(path="app.db"), base)
    skip = [base / "s" / "backups"] if kind == "inside" else []
    return Files("s", FilesOptions(paths=("s", "single")), base, skip)
with source(good).dump(dump_request(scratch)) as dump:
    content = collect(dump)
(scratch / "begun").mkdir(exist_ok=True)
source(live).load([content], load_request(scratch))
"""


class Trial(NamedTuple):
    """Folders of one run."""

    good: Path
    live: Path
    scratch: Path
    kind: str

    def run(self, *prefix: str) -> subprocess.CompletedProcess[str]:
        command = [*prefix, sys.executable, "-c", RESTORE, str(self.good), str(self.live), str(self.scratch), self.kind]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def prepare(base: Path, kind: str) -> Trial:
    """What is to be restored, and what is there now."""
    trial = Trial(base / "good", base / "live", base / "scratch", kind)
    for folder, word in ((trial.good, "good"), (trial.live, "live")):
        folder.mkdir(parents=True)
        if kind == "sqlite":
            with closing(sqlite3.connect(folder / "app.db")) as database:
                database.execute("PRAGMA journal_mode = WAL")
                database.execute("CREATE TABLE t (a)")
                database.executemany("INSERT INTO t VALUES (?)", [(word,)] * 100)
                database.commit()
                if word == "live":
                    # A crashed application leaves a log with rows that are nowhere else.
                    database.execute("INSERT INTO t VALUES ('live')")
                    database.commit()
                    shutil.copytree(folder, base / "crashed")
            continue
        (folder / "s" / "dir").mkdir(parents=True)
        for name in ("s/a", "s/b", "s/dir/c", f"s/only-{word}", "single"):
            (folder / name).write_text(word)
    if kind == "sqlite":
        shutil.rmtree(trial.live)
        (base / "crashed").rename(trial.live)
    if kind == "inside":
        (trial.live / "s" / "backups").mkdir()
        (trial.live / "s" / "backups" / "precious").write_text("precious")
    return trial


def content_of(trial: Trial) -> dict[str, str]:
    """Each part that is replaced in one step, and whether it is old or new; raises if it is neither."""
    if trial.kind == "sqlite":
        with closing(sqlite3.connect(trial.live / "app.db")) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            found = set(database.execute("SELECT a, count(*) FROM t GROUP BY a"))
        assert found in ({("good", 100)}, {("live", 101)}), found
        return {"app.db": found.pop()[0]}
    parts: dict[str, str] = {"single": (trial.live / "single").read_text()}
    names = sorted(str(path.relative_to(trial.live / "s")) for path in (trial.live / "s").rglob("*") if path.is_file())
    words = {name: (trial.live / "s" / name).read_text() for name in names}
    if trial.kind == "inside":
        assert words.pop("backups/precious") == "precious"
        words = {name: word for name, word in words.items() if not name.startswith(".holdfast")}
        assert {"a", "b", "dir/c"} <= words.keys()
        return parts
    assert len(set(words.values())) == 1, words
    (word,) = set(words.values())
    assert names == ["a", "b", "dir/c", f"only-{word}"]
    return {**parts, "s": word}


def points_of(trial: Trial, base: Path) -> list[tuple[str, int]]:
    """Every call from the beginning of the restore on, with its number for the process."""
    trace = base / "trace"
    done = trial.run("strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={CALLS}")
    assert done.returncode == 0, done.stderr
    begun = False
    counts: Counter[str] = Counter()
    points: list[tuple[str, int]] = []
    for line in trace.read_text().splitlines():
        match = _CALL.match(line)
        if match is None:
            continue
        counts[match[1]] += 1
        begun = begun or "begun" in line
        if begun:
            points.append((match[1], counts[match[1]]))
    return points


def trials(tmp_path: Path, rng: random.Random, kind: str, count: int | None) -> None:
    assert shutil.which("strace"), "these tests need strace; scripts/system_packages installs it"
    points = points_of(prepare(tmp_path / "counting", kind), tmp_path)
    assert len(points) > 10
    # The last calls are those that exchange names; they are always among those tried.
    chosen = points if count is None else rng.sample(points[-25:], min(count, 25))
    for number, (call, when) in enumerate(chosen):
        trial = prepare(tmp_path / f"trial-{number}", kind)
        killed = trial.run("strace", "-f", "-qq", "-o", os.devnull, "-e", f"inject={call}:signal=SIGKILL:when={when}")
        assert killed.returncode in (0, -9, 137), killed.stderr
        print(f"killed at {call} {when}: {content_of(trial)}")
        again = trial.run()
        assert again.returncode == 0, f"{call} {when}: {again.stderr}"
        assert set(content_of(trial).values()) == {"good"}
        assert not [name for name in os.listdir(trial.live) if name.startswith((".holdfast-new", ".holdfast-swap"))]
        if kind == "sqlite":
            kept = [path for path in trial.live.iterdir() if ".before-restore-" in path.name]
            assert kept, "nothing of the former database is left"


KINDS = ["sqlite", "files", "inside"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_restore_leaves_old_or_new(tmp_path: Path, rng: random.Random, kind: str) -> None:
    trials(tmp_path, rng, kind, POINTS)


@pytest.mark.deep
@pytest.mark.parametrize("kind", KINDS)
def test_a_restore_killed_anywhere_leaves_old_or_new(tmp_path: Path, rng: random.Random, kind: str) -> None:
    trials(tmp_path, rng, kind, None)
