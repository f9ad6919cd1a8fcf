"""Progress for people and for programs."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys

from holdfast.cli.output import Printer
from holdfast.cli.progress import ProgressListener
from holdfast.model.event import Progress, Warned
from holdfast.testing.fake_clock import FakeClock


def shown(seconds: int, **named: object) -> tuple[str, str]:
    """What is printed by an operation that reports ten times a second."""
    out, err = io.StringIO(), io.StringIO()
    clock = FakeClock()
    with ProgressListener(Printer(out=out, err=err, **named), clock) as listener:  # type: ignore[arg-type]
        for tenth in range(seconds * 10):
            listener(Progress(phase="backup", items_done=tenth, bytes_done=tenth << 20, bytes_total=seconds * 10 << 20))
            clock.sleep(0.1)
        listener(Warned(code="unreadable", subject="/a\n", detail="Permission denied"))
        listener(Warned(code="unreadable", subject="/b"))
        assert listener.warnings == 2
    return out.getvalue(), err.getvalue()


def test_short_operations_say_nothing() -> None:
    assert shown(5) == ("", "Warning: /a\\x0a: Permission denied\nWarning: /b: unreadable\n")


def test_long_operations_say_a_line_now_and_then() -> None:
    out, err = shown(35)
    assert out == ""
    lines = err.splitlines()[:-2]
    assert len(lines) == 3
    assert lines[0] == "[0:10] 28.57% backup 100 100.000 MiB / 350.000 MiB"


def test_quiet_shows_warnings_only() -> None:
    out, err = shown(35, quiet=True)
    assert (out, err.count("\n")) == ("", 2)


def test_programs_get_documents() -> None:
    out, err = shown(5, json_output=True)
    documents = [json.loads(line) for line in out.splitlines()]
    assert 4 <= len(documents) <= 6
    assert {document["message_type"] for document in documents} == {"status"}
    assert documents[-1]["percent_done"] > 0.7
    assert json.loads(err.splitlines()[0]) == {
        "message_type": "warning", "code": "unreadable", "subject": "/a\n", "detail": "Permission denied",
    }  # fmt: skip


_PROGRAM = """
import time
from holdfast.cli.output import Printer
from holdfast.cli.progress import ProgressListener
from holdfast.model.event import Progress
with ProgressListener(Printer()) as listener:
    for step in range(15):
        listener(Progress(phase="backup", bytes_done=step << 20, bytes_total=15 << 20, current="/x[bold]\\x1b"))
        time.sleep(0.1)
"""


def test_terminals_get_a_bar() -> None:
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "120"}
    process = subprocess.Popen([sys.executable, "-c", _PROGRAM], stderr=theirs, stdin=theirs, env=environment)
    os.close(theirs)
    seen = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        seen += part
    os.close(ours)
    assert process.wait(30) == 0
    assert b"MiB / 15.000 MiB" in seen
    assert b"/x[bold]\\x1b" in seen
