"""What people are told is in their language, values and all; what programs read is English."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from e2e.app_home import AppHome, make_app

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
