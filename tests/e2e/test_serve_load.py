"""Many clients at once while backups are made: every answer is right, and the server's memory does not grow."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from e2e.served import serving
from e2e.test_serve import application

_CLIENTS = 50
_ADMIN = "/api/v1/admin/backup"
_MANY = 3000
_GROWTH_BYTES = 8 << 20


class Panel:
    """Somebody who asks one server, with a connection of their own."""

    def __init__(self, address: str, token: str) -> None:
        self._address = address
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str) -> requests.Response:
        """An answer, which is a good one."""
        answer = self._session.get(f"{self._address}{path}", timeout=120)
        assert answer.status_code == 200, answer.text
        return answer

    def create(self) -> str:
        """A new backup."""
        answer = self._session.post(f"{self._address}{_ADMIN}/create-full", timeout=120)
        assert answer.status_code == 200, answer.text
        made: str = answer.json()["data"]["backup_id"]
        return made

    def listed(self) -> list[str]:
        """Ids of all backups."""
        data = self.get(f"{_ADMIN}/list").json()["data"]
        assert data["total_count"] == len(data["backups"])
        return [entry["backup_id"] for entry in data["backups"]]

    def download(self, backup_id: str) -> None:
        """A whole backup, which is what its headers say."""
        answer = self.get(f"{_ADMIN}/download/{backup_id}")
        assert hashlib.sha256(answer.content).hexdigest() == answer.headers["X-Checksum-SHA256"]


@contextmanager
def panels(folder: Path, count: int) -> Iterator[tuple[list[Panel], subprocess.Popen[str]]]:
    text = application(folder) / "holdfast.toml"
    text.write_text(text.read_text() + 'layout = "bundle"\n')
    with serving(folder) as (address, _said, process):
        assert process.stdout is not None
        secret = process.stdout.readline().split()[-1].strip("\u2068\u2069")
        made = requests.post(f"{address}/api/v1/setup", headers={"Authorization": f"Bearer {secret}"}, timeout=60)
        yield [Panel(address, made.json()["data"]["token"]) for _number in range(count)], process


def test_fifty_panels_get_right_answers_while_backups_are_made(tmp_path: Path) -> None:
    with panels(tmp_path / "app", _CLIENTS) as (asking, _process), ThreadPoolExecutor(_CLIENTS) as pool:
        first = asking[0].create()

        def ask(panel: Panel) -> None:
            for _turn in range(3):
                assert first in panel.listed()
                panel.download(first)

        done = pool.map(ask, asking[1:])
        for _turn in range(3):
            made = asking[0].create()
            assert asking[0].listed()[0] == made, "a list right after a backup shows it"
        list(done)
        assert len(asking[1].listed()) == 4


@pytest.mark.deep
def test_memory_does_not_grow_with_requests(tmp_path: Path) -> None:
    with panels(tmp_path / "app", 8) as (asking, process), ThreadPoolExecutor(8) as pool:
        first = asking[0].create()

        def ask(panel: Panel) -> None:
            for turn in range(_MANY // len(asking)):
                panel.listed()
                panel.get(("/healthz", "/metrics", "/backups/list", "/backups/stats", "/api/v1/runs")[turn % 5])
                if turn % 10 == 0:
                    panel.download(first)

        sizes: list[int] = []
        for _turn in range(3):
            list(pool.map(ask, asking))
            sizes.append(_resident_bytes(process.pid))
        assert sizes[2] - sizes[1] < _GROWTH_BYTES, sizes
        assert sizes[2] - sizes[0] < 2 * _GROWTH_BYTES, sizes


def _resident_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) * 1024
