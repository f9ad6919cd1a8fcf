"""Cancelling from threads and from signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from holdfast.errors import Interrupted
from holdfast.runtime.cancel import CancelToken, install_signal_handlers


def test_cancel_wakes_everybody_who_waits() -> None:
    token = CancelToken()
    woken: list[bool] = []
    waiting = [threading.Thread(target=lambda: woken.append(token.wait(30))) for _ in range(5)]
    for thread in waiting:
        thread.start()
    token.cancel()
    token.cancel()
    for thread in waiting:
        thread.join(10)
    assert woken == [True] * 5
    assert token.wait(30)
    with pytest.raises(Interrupted):
        token.raise_if_cancelled()


def test_wait_ends_by_itself() -> None:
    token = CancelToken()
    assert not token.wait(0.01)
    assert not token.wait(-1)
    token.raise_if_cancelled()


def test_signal_cancels_once() -> None:
    token = CancelToken()
    former = signal.getsignal(signal.SIGINT)
    restore = install_signal_handlers(token)
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        assert token.wait(10)
        assert token.signal_number == signal.SIGTERM
    finally:
        restore()
    # Whoever runs this in the background has it ignored.
    assert signal.getsignal(signal.SIGINT) is former


def test_a_hangup_is_survived_and_cancels_nothing() -> None:
    token = CancelToken()
    former = signal.getsignal(signal.SIGHUP)
    restore = install_signal_handlers(token)
    try:
        os.kill(os.getpid(), signal.SIGHUP)
        assert not token.wait(0.05)
    finally:
        restore()
    assert signal.getsignal(signal.SIGHUP) is former


_PROGRAM = """
import time
from holdfast.runtime.cancel import CancelToken, install_signal_handlers
token = CancelToken()
install_signal_handlers(token)
print("ready", flush=True)
token.wait(30)
print("cancelled", flush=True)
time.sleep(30)
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_second_signal_ends_the_process_at_once(number: int, status: int) -> None:
    started = time.monotonic()
    with subprocess.Popen([sys.executable, "-c", _PROGRAM], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.readline() == "cancelled\n"
        process.send_signal(number)
        assert process.wait(20) == status
    assert time.monotonic() - started < 25
