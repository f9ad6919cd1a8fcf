"""Options as they come out of a right-to-left text."""

from __future__ import annotations

import subprocess
import sys


def test_an_option_copied_with_direction_marks_is_understood() -> None:
    command = [sys.executable, "-m", "holdfast", "\u2068--version\u2069"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith("holdfast ")
