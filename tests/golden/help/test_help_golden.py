"""The help of every command is as it was when it was last looked at."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from holdfast.cli.main import COMMANDS as PROGRAM
from holdfast.cli.main import main
from holdfast.cli.repo import COMMANDS
from holdfast.cli.text import LANGUAGES, set_language

FOLDER = Path(__file__).parent
SUBCOMMANDS = {"key": ["list", "add", "remove", "passwd"], "repair": ["index", "packs", "snapshots"]}


def written() -> list[str]:
    names = [name for name, row in COMMANDS.items() if find_spec(row.target.partition(":")[0])]
    nested = [f"{name} {sub}" for name in names for sub in SUBCOMMANDS.get(name, [])]
    program = [*PROGRAM, *(f"config {sub}" for sub in ("check", "show", "schema"))]
    return ["", *sorted(program), *(f"repo {name}" for name in sorted([*names, *nested]))]


def help_of(command: str, capfd: pytest.CaptureFixture[str], *arguments: str) -> str:
    capfd.readouterr()
    assert main([*arguments, *command.split(), "--help"]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    return out


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG", "LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("command", written(), ids=lambda command: command or "holdfast")
def test_help(command: str, capfd: pytest.CaptureFixture[str], update_golden: bool) -> None:
    golden = FOLDER / f"{command.replace(' ', '_') or 'holdfast'}.txt"
    shown = help_of(command, capfd)
    if update_golden:
        golden.write_text(shown)
    assert golden.exists(), "run pytest --update-golden and look at the new file"
    assert shown == golden.read_text(), "run pytest --update-golden and look at the difference"


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_help_is_translated(language: str, capfd: pytest.CaptureFixture[str]) -> None:
    english = help_of("repo", capfd).splitlines()
    translated = help_of("repo", capfd, "--lang", language).splitlines()
    set_language("en")
    same = {line.strip() for line in english} & {line.strip() for line in translated} - {""}
    assert not {line for line in same if " " in line and "[" not in line}
