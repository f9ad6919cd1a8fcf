"""Memory stays bounded however large an application is: real `create` and `restore` commands, watched from outside."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

MIB = 1 << 20
INTERVAL_S = 0.02

CONFIGURATION = """
[app]
name = "large"

[sources.database]
kind = "sqlite"
path = "app.db"

[sources.storage]
kind = "files"
paths = ["storage"]

[targets.plain]
kind = "archive"
url = "backups"
compression = "{compression}"

[targets.engine]
kind = "repository"
url = "repository"
password = "a long password for a trial"
"""


class Size(NamedTuple):
    """How large the application is."""

    database_bytes: int
    file_bytes: int
    files: int
    compression: str
    a_folder: int = 5_000


SMALL = Size(40 * MIB, 300 * MIB, 2_000, "zst")
# HOLDFAST_MEMORY_SCALE makes the large one smaller, for machines with little room.
SCALE = float(os.environ.get("HOLDFAST_MEMORY_SCALE", "1"))
LARGE = Size(int(2048 * MIB * SCALE), int(2048 * MIB * SCALE), int(200_000 * SCALE), "gz")
# The tree of a folder is one blob by the format: its 65 MiB of text are there once, whatever else is.
ONE_FOLDER = Size(MIB, MIB, int(200_000 * SCALE), "gz", a_folder=int(200_000 * SCALE))


# In MiB: what a command may use; a repository holds several packs of 16 MiB at once.
LIMITS = {"plain": 150, "both": 200, "again": 150, "from-plain": 150, "from-engine": 150}
LARGE_LIMITS = dict.fromkeys(LIMITS, 250)


@pytest.mark.parametrize(
    ("size", "limits"),
    [
        pytest.param(SMALL, LIMITS, id="small"),
        pytest.param(LARGE, LARGE_LIMITS, id="large", marks=[pytest.mark.deep, pytest.mark.timeout(7200)]),
        pytest.param(ONE_FOLDER, LARGE_LIMITS, id="one-folder", marks=[pytest.mark.deep, pytest.mark.timeout(7200)]),
    ],
)
def test_memory_does_not_grow_with_the_application(
    tmp_path: Path, seed: int, size: Size, limits: Mapping[str, int]
) -> None:
    make_application(tmp_path, size, random.Random(seed))
    back = ("restore", "latest", "--yes", "--quiet")
    peaks = {
        "both": peak_of(tmp_path, "create", "--quiet"),
        "again": peak_of(tmp_path, "create", "--quiet", "--target", "engine"),
        "plain": peak_of(tmp_path, "create", "--quiet", "--target", "plain"),
        "from-plain": peak_of(tmp_path, *back, "--from", "plain", "--to", "elsewhere"),
        "from-engine": peak_of(tmp_path, *back, "--from", "engine", "--to", "other"),
    }
    used = {name: peak // MIB for name, peak in peaks.items()}
    print(f"MiB: {used}")
    assert (tmp_path / "elsewhere" / "storage" / "large.bin").stat().st_size == size.file_bytes
    assert (tmp_path / "other" / "storage" / "large.bin").stat().st_size == size.file_bytes
    assert not [name for name, mib in used.items() if mib >= limits[name]], used


def make_application(folder: Path, size: Size, rng: random.Random) -> None:
    (folder / "holdfast.toml").write_text(CONFIGURATION.format(compression=size.compression))
    os.chmod(folder / "holdfast.toml", 0o600)
    with sqlite3.connect(folder / "app.db") as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT, body BLOB)")
        block = rng.randbytes(4000)
        rows = ((f"note {number}", block[number % 997 :]) for number in range(size.database_bytes // 4096))
        database.executemany("INSERT INTO notes (title, body) VALUES (?, ?)", rows)
        database.execute("CREATE INDEX notes_title ON notes (title)")
    database.close()
    storage = folder / "storage"
    storage.mkdir()
    block = rng.randbytes(MIB)
    with open(storage / "large.bin", "wb") as large:
        large.writelines(block[number % 4096 :] + block[: number % 4096] for number in range(size.file_bytes // MIB))
    for number in range(size.files):
        if number % size.a_folder == 0:
            (storage / f"{number:06}").mkdir()
        (storage / f"{number - number % size.a_folder:06}" / f"picture {number:06}.txt").write_bytes(
            b"%d\n" % number * 20
        )


def peak_of(folder: Path, *command: str) -> int:
    """Runs it; the most that its processes used at once: shared memory is counted once, not for each of them."""
    env: Mapping[str, str] = {**os.environ, "HOLDFAST_CONFIG": str(folder / "holdfast.toml")}
    with open(folder / "output", "wb") as output:
        arguments = [sys.executable, "-m", "holdfast", *command]
        process = subprocess.Popen(arguments, cwd=folder, env=env, stdout=output, stderr=output)
        ended = threading.Event()
        peaks = [0]
        watcher = threading.Thread(target=watch, args=(process.pid, ended, peaks))
        watcher.start()
        status = process.wait()
        ended.set()
        watcher.join()
    assert status == 0, (folder / "output").read_text()
    return max(peaks)


def watch(pid: int, ended: threading.Event, peaks: list[int]) -> None:
    while not ended.wait(INTERVAL_S):
        processes = tree(pid)
        shares = [number_of(Path(f"/proc/{one}/smaps_rollup"), "Pss:") for one in processes]
        peaks.append(max(sum(shares), number_of(Path(f"/proc/{pid}/status"), "VmHWM:")))


def tree(pid: int) -> list[int]:
    found = [pid]
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return found
    for child in children:
        found += tree(child)
    return found


def number_of(file: Path, key: str) -> int:
    """A line such as `VmHWM:  1234 kB`, in bytes; 0 for a process that is gone."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(key)), 0)
