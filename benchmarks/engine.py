"""The engine beside restic, in one run, as ratios: `make bench`.

Each round runs every step once with each tool, one right after the other and in turns who goes first, so that a
machine that slows down slows both. The table shows medians over rounds, and the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import tempfile
from collections import defaultdict
from pathlib import Path

from benchmarks import data, measure, tools
from benchmarks.measure import Measured
from benchmarks.tools import Tool

STEPS = ("first backup", "unchanged", "1 % changed", "restore", "check", "forget+prune")
_RESULTS = Path(__file__).resolve().parent / "results"
Runs = dict[tuple[str, str, str], list[Measured]]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="1.0 is 1 GiB and 50,000 files")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--set", action="append", choices=list(data.SETS), help="only this data set")
    parser.add_argument("--folder", type=Path, help="where to work; needs some 8 GiB at full scale")
    parser.add_argument("--save", type=Path, help="where to write the JSON; by default benchmarks/results/engine.json")
    chosen = parser.parse_args()
    pair = (tools.holdfast(), tools.newest_restic())
    runs: Runs = defaultdict(list)
    sizes: dict[tuple[str, str], int] = {}
    with tempfile.TemporaryDirectory(dir=chosen.folder, prefix="holdfast-bench-") as name:
        scratch = Path(name)
        for data_set in chosen.set or data.SETS:
            data.make(data_set, scratch / "data", chosen.scale)
            for number in range(chosen.rounds):
                _round(pair, data_set, scratch, number, runs, sizes)
    rows = _rows(pair, runs, sizes)
    _print(pair, rows)
    _save(chosen.save or _RESULTS / "engine.json", pair, rows, chosen.scale, chosen.rounds)


def _round(
    pair: tuple[Tool, Tool], data_set: str, scratch: Path, number: int, runs: Runs, sizes: dict[tuple[str, str], int]
) -> None:
    order = pair if number % 2 == 0 else pair[::-1]
    source = scratch / "data"
    for tool in order:
        shutil.rmtree(scratch / tool.name, ignore_errors=True)
        (scratch / tool.name).mkdir()
        _step(tool, "init", scratch)
    _both(order, "backup", "first backup", data_set, scratch, runs)
    for tool in order:
        sizes[data_set, tool.name] = measure.folder_bytes(scratch / tool.name / "repository")
    _both(order, "backup", "unchanged", data_set, scratch, runs)
    data.change_one_percent(source, number)
    _both(order, "backup", "1 % changed", data_set, scratch, runs)
    _both(order, "restore", "restore", data_set, scratch, runs)
    for tool in order:
        _prove_equal(source, scratch / tool.name / "out" / source.relative_to("/"))
        shutil.rmtree(scratch / tool.name / "out")
    _both(order, "check", "check", data_set, scratch, runs)
    _both(order, "prune", "forget+prune", data_set, scratch, runs)


def _both(order: tuple[Tool, ...], step: str, row: str, data_set: str, scratch: Path, runs: Runs) -> None:
    for tool in order:
        runs[data_set, row, tool.name].append(_step(tool, step, scratch))


def _step(tool: Tool, step: str, scratch: Path) -> Measured:
    home = scratch / tool.name
    command = tool.arguments(step, home / "repository", scratch / "data", home / "out")
    return measure.run(command, tool.environment(home), home / "log")


def _prove_equal(left: Path, right: Path) -> None:
    """A benchmark of a restore that restores something else would be worth nothing."""
    for path in sorted(left.rglob("*")):
        if path.is_file() and path.stat().st_size != (right / path.relative_to(left)).stat().st_size:
            raise SystemExit(f"{path} was not restored as it is")
    sample = sorted(path for path in left.rglob("*") if path.is_file())[:: max(1, len(list(left.rglob("*"))) // 50)]
    for path in sample:
        with open(path, "rb") as one, open(right / path.relative_to(left), "rb") as other:
            while piece := one.read(1 << 20):
                if piece != other.read(1 << 20):
                    raise SystemExit(f"{path} was not restored as it is")


def _rows(pair: tuple[Tool, Tool], runs: Runs, sizes: dict[tuple[str, str], int]) -> list[dict[str, object]]:
    ours, theirs = pair[0].name, pair[1].name
    rows: list[dict[str, object]] = []
    for data_set in dict.fromkeys(key[0] for key in runs):
        for step in STEPS:
            mine, other = runs[data_set, step, ours], runs[data_set, step, theirs]
            ratios = [left.wall_s / right.wall_s for left, right in zip(mine, other, strict=True)]
            rows.append(
                {
                    "data": data_set,
                    "step": step,
                    "ratio": statistics.median(ratios),
                    "ratios": ratios,
                    **_figures(ours, mine),
                    **_figures(theirs, other),
                    "size_ratio": sizes[data_set, ours] / sizes[data_set, theirs],
                }
            )
    return rows


def _figures(name: str, some: list[Measured]) -> dict[str, object]:
    return {
        f"{name}_s": statistics.median(run.wall_s for run in some),
        f"{name}_cpu_s": statistics.median(run.cpu_s for run in some),
        f"{name}_peak": max(run.peak_bytes for run in some),
    }


def _print(pair: tuple[Tool, Tool], rows: list[dict[str, object]]) -> None:
    ours, theirs = pair
    print(f"{ours.name} {ours.version} beside {theirs.name} {theirs.version}; a ratio below 1 means faster\n")
    header = f"{'data':15}{'step':14}{ours.name:>10}{theirs.name:>10}{'ratio':>8}{'peak':>10}{'theirs':>10}{'size':>8}"
    print(header, "-" * len(header), sep="\n")
    for row in rows:
        print(
            f"{row['data']:15}{row['step']:14}{row[ours.name + '_s']:9.2f}s{row[theirs.name + '_s']:9.2f}s"
            f"{row['ratio']:8.2f}{row[ours.name + '_peak'] / data.MIB:7.0f}MiB"  # type: ignore[operator]
            f"{row[theirs.name + '_peak'] / data.MIB:7.0f}MiB{row['size_ratio']:8.3f}"  # type: ignore[operator]
        )


def _save(path: Path, pair: tuple[Tool, Tool], rows: list[dict[str, object]], scale: float, rounds: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {
        "tools": {tool.name: tool.version for tool in pair},
        "scale": scale,
        "rounds": rounds,
        "processors": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
    }
    path.write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n")
