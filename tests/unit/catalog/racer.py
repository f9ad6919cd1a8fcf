"""A process that takes part in a race for a catalog, with several threads; prints what it won, a line each."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from holdfast.catalog import Catalog, open_catalog
from holdfast.runtime.clock import SystemClock
from unit.catalog.kit import KEY, NOON, a_backup, a_run

THREADS = 8
ROUNDS = 20


def leases(catalog: Catalog, who: str) -> list[str]:
    """Tries to become the holder of each of several leases."""
    taken = [catalog.leases.acquire(f"lease {number}", who, 60, NOON) for number in range(ROUNDS)]
    return [f"{lease.name} {lease.fence}" for lease in taken if lease is not None]


def claims(catalog: Catalog, who: str) -> list[str]:
    """Tries to claim each of several runs."""
    return [f"{number}" for number in range(ROUNDS) if catalog.runs.claim(f"{number:032x}", who, NOON) is not None]


def due(catalog: Catalog, who: str) -> list[str]:
    """Tries to add the run of each of several moments."""
    moments = [NOON.replace(minute=number) for number in range(ROUNDS)]
    return [
        f"{moment.minute}"
        for moment in moments
        if catalog.runs.add(a_run(run_id=os.urandom(16).hex(), due_at=moment, holder=who))
    ]


def audit(catalog: Catalog, who: str) -> list[str]:
    """Writes into the audit log."""
    return [str(catalog.audit.append(NOON, who, "race", subject=str(number)).number) for number in range(ROUNDS)]


def deliveries(catalog: Catalog, _who: str) -> list[str]:
    """Takes what is due."""
    return [one.delivery_id for _round in range(ROUNDS) for one in catalog.deliveries.take_due(NOON, 3)]


def mirror(catalog: Catalog, who: str) -> list[str]:
    """Puts copies, and adds all of them up again and again."""
    process, thread = map(int, who.split(":"))
    for number in range(ROUNDS):
        catalog.copies.put("shop", a_backup((process * THREADS + thread) * ROUNDS + number))
        catalog.copies.totals("shop")
    return []


RACES = {race.__name__: race for race in (leases, claims, due, audit, deliveries, mirror)}


def main() -> None:
    """Opens the catalog, says so, waits for a line, and races."""
    name, process = sys.argv[1:]
    url = sys.stdin.readline().strip()
    with open_catalog(url, clock=SystemClock(), key=KEY) as catalog, ThreadPoolExecutor(THREADS) as threads:
        print("ready", flush=True)
        sys.stdin.readline()
        racing = [threads.submit(RACES[name], catalog, f"{process}:{number}") for number in range(THREADS)]
        for racer in racing:
            for line in racer.result():
                print(line)


if __name__ == "__main__":
    main()
