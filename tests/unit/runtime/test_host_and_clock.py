"""The machine, its users, its processes and its time."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from holdfast.runtime import host, randomness
from holdfast.runtime.clock import Clock, SystemClock
from holdfast.testing.fake_clock import FakeClock


def test_names_of_users_and_groups() -> None:
    assert host.user_name(0) == "root"
    assert host.group_name(0) == "root"
    assert host.user_name(3_999_999_999) == ""
    assert host.group_name(1 << 70) == ""
    assert host.hostname()


def test_living_and_dead_processes() -> None:
    assert host.pid_alive(os.getpid())
    assert not host.pid_alive(0)
    assert not host.pid_alive(-1)
    assert not host.pid_alive(1 << 70)
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read()
    deadline = time.monotonic() + 20
    while host.pid_alive(process.pid):
        assert time.monotonic() < deadline, "an ended, unreaped process counts as alive"
    process.wait()
    process.stdout.close()
    assert not host.pid_alive(process.pid)


def test_system_clock_knows_the_local_offset() -> None:
    now = SystemClock().now()
    assert abs(now.ns - time.time_ns()) < 10_000_000_000
    assert now.offset_s == time.localtime(now.ns // 10**9).tm_gmtoff


def test_fake_clock_moves_only_when_told() -> None:
    fake = FakeClock(ns=5, offset_s=3600)
    clock: Clock = fake
    clock.sleep(1.5)
    clock.sleep(-1)
    assert clock.now().ns == 5 + 1_500_000_000
    assert clock.monotonic() == 1.5
    assert fake.slept == [1.5, -1]
    fake.set_wall(0, 0)
    assert (clock.now().ns, clock.now().offset_s, clock.monotonic()) == (0, 0, 1.5)


def test_nonces_differ() -> None:
    assert len({randomness.random_nonce() for _ in range(100)}) == 100
    assert len(randomness.random_bytes(64)) == 64
