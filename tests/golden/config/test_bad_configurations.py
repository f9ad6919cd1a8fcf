"""Every bad configuration is refused with exactly these messages, each with its line and key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from golden.config.bad_cases import CASES
from holdfast.config.load import check_config, load_config
from holdfast.errors import ConfigInvalid, ExitCode

GOLDEN = Path(__file__).parent / "bad_configurations.json"
VARIABLES = {"PATH": "/usr/bin:/bin", "EMPTY": "", "WORD": "seven", "P": "hunter2"}
SECRET = "hunter2"


def wrong(folder: Path, text: str) -> list[ConfigInvalid]:
    (folder / "holdfast.toml").write_text(text)
    (folder / "empty").touch(mode=0o600)
    environment = "staging" if "[environments.staging" in text else None
    return check_config(None, environment, VARIABLES, folder)


def said(folder: Path, error: ConfigInvalid) -> str:
    return str(error).replace(f"{folder}/", "")


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory, update_golden: bool) -> dict[str, list[str]]:
    if update_golden:
        folder = tmp_path_factory.mktemp("bad")
        found = {name: [said(folder, error) for error in wrong(folder, text)] for name, text in CASES.items()}
        GOLDEN.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    assert GOLDEN.exists(), "run pytest --update-golden and look at the new file"
    known: dict[str, list[str]] = json.loads(GOLDEN.read_text())
    return known


def test_there_are_more_than_a_hundred(golden: dict[str, list[str]]) -> None:
    assert sorted(golden) == sorted(CASES)
    assert len(CASES) > 150


@pytest.mark.parametrize("name", CASES)
def test_message(name: str, tmp_path: Path, golden: dict[str, list[str]]) -> None:
    errors = wrong(tmp_path, CASES[name])
    assert [said(tmp_path, error) for error in errors] == golden[name]
    assert errors, "a bad configuration passed"
    lines = CASES[name].split("\n")
    for error in errors:
        line = error.context["line"]
        assert isinstance(line, int)
        assert 1 <= line <= len(lines)
        assert error.context["key"]
        assert error.exit_code == ExitCode.USAGE
        assert SECRET not in str(error)
        assert "{" not in str(error.context["reason"]).replace("${", "")


@pytest.mark.parametrize("name", CASES)
def test_loading_raises_the_first(name: str, tmp_path: Path, golden: dict[str, list[str]]) -> None:
    wrong(tmp_path, CASES[name])
    environment = "staging" if "[environments.staging" in CASES[name] else None
    with pytest.raises(ConfigInvalid) as refused:
        load_config(None, environment, VARIABLES, tmp_path)
    assert said(tmp_path, refused.value) == golden[name][0]
