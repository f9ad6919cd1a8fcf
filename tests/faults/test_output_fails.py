"""Standard output that takes nothing: a sentence with a name, or silence where the reader has gone."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from faults.app_faults import ARCHIVE, FILES, HEAD, REPOSITORY, SQLITE, FaultyApp

FULL = Path("/dev/full")
BROKEN_PIPE = 141
REPO = ("-r", "offsite", "--password-file", "password")

READING = [
    ("--help",),
    ("--version",),
    ("create", "--help"),
    ("list",),
    ("list", "--json"),
    ("show", "latest"),
    ("stats", "--json"),
    ("status",),
    ("doctor",),
    ("config", "show"),
    ("config", "schema"),
    ("verify", "--all", "--json"),
    ("restore", "latest", "--dry-run"),
    ("rotate", "--dry-run"),
    ("repo", "snapshots", *REPO),
    ("repo", "snapshots", "--json", *REPO),
    ("repo", "ls", "latest", *REPO),
    ("repo", "find", "*.jpg", "--json", *REPO),
    ("repo", "check", "--json", *REPO),
    ("repo", "cat", "config", *REPO),
    ("repo", "dump", "latest", "/", *REPO),
    ("repo", "dump", "latest", "/", "--archive", "zip", *REPO),
    ("repo", "dump", "latest", "/manifest.json", *REPO),
]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FaultyApp:
    return FaultyApp(tmp_path_factory.mktemp("app")).prepare(HEAD + SQLITE + FILES + ARCHIVE + REPOSITORY, former=1)


def into(app: FaultyApp, arguments: tuple[str, ...], output: int) -> tuple[int, str]:
    """Runs a command with this standard output; its status and what it says elsewhere."""
    done = subprocess.run(
        app.command(*arguments),
        cwd=app.folder,
        env=app.environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stderr


def into_full(app: FaultyApp, *arguments: str) -> tuple[int, str]:
    descriptor = os.open(FULL, os.O_WRONLY)
    try:
        return into(app, arguments, descriptor)
    finally:
        os.close(descriptor)


def into_gone(app: FaultyApp, *arguments: str) -> tuple[int, str]:
    """The reader has gone before the first byte."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        return into(app, arguments, writing)
    finally:
        os.close(writing)


by_words = pytest.mark.parametrize("arguments", READING, ids=lambda words: " ".join(words).removesuffix(" ".join(REPO)))


@by_words
def test_full(app: FaultyApp, arguments: tuple[str, ...]) -> None:
    status, said = into_full(app, *arguments)
    assert status == 1
    assert "No space left on device" in said
    if "--json" in arguments:
        document = json.loads(said.splitlines()[-1])
        assert (document["code"], document["exit_code"]) == ("output-failed", 1)
    else:
        assert said.splitlines()[-1].startswith("Error: the result could not be written to standard output: No space")


@by_words
def test_reader_has_gone(app: FaultyApp, arguments: tuple[str, ...]) -> None:
    status, said = into_gone(app, *arguments)
    assert (status, "Error" in said, "exit_error" in said) == (BROKEN_PIPE, False, False)


def test_without_a_buffer(app: FaultyApp) -> None:
    app.environment["PYTHONUNBUFFERED"] = "1"
    try:
        assert into_full(app, "list")[0] == 1
        assert into_gone(app, "list") == (BROKEN_PIPE, "")
        assert app.run("list", "--json").status == 0
    finally:
        del app.environment["PYTHONUNBUFFERED"]


@pytest.mark.parametrize(("run", "expected"), [(into_full, 1), (into_gone, BROKEN_PIPE)], ids=["full", "gone"])
def test_a_backup_goes_on_when_nobody_reads_how_far_it_is(
    app: FaultyApp, tmp_path: Path, run: Callable[..., tuple[int, str]], expected: int
) -> None:
    """It is brought to its end; only the status says that the output is not whole."""
    twin = app.copy(tmp_path / "twin")
    before = len(twin.ids()["local"])
    status, _ = run(twin, "create", "--json")
    assert status == expected
    ids = twin.ids()
    assert len(ids["local"]) == len(ids["offsite"]) == before + 1
    twin.require_whole()


@pytest.mark.parametrize("where", [str(FULL), "&-"])
def test_nobody_hears_the_warnings(app: FaultyApp, tmp_path: Path, where: str) -> None:
    """Standard error that takes nothing changes nothing about the work, nor about the exit status."""
    twin = app.copy(tmp_path / "twin")
    (twin.folder / ".env").unlink()
    mute = ["sh", "-c", f'exec "$@" 2>{where}', "sh"]
    assert twin.run("list", prefix=mute).status == 0
    assert twin.run("show", "nonsense", prefix=mute).status == 2
    assert twin.run("create", prefix=mute).status == 0
    (twin.folder / "shop.db").write_text("no database")
    assert twin.run("create", prefix=mute).status == 1
