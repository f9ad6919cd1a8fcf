"""What a process that keeps secrets for long asks of the system for itself."""

from __future__ import annotations

import ctypes
import os
import resource
import sys

_PR_SET_DUMPABLE = 4


def keep_private() -> None:
    """Makes what this process leaves and holds its own: files for their owner alone, and no picture of its memory.

    SAFETY: passwords and keys are in memory while they are used, and Python cannot wipe them. Without this a crash
    writes them to a file, and any program of the same user reads them while we run. Root still can.
    """
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        # Programs that we run start anew in this; a core file of theirs is ruled out by the limit above.
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def allow_open_files(wanted: int) -> int:
    """Raises the limit of files that may be open at once, as far as the system lets us. Returns what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return most
    return soft
