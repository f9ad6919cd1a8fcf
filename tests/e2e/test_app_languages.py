"""What people are told is in their language, values and all; what programs read is English."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from e2e.app_home import CONFIGURATION, AppHome, make_app
from e2e.served import serving

# Codes, names, paths and commands may be English; three words in a row are a sentence.
_SENTENCE = re.compile(r"(?<![\w/.`-])[A-Za-z]?[a-z]+(?: [a-z]{2,}){2,}")
_COMMAND = re.compile(r"`[^`]*`")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> AppHome:
    """An application with two backups, and something for doctor to find."""
    home = make_app(tmp_path_factory.mktemp("languages") / "shop")
    home.create()
    home.create()
    return home


WATCHED = """
[objectives]
rpo = "2h"
rto = "1h"
max_age = "26h"

[notify]
urls = ["https://127.0.0.1:9/hook"]
on = ["success", "failure", "restored"]
"""
"""A schedule that does not keep what is promised, and a channel that takes nothing."""


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> AppHome:
    """An application with runs, good ones and one that failed, and messages that did not leave."""
    home = make_app(tmp_path_factory.mktemp("watched") / "shop", CONFIGURATION + WATCHED)
    home.run("schedule", "run", "nightly")
    home.run("restore", "latest", "--to", str(home.folder.parent / "restored"), "--yes")
    home.run("token", "create", "--scope", "read", "--name", "panel")
    (home.folder / "data/shop.db").rename(home.folder / "data/gone.db")
    home.run("create", status=1)
    (home.folder / "data/gone.db").rename(home.folder / "data/shop.db")
    return home


def _english(said: str) -> list[str]:
    return [found[0] for found in _SENTENCE.finditer(_COMMAND.sub("", said))]


def _run(home: AppHome, language: str, *arguments: str, status: int) -> str:
    said = AppHome(home.folder, {"HOLDFAST_LANG": language}).run(*arguments, status=status)
    return said.out + said.err


# Turkish is written in the letters that English is written in; its words cannot be told from those by their look.
@pytest.mark.parametrize("language", ["fa", "ru"])
@pytest.mark.parametrize(
    ("arguments", "status"),
    [(("doctor",), 0), (("status", "--max-age", "1s"), 5), (("rotate", "--dry-run"), 0)],
)
def test_nothing_is_said_in_english(home: AppHome, language: str, arguments: tuple[str, ...], status: int) -> None:
    said = _run(home, language, *arguments, status=status)
    assert "backup_" in said or "shop" in said
    assert _english(said) == []


@pytest.mark.parametrize("language", ["fa", "ru"])
@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("--help",), 0),
        (("schedule", "show"), 0),
        (("schedule", "status"), 0),
        (("schedule", "prove"), 5),
        (("notify", "test"), 1),
        (("notify", "list"), 0),
        (("report", "daily"), 0),
        (("report", "monthly"), 0),
        (("report", "yearly"), 0),
        (("report", "performance"), 0),
        (("token", "list"), 0),
        (("token", "revoke", "nothing"), 2),
        (("audit", "show"), 0),
        (("audit", "verify"), 0),
        (("serve", "--host", "192.0.2.1"), 2),
    ],
)
def test_who_runs_and_watches_it_is_not_told_in_english(
    watched: AppHome, language: str, arguments: tuple[str, ...], status: int
) -> None:
    said = _run(watched, language, *arguments, status=status)
    assert re.search("[а-яا-ی]{3}", said)
    assert _english(said) == []


def test_stages_of_runs_are_told_in_words(watched: AppHome) -> None:
    said = _run(watched, "ru", "report", "performance", status=0)
    assert "чтение database" in said
    assert not re.search("preflight|commit|read database", said)


@pytest.mark.parametrize("language", ["fa", "ru"])
def test_a_server_says_in_the_language_where_it_is_and_how_to_begin(tmp_path: Path, language: str) -> None:
    home = make_app(tmp_path / "shop")
    with serving(home.folder, "--lang", language) as (_address, said, process):
        assert process.stdout is not None
        said += process.stdout.readline()
    assert "/api/v1/setup" in said
    assert _english(said) == []


def test_what_doctor_finds_is_said_in_the_language_too(home: AppHome, tmp_path: Path) -> None:
    shutil.copytree(home.folder, tmp_path / "shop", symlinks=True)
    ill = AppHome(tmp_path / "shop")
    (ill.folder / "data/shop.db").rename(ill.folder / "data/gone.db")
    next(ill.folder.glob("backups/full/*.json")).write_text("{")
    for path in ill.folder.glob("offsite/snapshots/*"):
        path.chmod(0o600)
        path.write_bytes(b"no snapshot")
    said = _run(ill, "fa", "doctor", status=1)
    assert "data/shop.db" in said
    assert _english(said) == []
    # Programs read what they always read.
    assert _english(_run(ill, "fa", "doctor", "--json", status=1)) != []
