"""Lists of many backups while a backup runs: `python -m benchmarks server`.

Clients list and download without pause or with one, as fifty panels do; a backup is made again and again meanwhile.
The peer is the same uvicorn with an answer of the same size and nothing behind it, asked by the same clients while no
backup runs: what no server in Python can be much quicker than. Both are processes of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_RESULTS = Path(__file__).resolve().parent / "results"
_LIST = "/api/v1/admin/backup/list"
_CREATE = "/api/v1/admin/backup/create-full"
_WARM_S = 5.0


@dataclass(frozen=True)
class Served:
    """A server: where it is, what opens it, and a backup to download."""

    pid: int
    port: int
    token: str
    backup_id: str


@dataclass
class Load:
    """What clients do, and how long that took, by what they did.

    Attributes:
        pause_s: how long a client waits on average before it asks again.
        packed: whether clients take gzip.
    """

    served: Served
    clients: int
    pause_s: float
    packed: bool
    took_s: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    received: int = 0

    async def run(self, seconds: float, *, backup: bool) -> None:
        """Loads the server for so long."""
        end = time.perf_counter() + seconds
        works = [self._client(number, end) for number in range(self.clients)]
        await asyncio.gather(*works, *([self._backups(end)] if backup else []))

    async def _client(self, number: int, end: float) -> None:
        while time.perf_counter() < end:
            await asyncio.sleep(random.random() * 2 * self.pause_s)
            if number % 5 == 0 and self.served.backup_id:
                await self._ask("download", f"/api/v1/admin/backup/download/{self.served.backup_id}")
            else:
                await self._ask("list", _LIST)

    async def _backups(self, end: float) -> None:
        while time.perf_counter() < end:
            await self._ask("create", _CREATE, "POST")

    async def _ask(self, name: str, path: str, method: str = "GET") -> None:
        began = time.perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.served.port, limit=1 << 20)
        packed = "Accept-Encoding: gzip\r\n" if self.packed else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.served.token}\r\n"
        writer.write(f"{head}{packed}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
        first = await reader.readline()
        if b" 200 " not in first:
            raise SystemExit(f"{path} answered {first!r}")
        while part := await reader.read(1 << 20):
            self.received += len(part)
        writer.close()
        self.took_s.setdefault(name, []).append(time.perf_counter() - began)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backups", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--folder", type=Path, help="where to work")
    parser.add_argument("--save", type=Path, default=_RESULTS / "server.json")
    chosen = parser.parse_args(arguments)
    about = {"backups": chosen.backups, "clients": chosen.clients, "seconds": chosen.seconds}
    about |= {"processors": len(os.sched_getaffinity(0)), "python": platform.python_version()}
    rows: list[dict[str, object]] = []
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir=chosen.folder, prefix="holdfast-bench-"))
        ours = stack.enter_context(_serving("ours", folder, str(chosen.backups)))
        sizes = {packed: _size(ours, packed) for packed in (True, False)}
        peer = stack.enter_context(_serving("peer", str(sizes[True]), str(sizes[False])))
        for packed, pause_s in ((True, 0.25), (True, 0.0), (False, 0.25)):
            load = os.getloadavg()[0]
            row: dict[str, object] = {
                "gzip": packed,
                "pause_s": pause_s,
                "body_bytes": sizes[packed],
                "load_before": load,
            }
            row |= _compared(ours, peer, Load(ours, chosen.clients, pause_s, packed), chosen.seconds)
            rows.append(row | {"load_after": os.getloadavg()[0]})
            print(json.dumps(rows[-1]))
            chosen.save.write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n")


def _compared(ours: Served, peer: Served, load: Load, seconds: float) -> dict[str, object]:
    before = resident_bytes(ours.pid)
    asyncio.run(Load(ours, load.clients, load.pause_s, load.packed).run(_WARM_S, backup=True))
    warm = resident_bytes(ours.pid)
    asyncio.run(load.run(seconds, backup=True))
    beside = Load(peer, load.clients, load.pause_s, load.packed)
    asyncio.run(beside.run(seconds / 2, backup=False))
    found: dict[str, object] = {name: _figures(took) for name, took in sorted(load.took_s.items())}
    found["peer_list"] = _figures(beside.took_s["list"])
    ratio = _quantile(load.took_s["list"], 0.99) / _quantile(beside.took_s["list"], 0.99)
    return {**found, "p99_ratio": round(ratio, 2), "resident_bytes": [before, warm, resident_bytes(ours.pid)]}


def _figures(took: list[float]) -> dict[str, float]:
    shares = {"p50_ms": 0.5, "p99_ms": 0.99, "max_ms": 1.0}
    return {"count": len(took), **{name: round(_quantile(took, share) * 1000, 1) for name, share in shares.items()}}


def _quantile(took: list[float], share: float) -> float:
    ordered = sorted(took)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _size(served: Served, packed: bool) -> int:
    load = Load(served, 1, 0.0, packed)
    asyncio.run(load._ask("list", _LIST))  # noqa: SLF001 - one request and no load
    return load.received


def resident_bytes(pid: int) -> int:
    """Memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


@contextmanager
def _serving(*arguments: str) -> Generator[Served]:
    command = [sys.executable, "-m", "benchmarks.server_process", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        said = process.stdout.readline().split()
        if len(said) != 3:
            raise SystemExit(f"{command} did not begin to serve")
        yield Served(process.pid, int(said[0]), said[1], said[2].removeprefix("-"))
        # It serves until nobody can tell it anything more.
        process.stdin.close()
