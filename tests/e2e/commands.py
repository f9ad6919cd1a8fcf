"""Running `holdfast` as a person does: as a process of its own, in a clean environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TIMEOUT_S = 120


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        """The one document on standard output."""
        return json.loads(self.out)

    def lines(self) -> list[Any]:
        """The documents on standard output, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    def summary(self) -> Any:
        """The last document, which says how it went."""
        last = self.lines()[-1]
        assert last["message_type"] == "summary", last
        return last


@dataclass
class Home:
    """A person's folder with a repository in it.

    Attributes:
        folder: working directory, home and place of the cache.
        repository: location that `HOLDFAST_REPOSITORY` names; none if empty.
        variables: further variables.
    """

    folder: Path
    repository: str = ""
    variables: dict[str, str] = field(default_factory=dict[str, str])

    def run(self, *arguments: str | Path, status: int = 0, stdin: bytes = b"") -> Done:
        """Runs `holdfast repo`, and holds its exit status to what is expected."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "HOLDFAST_PASSWORD": "geheim",
            **({"HOLDFAST_REPOSITORY": self.repository} if self.repository else {}),
            **self.variables,
        }
        command = [sys.executable, "-m", "holdfast", "repo", *map(str, arguments)]
        process = subprocess.run(
            command, cwd=self.folder, env=environment, input=stdin, capture_output=True, timeout=TIMEOUT_S, check=False
        )
        out = process.stdout.decode("utf-8", "surrogateescape")
        err = process.stderr.decode("utf-8", "surrogateescape")
        assert process.returncode == status, f"{arguments} ended with {process.returncode}:\n{out}{err}"
        assert "Traceback" not in err, err
        return Done(process.returncode, out, err)
