"""Data to back up: made from a seed, so that every run and every machine measures the same bytes."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

MIB = 1 << 20
_LETTERS = "etaoinshrdlucmfwypvbgkjqxz"


def incompressible(folder: Path, scale: float) -> None:
    """One file of random bytes, 1 GiB at full scale."""
    rng = random.Random(11)
    with open(folder / "random.bin", "wb") as file:
        file.writelines(rng.randbytes(MIB) for _ in range(int(1024 * scale)))


def text_like(folder: Path, scale: float) -> None:
    """One log-like file, 1 GiB at full scale: dated lines of words whose frequencies follow Zipf's law."""
    rng = random.Random(12)
    pages = _pages(rng, 64)
    written, wanted = 0, int(1024 * scale) * MIB
    with open(folder / "text.log", "wb") as file:
        while written < wanted:
            block = _log_lines(rng, pages[rng.randrange(len(pages))])
            file.write(block)
            written += len(block)


def small_files(folder: Path, scale: float) -> None:
    """50,000 files at full scale in 250 folders, 100 bytes to 16 KiB, sizes spread evenly over their logarithm."""
    rng = random.Random(13)
    pages = _pages(rng, 64)
    for number in range(int(50_000 * scale)):
        parent = folder / f"{number % 250:03d}"
        if number < 250:
            parent.mkdir()
        page = pages[number % len(pages)]
        start = rng.randrange(len(page) - 20_000)
        content = b"%d " % number + page[start : start + int(10 ** rng.uniform(2, 4.2))]
        (parent / f"file-{number:05d}.txt").write_bytes(content)


def change_one_percent(folder: Path, round_number: int) -> None:
    """Changes 1 % of a data set: spots of 10 KiB inside large files, every hundredth of many small ones."""
    rng = random.Random(1000 + round_number)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if len(files) > 100:
        for path in rng.sample(files, len(files) // 100):
            path.write_bytes(path.read_bytes()[::-1] + b"changed %d" % round_number)
        return
    for path in files:
        # One spot of 1 % of the file: a rewritten region, as an appended log or an edited disk image has it.
        size = path.stat().st_size
        start = rng.randrange(size - size // 100)
        with open(path, "r+b") as file:
            file.seek(start)
            piece = file.read(size // 100)
            file.seek(start)
            file.write(bytes(byte ^ 1 for byte in piece))


SETS: dict[str, Callable[[Path, float], None]] = {
    "incompressible": incompressible,
    "text": text_like,
    "small-files": small_files,
}


def make(name: str, folder: Path, scale: float) -> None:
    """Makes a data set in an empty folder and waits until it is on disk."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # In a process of its own: what a program is started from counts towards its peak of memory.
    maker = multiprocessing.get_context("spawn").Process(target=SETS[name], args=(folder, scale))
    maker.start()
    maker.join()
    if maker.exitcode:
        raise SystemExit(f"the data set {name} could not be made")
    os.sync()


def _pages(rng: random.Random, number: int) -> list[bytes]:
    """Pages of 1 MiB of made-up words."""
    weights = range(len(_LETTERS), 0, -1)
    words = ["".join(rng.choices(_LETTERS, weights=weights, k=rng.randint(2, 10))) for _ in range(20_000)]
    zipf = [1 / (rank + 1) for rank in range(len(words))]
    return [" ".join(rng.choices(words, weights=zipf, k=180_000)).encode()[:MIB] for _ in range(number)]


def _log_lines(rng: random.Random, page: bytes) -> bytes:
    lines = []
    position = rng.randrange(1000)
    while position < len(page) - 400:
        length = rng.randint(60, 300)
        stamp = b"2026-11-%02d %06d " % (rng.randint(1, 28), rng.randrange(10**6))
        lines.append(stamp + page[position : position + length])
        position += length
    return b"\n".join(lines)
