"""Backups, restores and retention killed at system calls: everything committed is whole, everything else old or new."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from faults.app_faults import KEPT, FaultyApp, Ids
from faults.app_kills import (
    STEPS,
    WRITES,
    Point,
    State,
    changed_app,
    create_again,
    killed,
    parts_of,
    require_tidy,
    restore_again,
    rotate_again,
    traced,
)

POINTS = 14
WRITTEN = 4


class Before(NamedTuple):
    """What there was before the kill, and what a restore brings back."""

    ids: Ids
    live: State
    stored: State

    @property
    def newest(self) -> str:
        return self.ids["local"][0]


def after_create(app: FaultyApp, before: Before) -> None:
    assert parts_of(app) == before.live
    for target, ids in app.ids().items():
        former = before.ids[target]
        new = [one for one in ids if one not in former]
        assert len(new) <= 1
        # Retention is the last step of the command, after the new backup is listed and whole.
        assert set(ids) >= set(former[: KEPT - 1] if new else former), "a backup is gone"
    app.require_whole()
    backup_id = create_again(app)
    assert {ids[0] for ids in app.ids().values()} == {backup_id}
    app.require_whole()


def after_restore(app: FaultyApp, before: Before) -> None:
    found = parts_of(app)
    for part, content in found.items():
        assert content in (before.live[part], before.stored[part]), f"{part} is neither old nor new"
    assert app.ids() == before.ids
    app.require_whole()
    restore_again(app, before.newest)
    assert parts_of(app) == before.stored
    kept = [path.name for path in app.folder.iterdir() if ".before-restore-" in path.name]
    assert len(kept) <= 2 * len(found) + 4, kept


def after_rotate(app: FaultyApp, before: Before) -> None:
    assert parts_of(app) == before.live
    for target, ids in app.ids().items():
        assert ids[:KEPT] == before.ids[target][:KEPT], "a backup is gone that was to stay"
        assert set(ids) <= set(before.ids[target])
    app.require_whole()
    rotate_again(app)
    assert app.ids() == {target: ids[:KEPT] for target, ids in before.ids.items()}
    app.require_whole()


class Command(NamedTuple):
    """A command to be killed, and what must hold then."""

    name: str
    arguments: tuple[str, ...]
    after: Callable[[FaultyApp, Before], None]


COMMANDS = [
    Command("create", ("create",), after_create),
    Command("restore", ("restore", "ID", "--yes"), after_restore),
    Command("rotate", ("rotate", "--yes"), after_rotate),
]
every_command = pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)


class Trials:
    """An application, and copies of it on which a command is killed.

    Args:
        home: a folder for everything.
        bug: plants one into what the command runs.
    """

    def __init__(self, home: Path, command: Command, bug: Callable[[FaultyApp], None] = lambda _: None) -> None:
        self._home = home
        self._app = changed_app(home / "original")
        bug(self._app)
        self._command = command
        ids = self._app.ids()
        restored = self._app.copy(home / "restored")
        restore_again(restored, ids["local"][0])
        self.before = Before(ids, parts_of(self._app), parts_of(restored))
        assert self.before.live != self.before.stored
        self.arguments = tuple(ids["local"][0] if word == "ID" else word for word in command.arguments)
        shutil.rmtree(restored.folder)

    def points(self, calls: tuple[str, ...]) -> list[Point]:
        trial = self._app.copy(self._home / "counting")
        found = traced(trial, self.arguments, calls)
        shutil.rmtree(trial.folder)
        return found

    def kill(self, point: Point) -> bool:
        trial = self._app.copy(self._home / "trial")
        print(f"{self._command.name} killed at {point.call} number {point.number}")
        was_killed = killed(trial, self.arguments, point)
        self._command.after(trial, self.before)
        require_tidy(trial)
        shutil.rmtree(trial.folder)
        return was_killed


@every_command
def test_killed_at_some_system_calls(tmp_path: Path, rng: random.Random, command: Command) -> None:
    trials = Trials(tmp_path, command)
    steps, writes = trials.points(STEPS), trials.points(WRITES)
    chosen = rng.sample(steps, min(POINTS, len(steps))) + rng.sample(writes, min(WRITTEN, len(writes)))
    hits = sum(trials.kill(point) for point in chosen)
    assert hits > len(chosen) // 2, "the points are not those of the command"


@pytest.mark.deep
@every_command
def test_killed_at_every_system_call(tmp_path: Path, command: Command) -> None:
    trials = Trials(tmp_path, command)
    steps, writes = trials.points(STEPS), trials.points(WRITES)
    for point in steps + writes:
        trials.kill(point)
