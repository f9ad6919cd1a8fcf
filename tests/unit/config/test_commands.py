"""`holdfast config` and `holdfast init` as a person types them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from holdfast.cli.main import main
from holdfast.cli.text import set_language

GOOD = """\
[app]
name = "shop"
[sources.db]
kind = "sqlite"
path = "app.db"
[targets.off]
kind = "repository"
url = "r"
password = "hunter2"
[environments.live.app]
timezone = "Asia/Tehran"
"""


class Finished(NamedTuple):
    """One finished command line."""

    status: int
    out: str
    err: str


Run = Callable[..., Finished]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Run]:
    """Runs a command line in a folder of its own, in English."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG", "LANGUAGE", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    set_language("en")

    def run(*arguments: str) -> Finished:
        capfd.readouterr()
        return Finished(main(arguments), *capfd.readouterr())

    yield run
    set_language("en")


def test_check_says_that_all_is_well_and_warns(run: Run, tmp_path: Path) -> None:
    (tmp_path / "holdfast.toml").write_text(GOOD)
    done = run("config", "check")
    assert (done.status, done.out) == (0, f"{tmp_path}/holdfast.toml is in order.\n")
    assert done.err.startswith(f"Warning: {tmp_path}/holdfast.toml, line 9: targets.off.password: a secret stands here")
    assert "hunter2" not in done.err


def test_check_names_everything_and_ends_with_2(run: Run, tmp_path: Path) -> None:
    (tmp_path / "holdfast.toml").write_text(GOOD.replace("path", "pth").replace('"r"', "3"))
    done = run("config", "check")
    assert done.status == 2
    assert done.out.splitlines() == [
        f"Error: {tmp_path}/holdfast.toml, line 3: sources.db.path: this is missing",
        f"Error: {tmp_path}/holdfast.toml, line 5: sources.db.pth: there is no such key; did you mean path?",
        f"Error: {tmp_path}/holdfast.toml, line 8: targets.off.url: expected text, not a whole number",
        "3 errors.",
    ]
    as_json = run("config", "check", "--json")
    document = json.loads(as_json.out)
    assert as_json.status == 2
    assert (document["valid"], len(document["errors"]), len(document["warnings"])) == (False, 3, 1)
    assert document["errors"][1] == {
        "path": f"{tmp_path}/holdfast.toml",
        "line": 5,
        "key": "sources.db.pth",
        "reason": "there is no such key; did you mean path?",
    }


def test_check_of_something_that_is_not_toml(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("[app]\nname = shop\n")
    done = run("config", "check", "--config", "x.toml")
    assert done.status == 2
    assert "line 2: app.name: this is no value" in done.out


def test_other_words_for_no_file_and_no_environment(run: Run, tmp_path: Path) -> None:
    assert run("config", "check").status == 2
    (tmp_path / "holdfast.toml").write_text(GOOD)
    done = run("config", "--env", "test", "show")
    assert done.status == 2
    assert done.err.startswith("Error: there is no environment named test (there is: live).")


def test_show_hides_secrets_and_obeys_the_environment(run: Run, tmp_path: Path) -> None:
    (tmp_path / "holdfast.toml").write_text(GOOD)
    done = run("config", "show", "--env", "live")
    assert done.status == 0
    assert 'password = "(hidden)"' in done.out
    assert 'timezone = "Asia/Tehran"' in done.out
    assert "hunter2" not in done.out + done.err
    document = json.loads(run("config", "show", "--json").out)
    assert document["config"]["targets"]["off"]["password"] == "(hidden)"
    assert document["config"]["app"]["timezone"] == "UTC"


def test_show_of_a_bad_file_is_an_error(run: Run, tmp_path: Path) -> None:
    (tmp_path / "holdfast.toml").write_text(GOOD.replace("shop", ""))
    done = run("config", "show")
    assert (done.status, done.out) == (2, "")
    assert "line 2: app.name" in done.err


def test_schema_is_json(run: Run) -> None:
    done = run("config", "schema")
    assert done.status == 0
    assert json.loads(done.out) == json.loads(run("config", "schema", "--json").out)


def test_messages_are_whole_in_every_language(run: Run, tmp_path: Path) -> None:
    (tmp_path / "holdfast.toml").write_text(GOOD.replace("path", "pth"))
    for language in ("fa", "ru", "tr"):
        done = run("config", "check", "--lang", language)
        assert done.status == 2
        assert "sources.db.pth" in done.out
        assert "{" not in done.out


def test_init_then_check(run: Run, tmp_path: Path) -> None:
    (tmp_path / "app.db").write_bytes(b"SQLite format 3\0" + bytes(100))
    dry = run("init", "--dry-run")
    assert dry.status == 0
    assert not (tmp_path / "holdfast.toml").exists()
    assert "[sources.database]" in dry.out
    done = run("init")
    assert done.status == 0
    assert "  database (sqlite): the file is a SQLite database" in done.out
    assert (tmp_path / "holdfast.toml").read_text().rstrip("\n") in dry.out
    assert run("config", "check").status == 0
    again = run("init")
    assert (again.status, again.out) == (2, "")
    assert again.err.startswith(f"Error: {tmp_path}/holdfast.toml is there already.")


def test_init_as_json(run: Run, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    document = json.loads(run("init", "app", "--json", "--dry-run").out)
    assert document["written"] is False
    assert document["path"] == str(tmp_path / "app" / "holdfast.toml")
    assert [source["name"] for source in document["sources"]] == ["files", "config"]
    assert document["content"].startswith("# What Holdfast backs up")


def test_init_of_a_folder_that_is_not_there(run: Run) -> None:
    assert run("init", "nowhere").status == 2
