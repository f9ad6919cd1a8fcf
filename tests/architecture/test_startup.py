"""The command line starts quickly: what only some commands need is imported by those commands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HELP_CPU_S = 0.3
TRIES = 5
# Slow to import, and needed by a few commands or storages only.
SLOW = {
    "rich",
    "asyncssh",
    "httpx2",
    "asyncio",
    "boto3",
    "pydantic",
    "fastapi",
    "sqlalchemy",
    "apprise",
    "email",
    "babel",
}
# What the engine itself stands on; help text needs none of it.
ENGINE = {"obstore", "pyfastcdc", "cryptography", "sqlite3", "multiprocessing"}


def _imported(*arguments: str) -> set[str]:
    command = [sys.executable, "-X", "importtime", "-m", "holdfast", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["repo", "--help"]], ids=" ".join)
def test_help_imports_neither_the_engine_nor_anything_slow(arguments: list[str]) -> None:
    unwanted = {name for name in _imported(*arguments) if name.partition(".")[0] in SLOW | ENGINE}
    assert not unwanted, f"imported just to show help: {sorted(unwanted)}"


def test_a_command_without_progress_imports_nothing_slow(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("geheim")
    options = ["--repo", str(tmp_path / "repository"), "--password-file", str(password), "--no-cache", "--quiet"]
    init = [sys.executable, "-m", "holdfast", "repo", "init", *options]
    subprocess.run(init, check=True, stdout=subprocess.DEVNULL)
    unwanted = {name for name in _imported("repo", "snapshots", *options) if name.partition(".")[0] in SLOW}
    assert not unwanted, f"imported by every command: {sorted(unwanted)}"


def test_help_answers_at_once() -> None:
    """Processor time, the best of some tries: the machine may be busy with other tests."""
    taken = []
    for _ in range(TRIES):
        before = os.times()
        subprocess.run([sys.executable, "-m", "holdfast", "--help"], check=True, stdout=subprocess.DEVNULL)
        after = os.times()
        taken.append(after.children_user + after.children_system - before.children_user - before.children_system)
    assert min(taken) < HELP_CPU_S, f"holdfast --help takes {min(taken):.2f} s of processor time"
