"""A process that writes is killed: the catalog opens, and what was confirmed is in it."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

from holdfast.catalog import open_catalog
from holdfast.model.run import RunState
from holdfast.testing.fake_clock import FakeClock
from unit.catalog.kit import KEY

WRITER = Path(__file__).with_name("writer.py")
KILLS = 6


def test_nothing_confirmed_is_lost(url: str, rng: random.Random) -> None:
    confirmed: list[str] = []
    for _kill in range(KILLS):
        confirmed += killed_writer(url, rng.randrange(1, 60))
        with open_catalog(url, clock=FakeClock(), key=KEY) as catalog:
            for line in confirmed:
                run_id, number = line.split()
                run = catalog.runs.get(run_id)
                assert run is not None
                assert run.state is RunState.SUCCEEDED
                assert run.report == {"entry": int(number)}
            verdict = catalog.audit.verify()
            assert verdict.whole
            assert verdict.entries >= len(confirmed)
    assert len(confirmed) >= KILLS


def killed_writer(url: str, lines: int) -> list[str]:
    """What a writer confirmed before and while it was killed."""
    command = [sys.executable, str(WRITER)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        writer.stdin.write(f"{url}\n")
        writer.stdin.flush()
        confirmed = [writer.stdout.readline().strip() for _line in range(lines)]
        writer.send_signal(signal.SIGKILL)
        # A last line may be cut.
        return confirmed + [line.strip() for line in writer.stdout.read().split("\n")[:-1]]
