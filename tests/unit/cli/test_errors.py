"""Whatever stops a command becomes one sentence and an exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable

import click
import pytest

from holdfast.cli.commands import GLOBAL, Command, Group
from holdfast.errors import BackupIncomplete, Interrupted, RepositoryLocked, WrongPassword
from unit.cli.conftest import Run


def failing(act: Callable[[], object]) -> click.Group:
    """A program with one command that does this."""
    command = Command("fail", callback=act, sections=[GLOBAL])
    return Group("holdfast", commands={"fail": command}, sections=[GLOBAL])


def raising(error: BaseException) -> click.Group:
    def act() -> None:
        raise error

    return failing(act)


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (
            WrongPassword(url="/r", keys=2),
            12,
            "the password opens none of the 2 keys of repository /r. Check the password;",
        ),
        (RepositoryLocked(url="/r\x1b", holder="h", since="t"), 11, "repository /r\\x1b is locked by h since t. Wait"),
        (
            BackupIncomplete(snapshot="ab", count=3),
            3,
            "snapshot ab was saved without 3 items that could not be read. See",
        ),
        (KeyboardInterrupt(), 130, "the operation was interrupted. Nothing committed was lost;"),
        (Interrupted(), 130, "the operation was interrupted."),
        (click.Abort(), 130, "the operation was interrupted."),
        (
            ZeroDivisionError("of\nnothing"),
            1,
            "the command stopped on an unexpected error: ZeroDivisionError: of nothing. Run",
        ),
        (MemoryError(), 1, "the command stopped on an unexpected error: MemoryError: -. Run it again with --debug"),
        (click.UsageError("bad\n\nthing"), 2, "bad thing. Run `holdfast fail --help`"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_one_sentence(run: Run, error: BaseException, status: int, sentence: str) -> None:
    done = run("fail", program=raising(error))
    assert (done.status, done.out) == (status, "")
    assert done.err.startswith(f"Error: {sentence}")
    assert done.err.count("\n") == 1


def test_json_form(run: Run) -> None:
    done = run("fail", "--json", program=raising(WrongPassword(url="/r", keys=2)))
    assert done.out == ""
    assert json.loads(done.err) == {
        "message_type": "exit_error",
        "code": "wrong-password",
        "message": "the password opens none of the 2 keys of repository /r",
        "hint": "Check the password; `holdfast repo key list` with a working password shows who owns each key.",
        "exit_code": 12,
    }


def test_traceback_only_when_asked_for(run: Run) -> None:
    assert "Traceback" not in run("fail", program=raising(ValueError("x"))).err
    assert "Traceback" in run("fail", "--debug", program=raising(ValueError("x"))).err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--nonsense"], "No such option '--nonsense'."),
        (["nonsense"], "No such command 'nonsense'."),
        (["repo", "--pack-size", "3", "ls"], "Invalid value for '--pack-size': 3 is not in the range 4<=x<=128."),
        (["repo", "--retry-lock", "5", "ls"], "Invalid value for '--retry-lock': '5' is not a duration such as"),
        (
            ["repo", "-o", "novalue", "ls"],
            "Invalid value for '-o' / '--option': 'novalue' is not written as key=value.",
        ),
        (["--lang", "xx"], "Invalid value for '--lang' / '--language': 'xx' is not one of 'en', 'fa', 'ru', 'tr'."),
    ],
)
def test_usage_errors(run: Run, arguments: list[str], sentence: str) -> None:
    done = run(*arguments)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(f"Error: {sentence}")
    assert " --help` to see what it takes.\n" in done.err
    assert done.err.count("\n") == 1
    assert json.loads(run("--json", *arguments).err)["code"] == "usage"


def test_usage_errors_are_translated(run: Run) -> None:
    assert "nonsense" in run("--lang=ru", "nonsense").err
    assert "No such command" not in run("--lang=ru", "nonsense").err
    assert "No such command" not in run("nonsense", "--lang", "tr").err


def test_status_of_a_command_is_passed_on(run: Run) -> None:
    assert run("fail", program=failing(lambda: 5)).status == 5
    assert run("fail", program=failing(lambda: click.get_current_context().exit(3))).status == 3
    assert run("fail", program=failing(lambda: None)).status == 0


def test_help_without_a_command(run: Run) -> None:
    assert run().status == 0
    assert run().out.startswith("Usage: holdfast")
    done = run("repo")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("Usage: holdfast repo")


_PROGRAM = """
import sys
from holdfast.cli.commands import GLOBAL, Command, Group
from holdfast.cli.main import main
import click

@click.pass_context
def wait(ctx):
    print("ready", flush=True)
    cancel = ctx.find_root().obj.cancel
    cancel.wait(30)
    cancel.raise_if_cancelled()

def flood():
    for number in range(10**6):
        print("line", number)

commands = {"wait": Command("wait", callback=wait), "flood": Command("flood", callback=flood)}
sys.exit(main(program=Group("holdfast", commands=commands, sections=[GLOBAL])))
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals(number: int, status: int) -> None:
    command = [sys.executable, "-c", _PROGRAM, "wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        _out, err = process.communicate(timeout=30)
    assert process.returncode == status
    assert err.startswith("Error: the operation was interrupted.")


def test_a_closed_pipe_is_no_complaint() -> None:
    command = [sys.executable, "-c", _PROGRAM, "flood"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 128 + signal.SIGPIPE


def test_closed_output_is_no_complaint() -> None:
    command = [sys.executable, "-m", "holdfast", "--version"]
    closed = subprocess.run(["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *command], check=False)
    assert closed.returncode == 0
    command = [sys.executable, "-m", "holdfast", "list", "--config", "/nowhere"]
    said = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *command], check=False, stderr=subprocess.PIPE, text=True)
    assert "/nowhere" in said.stderr
    assert "unexpected" not in said.stderr


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "holdfast", "--version"], capture_output=True, env=os.environ, check=True
    )
    assert done.stdout.startswith(b"holdfast ")
