"""System calls that fail: a backup that was made is whole, an application is old or new, and every error has a name."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from faults.app_faults import KEPT, Done, FaultyApp
from faults.app_kills import Point, create_again, parts_of, require_tidy, restore_again, rotate_again, with_error
from faults.test_kill_app import Command, Trials, every_command

POINTS = 4
ERRORS = {
    "write": ("ENOSPC", "EIO"),
    "pwrite64": ("ENOSPC", "EIO"),
    "fsync": ("EIO", "ENOSPC"),
    "fdatasync": ("EIO",),
    "rename": ("ENOSPC", "EIO"),
    "renameat2": ("EIO",),
    "link": ("ENOSPC", "EMLINK"),
    "mkdir": ("ENOSPC",),
    "ftruncate": ("EIO",),
    "unlink": ("EIO",),
}


class Failing(Trials):
    """Copies of an application on which a command meets an error."""

    @property
    def _judges(self) -> dict[str, Callable[[FaultyApp, Done], None]]:
        return {"create": self._after_create, "restore": self._after_restore, "rotate": self._after_rotate}

    def meet(self, point: Point, error: str, *, lasting: bool) -> None:
        trial = self._app.copy(self._home / "trial")
        words = f"{point.call} number {point.number} fails with {error}{' from then on' if lasting else ''}"
        print(f"{self._command.name}: {words}")
        done, is_mute = with_error(trial, (*self.arguments, "--json"), point, error, lasting=lasting)
        print(done.err[-1500:])
        if not is_mute:
            require_named(done)
        self._judges[self._command.name](trial, done)
        require_tidy(trial)
        shutil.rmtree(trial.folder)

    def _after_create(self, app: FaultyApp, done: Done) -> None:
        assert parts_of(app) == self.before.live
        ids = app.ids()
        if done.status == 0:
            (backup_id,) = {newest for newest, *_ in ids.values()}
            assert backup_id not in self.before.ids["local"], "success, and no backup"
        else:
            for target, former in self.before.ids.items():
                new = set(ids[target]) - set(former)
                retained = former if done.status != 3 and not new else former[:1]
                assert set(ids[target]) >= set(retained), "a backup is gone after a run that failed"
        app.require_whole()
        create_again(app)

    def _after_restore(self, app: FaultyApp, done: Done) -> None:
        found = parts_of(app)
        for part, content in found.items():
            assert content in (self.before.live[part], self.before.stored[part]), f"{part} is neither old nor new"
        if done.status == 0:
            assert found == self.before.stored, "success, and not restored"
        restore_again(app, self.before.newest)
        assert parts_of(app) == self.before.stored
        assert app.ids() == self.before.ids

    def _after_rotate(self, app: FaultyApp, done: Done) -> None:
        assert parts_of(app) == self.before.live
        stays = {target: ids[:KEPT] for target, ids in self.before.ids.items()}
        ids = app.ids()
        for target, former in self.before.ids.items():
            assert ids[target][:KEPT] == stays[target], "a backup is gone that was to stay"
            assert set(ids[target]) <= set(former)
        if done.status == 0:
            assert ids == stays, "success, and not rotated"
        app.require_whole()
        rotate_again(app)
        assert app.ids() == stays


def require_named(done: Done) -> None:
    """Success, or an error that has a name."""
    assert "Traceback" not in done.out + done.err
    if done.status:
        error = done.error()
        assert error["code"] != "internal-error", error
        assert error["exit_code"] == done.status


@every_command
def test_some_system_calls_fail(tmp_path: Path, rng: random.Random, command: Command) -> None:
    trials = Failing(tmp_path, command)
    for point in rng.sample(trials.points(tuple(ERRORS)), POINTS):
        trials.meet(point, rng.choice(ERRORS[point.call]), lasting=rng.random() < 0.5)


@pytest.mark.deep
@every_command
def test_every_system_call_fails(tmp_path: Path, command: Command) -> None:
    trials = Failing(tmp_path, command)
    for point in trials.points(tuple(ERRORS)):
        for error in ERRORS[point.call]:
            for lasting in (False, True):
                trials.meet(point, error, lasting=lasting)
