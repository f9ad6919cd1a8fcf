"""One run at a time, and none that a dead one could keep out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.errors import AppBusy, TargetError
from holdfast.operations.lock import LOCK_NAME, lock_holder, run_lock
from unit.operations.app import App

RUN = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from unit.operations.app import App
app = App(Path(sys.argv[1]), command="holdfast create")
stop = sys.argv[3]
scratch = Path(sys.argv[1]) / "scratch"
def wait(step):
    if step == stop:
        (scratch / "left").write_text("behind")
        print("here", flush=True)
        sys.stdin.read()
app.sources["storage"].step = wait
app.create()
"""


@contextmanager
def other_run(app: App, stop: str = "entries:native") -> Generator[subprocess.Popen[bytes]]:
    """Another process that stands still in the middle of a run for the same application."""
    tests = Path(__file__).parent.parent.parent
    command = [sys.executable, "-c", RUN, str(app.context.state_dir), str(tests), stop]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"here\n"
        yield process
        process.kill()


def test_two_runs_at_once_are_refused_and_the_other_is_named(app: App) -> None:
    with other_run(app) as other:
        with pytest.raises(AppBusy) as caught:
            app.create()
        assert caught.value.exit_code == 11
        assert f"process {other.pid}" in str(caught.value)
        assert "holdfast create" in str(caught.value)
        assert lock_holder(app.context)
        assert app.ids() == []
    assert "ERROR" in app.log.read_text()


@pytest.mark.parametrize("stop", ["preflight", "entries:native", "end", "release"])
def test_a_run_that_was_killed_keeps_nobody_out(app: App, stop: str) -> None:
    app.context.state_dir.mkdir(mode=0o700)
    (app.context.state_dir / "scratch").mkdir(mode=0o700)
    with other_run(app, stop) as other:
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        report = app.create()
    assert report.failure is None
    assert app.ids() == [report.backup_id]
    assert list((app.context.state_dir / "scratch").iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"\x00\xff garbage", b'{"pid": 1}', b"x" * 100_000])
def test_what_is_written_in_the_lock_is_never_believed(app: App, content: bytes) -> None:
    app.context.state_dir.mkdir(mode=0o700)
    (app.context.state_dir / LOCK_NAME).write_bytes(content)
    assert app.create().failure is None
    with run_lock(app.context):
        os.truncate(app.context.state_dir / LOCK_NAME, 0)
        with pytest.raises(AppBusy) as caught, run_lock(app.context):
            pass
        assert "has not said who it is" in str(caught.value)


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_state_directory_that_others_can_write_is_refused(app: App, mode: int) -> None:
    app.context.state_dir.mkdir()
    app.context.state_dir.chmod(mode)
    with pytest.raises(TargetError, match="others than its owner"):
        app.create()


def test_what_is_made_is_private(app: App) -> None:
    app.create()
    for path in [app.context.state_dir, *app.context.state_dir.rglob("*"), app.log]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_link_in_the_place_of_the_lock_is_not_followed(app: App, tmp_path: Path) -> None:
    app.context.state_dir.mkdir(mode=0o700)
    (tmp_path / "victim").write_text("precious")
    (app.context.state_dir / LOCK_NAME).symlink_to(tmp_path / "victim")
    with pytest.raises(TargetError):
        app.create()
    assert (tmp_path / "victim").read_text() == "precious"


def test_two_applications_do_not_lock_each_other(make_app: Callable[..., App], tmp_path: Path) -> None:
    one, other = make_app(), App(tmp_path / "other")
    with run_lock(one.context):
        assert other.create().failure is None


def test_folders_above_the_state_directory_are_private_whatever_the_umask(tmp_path: Path) -> None:
    app = App(tmp_path / "deep" / "deeper" / "state")
    before = os.umask(0)
    try:
        app.create()
    finally:
        os.umask(before)
    modes = [folder.stat().st_mode & 0o777 for folder in (tmp_path / "deep", tmp_path / "deep" / "deeper")]
    assert modes == [0o700, 0o700]
