"""A source that has nothing in it any more is refused: neither backed up as nothing nor rotated away."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from faults.app_faults import ARCHIVE, HEAD, REPOSITORY, SQLITE, FaultyApp

TREES = """
[sources.storage]
kind = "files"
paths = ["storage", "media"]

[sources.config]
kind = "config"
paths = [".env"]
"""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> FaultyApp:
    app = FaultyApp(tmp_path_factory.mktemp("original"))
    (app.folder / "media").mkdir()
    (app.folder / "media/film.mp4").write_bytes(b"film")
    return app.prepare(HEAD + SQLITE + TREES + ARCHIVE + REPOSITORY)


@pytest.fixture
def app(original: FaultyApp, tmp_path: Path) -> FaultyApp:
    return original.copy(tmp_path / "app")


def truncated(app: FaultyApp) -> None:
    (app.folder / "shop.db").write_bytes(b"")


def dropped(app: FaultyApp) -> None:
    with closing(sqlite3.connect(app.folder / "shop.db")) as database:
        database.execute("DROP TABLE orders")


def replaced(app: FaultyApp) -> None:
    """An application that makes an empty database where it finds none."""
    (app.folder / "shop.db").unlink()
    with closing(sqlite3.connect(app.folder / "shop.db")) as database:
        database.execute("PRAGMA journal_mode = WAL")


def unmounted(app: FaultyApp) -> None:
    """One disk of two; only its mount point is left."""
    shutil.rmtree(app.folder / "media")
    (app.folder / "media").mkdir()


def without_files(app: FaultyApp) -> None:
    """Folders alone are no content."""
    for name in ("storage", "media"):
        for path in (app.folder / name).rglob("*"):
            if path.is_file():
                path.unlink()


EMPTIED = [
    (truncated, "database", "it has no table"),
    (dropped, "database", "it has no table"),
    (replaced, "database", "it has no table"),
    (unmounted, "storage", "there is no file in media"),
    (without_files, "storage", "there is no file in media, storage"),
]


@pytest.mark.parametrize(("empties", "source", "reason"), EMPTIED, ids=lambda one: getattr(one, "__name__", ""))
def test_refused_until_it_is_accepted(
    app: FaultyApp, empties: Callable[[FaultyApp], None], source: str, reason: str
) -> None:
    before, finals = app.ids(), app.finals()
    empties(app)
    done = app.run("create", "--json")
    error = done.error()
    assert (done.status, error["code"]) == (1, "source-emptied"), done.err
    assert error["message"].startswith(f"source {source} is empty now: {reason}")
    assert (app.ids(), app.finals()) == (before, finals)
    assert app.leftovers() == []

    assert app.run("create", "--accept-empty", source).status == 0
    grown = app.ids()
    assert all(set(ids) >= set(before[target][:1]) for target, ids in grown.items())
    assert app.run("create").status == 0, "it was accepted, and there is nothing new to be told"
    app.require_whole()


@pytest.mark.parametrize("empties", [truncated, unmounted])
def test_changes_that_leave_nothing_are_refused(app: FaultyApp, empties: Callable[[FaultyApp], None]) -> None:
    empties(app)
    done = app.run("create", "--json", "--type", "incremental", "--target", "local")
    assert done.error()["code"] == "source-emptied"


def test_the_first_backup_may_be_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    app = FaultyApp(tmp_path / "app")
    (app.folder / "media").mkdir()
    app.prepare(HEAD + SQLITE + TREES + ARCHIVE, former=0)
    without_files(app)
    truncated(app)
    assert app.run("create").status == 0
    assert app.run("create").status == 0


def test_a_name_that_is_none_is_refused(app: FaultyApp) -> None:
    done = app.run("create", "--json", "--accept-empty", "databse")
    assert (done.status, done.error()["code"]) == (2, "unknown-name")


def test_a_missing_configuration_file_is_for_its_own_setting(app: FaultyApp) -> None:
    (app.folder / ".env").unlink()
    done = app.run("create", "--json")
    assert done.status == 0, json.dumps(done.err)
