"""A thousand clients who send a byte now and then, or never read, while others are answered."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from e2e.served import serving
from e2e.test_serve import application

_CLIENTS = 1000
_KINDS = (
    b"",
    b"G",
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
    b"POST /api/v1/setup HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\nContent-Length: 60000\r\n\r\n{",
    b"GET /api/v1/admin/backup/list HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20,
)


@pytest.fixture
def many_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, before[1]), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_very_long_range_is_refused_at_once(tmp_path: Path) -> None:
    with serving(application(tmp_path / "app")) as (address, _said, _process):
        for wanted in ("0-1," * 16384, "9" * 65536, " " * 65536 + "0-"):
            answer = requests.get(f"{address}/healthz", headers={"Range": f"bytes={wanted}"}, timeout=30)
            assert answer.status_code in (400, 413)
        assert requests.get(f"{address}/healthz", timeout=30).status_code == 200


def test_a_thousand_slow_clients_keep_nobody_from_being_answered(tmp_path: Path, many_files: None) -> None:
    folder = application(tmp_path / "app")
    with serving(folder) as (address, _said, process), contextlib.ExitStack() as stack:
        port = int(address.rpartition(":")[2])
        slow: list[socket.socket] = []
        for number in range(_CLIENTS):
            made = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
            with contextlib.suppress(OSError):
                made.sendall(_KINDS[number % len(_KINDS)])
            slow.append(made)
            if number % 50 == 0:
                assert requests.get(f"{address}/healthz", timeout=30).json() == {"status": "ok"}
        for made in slow:
            with contextlib.suppress(OSError):
                made.sendall(b"x")
        for _turn in range(20):
            assert requests.get(f"{address}/healthz", timeout=30).json() == {"status": "ok"}

        assert len(os.listdir(f"/proc/{process.pid}/fd")) < _CLIENTS
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
        assert core.split()[4:6] == ["0", "0"]
