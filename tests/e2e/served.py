"""`holdfast serve` in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def serving(
    folder: Path, *arguments: str, env: Mapping[str, str] | None = None
) -> Iterator[tuple[str, str, subprocess.Popen[str]]]:
    """A server; gives its address, what it said besides, and its process."""
    with subprocess.Popen(
        [sys.executable, "-m", "holdfast", "serve", "--port", "0", *arguments],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            first = process.stdout.readline()
            found = re.search(r"https?://[0-9.:]+", first)
            assert found is not None, first + process.stderr.read()
            yield found[0], first, process
        finally:
            if process.poll() is None:
                os.kill(process.pid, signal.SIGTERM)
            errors = process.stderr.read()
            process.wait(60)
            assert "Traceback" not in errors, errors
