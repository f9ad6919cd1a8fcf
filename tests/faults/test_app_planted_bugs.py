"""Each promise about whole backups is broken once, and its test has to notice."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from faults import test_false_success
from faults.app_faults import ARCHIVE, FILES, HEAD, REPOSITORY, SQLITE, FaultyApp, require_no_success
from faults.app_kills import Point
from faults.app_planted import (
    COMMIT_FIRST,
    END_MARKER_IGNORED,
    EXCHANGED_IN_STEPS,
    EXIT_STATUS_IGNORED,
    RETENTION_ALWAYS,
    SOURCE_ERRORS_SWALLOWED,
    Bug,
    plant,
)
from faults.test_false_success import COMMAND, COMMAND_CASES, HALF_CASES, Case
from faults.test_kill_app import COMMANDS, Trials

CASES = {case.name: case for case in COMMAND_CASES}


@pytest.mark.parametrize(
    ("bug", "case"),
    [
        (EXIT_STATUS_IGNORED, CASES["exit 1 after everything"]),
        (END_MARKER_IGNORED, CASES["half"]),
        (SOURCE_ERRORS_SWALLOWED, CASES["exit 1 after everything"]),
        (COMMIT_FIRST, CASES["exit 1 after everything"]),
    ],
    ids=lambda part: part.name.replace(" ", "-"),
)
def test_a_false_success_is_noticed(tmp_path: Path, bug: Bug, case: Case) -> None:
    app = FaultyApp(tmp_path / "app")
    app.folder.mkdir()
    app.prepare(HEAD + COMMAND + ARCHIVE)
    plant(app, bug, tmp_path / "planted")
    with pytest.raises(AssertionError, match=r"exit status|is listed"):
        require_no_success(app, case, tmp_path / "restored")


def test_retention_after_a_failure_is_noticed(tmp_path: Path) -> None:
    app = FaultyApp(tmp_path / "app")
    app.folder.mkdir()
    app.prepare(HEAD + SQLITE + FILES + ARCHIVE + REPOSITORY)
    plant(app, RETENTION_ALWAYS, tmp_path / "planted")
    with pytest.raises(AssertionError, match="rotated"):
        test_false_success.test_one_of_two_targets_fails(lambda _: app, HALF_CASES[0])


def kill_at_all(trials: Trials, points: Iterable[Point]) -> None:
    for point in points:
        trials.kill(point)


def test_half_an_application_is_noticed(tmp_path: Path) -> None:
    _, restore, _ = COMMANDS
    trials = Trials(tmp_path, restore, bug=lambda app: plant(app, EXCHANGED_IN_STEPS, tmp_path / "planted"))
    renames = trials.points(("rename",))
    with pytest.raises((AssertionError, OSError), match=r"gone|unable|No such"):
        kill_at_all(trials, renames[-12:])


def test_the_oracle_itself_is_calm(tmp_path: Path) -> None:
    """Where nothing is planted, nothing is noticed: the tests above fail for their bugs and not by themselves."""
    app = FaultyApp(tmp_path / "app")
    app.folder.mkdir()
    app.prepare(HEAD + COMMAND + ARCHIVE)
    nothing = Bug("nothing", "sources/command.py", "if self._marker and not", "if self._marker and not")
    plant(app, nothing, tmp_path / "planted")
    require_no_success(app, CASES["half"], tmp_path / "restored")
