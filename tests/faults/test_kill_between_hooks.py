"""A run killed between the hooks that stop the application and those that start it again."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest

from faults.app_faults import ARCHIVE, FILES, HEAD, SQLITE, FaultyApp
from faults.app_kills import STEPS, killed, traced

POINTS = 6
HOOKS = """
[hooks]
before_restore = ["touch stopped"]
after_restore = ["rm -f stopped"]
before_backup = ["touch stopped"]
after_backup = ["rm -f stopped"]
"""
COMMANDS = {"restore": ("restore", "latest", "--yes"), "create": ("create",)}


def examined(app: FaultyApp, *options: str) -> list[str]:
    """Codes of what doctor says must be put right about hooks."""
    done = app.run("doctor", "--json", *options)
    findings = json.loads(done.out)["findings"]
    return [finding["code"] for finding in findings if finding["code"] == "hooks-due"]


def require_brought_back(app: FaultyApp) -> bool:
    """Whether the application was left stopped, which is told and can be put right."""
    was_stopped = (app.folder / "stopped").exists()
    found = examined(app)
    assert found or not was_stopped, "the application is stopped, and nobody says so"
    assert examined(app, "--finish-hooks") == []
    assert not (app.folder / "stopped").exists()
    assert examined(app) == []
    return was_stopped


@pytest.mark.parametrize("name", COMMANDS)
def test_killed_by_its_own_hook(tmp_path: Path, name: str) -> None:
    app = FaultyApp(tmp_path).prepare(HEAD + SQLITE + ARCHIVE, former=1)
    killing = HOOKS.replace("touch stopped", "sh -c 'touch stopped; kill -9 $PPID'")
    app.write("holdfast.toml", HEAD + SQLITE + ARCHIVE + killing)
    assert app.run(*COMMANDS[name]).status == -9
    app.write("holdfast.toml", HEAD + SQLITE + ARCHIVE + HOOKS)
    assert examined(app) == ["hooks-due"]
    warned = app.run("create", "--source", "database", "--type", "database")
    assert "holdfast doctor --finish-hooks" in warned.err
    if name == "restore":
        assert (app.folder / "stopped").exists() is False, "the hooks of the backup remove the same file"
        assert examined(app) == ["hooks-due"], "what a restore owes is not settled by a backup"
    require_brought_back(app)


@pytest.mark.parametrize("name", COMMANDS)
def test_killed_at_some_system_calls(tmp_path: Path, rng: random.Random, name: str) -> None:
    (tmp_path / "app").mkdir()
    app = FaultyApp(tmp_path / "app").prepare(HEAD + SQLITE + FILES + ARCHIVE + HOOKS, former=1)
    counting = app.copy(tmp_path / "counting")
    points = traced(counting, COMMANDS[name], STEPS)
    assert not (counting.folder / "stopped").exists()
    assert examined(counting) == []
    stopped = 0
    for point in rng.sample(points, min(POINTS, len(points))):
        trial = app.copy(tmp_path / "trial")
        print(f"{name} killed at {point.call} number {point.number}")
        killed(trial, COMMANDS[name], point)
        stopped += require_brought_back(trial)
        shutil.rmtree(trial.folder)
    assert stopped, "no point was between the hooks"
