"""A process that writes into a catalog until it is killed; prints every run that was confirmed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from holdfast.catalog import open_catalog
from holdfast.model.run import RunState, Trigger
from holdfast.runtime.clock import SystemClock
from unit.catalog.kit import KEY, NOON, a_run


def main() -> None:
    """Adds, claims and finishes runs, each with an entry of the audit log."""
    with open_catalog(sys.stdin.readline().strip(), clock=SystemClock(), key=KEY) as catalog:
        while True:
            run = a_run(run_id=os.urandom(16).hex(), trigger=Trigger.REQUEST)
            catalog.runs.add(run)
            claimed = catalog.runs.claim(run.run_id, "writer", NOON)
            assert claimed is not None
            entry = catalog.audit.append(NOON, "writer", "run", subject=run.run_id)
            done = replace(claimed, state=RunState.SUCCEEDED, finished_at=NOON, report={"entry": entry.number})
            assert catalog.runs.finish(done)
            print(run.run_id, entry.number, flush=True)


if __name__ == "__main__":
    main()
