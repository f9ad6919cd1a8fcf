"""Tables and rows of SQLite, brought back and back again by the command that the restore printed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from e2e.app_home import CONFIGURATION, AppHome, make_app
from e2e.deployments import rows

ARCHIVE = CONFIGURATION[: CONFIGURATION.index("[targets.offsite]")]


def undo(home: AppHome, out: str, source: str) -> None:
    """Runs the printed command, word for word."""
    (command,) = re.findall(rf"^{source}: to undo: holdfast (.*)$", out, re.MULTILINE)
    home.run(*shlex.split(command))


@pytest.mark.parametrize(
    ("chosen", "source"), [("orders", "database"), ("orders:id=3", "database"), ("customers", "comments")]
)
def test_undoing_brings_the_old_rows_back(tmp_path: Path, chosen: str, source: str) -> None:
    home = make_app(tmp_path / "app with a blank", ARCHIVE)
    home.create()
    home.sql("UPDATE orders SET total = total + 1")
    home.sql("UPDATE customers SET name = 'changed since'")
    changed = home.state()
    done = home.run("restore", "latest", "--table", chosen, "--yes")
    assert home.state() != changed
    undo(home, done.out, source)
    assert home.state() == changed


def test_the_command_names_the_configuration_that_was_named(tmp_path: Path) -> None:
    home = make_app(tmp_path / "app", ARCHIVE)
    home.create()
    home.sql("DELETE FROM orders")
    where = home.folder / "holdfast.toml"
    done = home.run("--config", where, "restore", "latest", "--table", "orders", "--yes", cwd=tmp_path)
    (command,) = re.findall(r"to undo: holdfast (.*)$", done.out, re.MULTILINE)
    home.run(*shlex.split(command), cwd=tmp_path)
    assert rows(home.folder / "data/shop.db", "orders") == []


def test_a_table_may_be_named_with_the_schema_of_sqlite(tmp_path: Path) -> None:
    home = make_app(tmp_path / "app", ARCHIVE)
    home.create()
    home.sql("DELETE FROM orders")
    home.run("restore", "latest", "--table", "main.orders", "--yes")
    assert len(rows(home.folder / "data/shop.db", "orders")) == 40
