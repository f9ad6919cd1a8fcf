"""The two programs that are compared, with the same commands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_VERSION = re.compile(r"\d+\.\d+\.\d+")


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A program that works on repositories in the restic format."""

    name: str
    version: str
    command: tuple[str, ...]

    def arguments(self, step: str, repository: Path, data: Path, out: Path) -> list[str]:
        """The command line of a step."""
        steps = {
            "init": ["init"],
            "backup": ["backup", str(data)],
            "restore": ["restore", "latest", "--target", str(out)],
            "check": ["check", "--read-data"],
            "prune": ["forget", "--keep-last", "1", "--prune"],
        }
        return [*self.command, "-q", "-r", str(repository), *steps[step]]

    def environment(self, scratch: Path) -> dict[str, str]:
        """A home and a cache of its own."""
        return {
            **os.environ,
            "HOME": str(scratch),
            "XDG_CACHE_HOME": str(scratch / "cache"),
            "RESTIC_PASSWORD": "benchmark",
            "HOLDFAST_PASSWORD": "benchmark",
        }


def holdfast() -> Tool:
    """This checkout, as its users run it."""
    command = (sys.executable, "-m", "holdfast", "repo")
    return Tool(name="holdfast", version=_version([sys.executable, "-m", "holdfast", "--version"]), command=command)


def newest_restic() -> Tool:
    """The newest restic on this machine: fetched into `.tools`, else Debian's own."""
    fetched = [path for path in (ROOT / ".tools").glob("restic-*") if path.is_file()]
    found = {_version([str(path), "version"]): path for path in [*fetched, Path("/usr/bin/restic")] if path.exists()}
    if not found:
        raise SystemExit("there is no restic to compare with; run scripts/fetch_restic or install it")
    version = max(found, key=lambda text: tuple(map(int, text.split("."))))
    return Tool(name="restic", version=version, command=(str(found[version]),))


def _version(command: list[str]) -> str:
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = _VERSION.search(output)
    return found[0] if found else "0.0.0"
