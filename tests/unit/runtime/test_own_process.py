"""What a process that keeps secrets asks of the system."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import ctypes, os, resource
from holdfast.runtime.own_process import allow_open_files, keep_private
before = resource.getrlimit(resource.RLIMIT_NOFILE)
keep_private()
resource.setrlimit(resource.RLIMIT_NOFILE, (64, before[1]))
print(os.umask(0), resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
print(allow_open_files(128), allow_open_files(100), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
# What secrets are handed to programs through, and files are looked at by, is still ours.
reading, writing = os.pipe()
os.write(writing, b"x")
with open(f"/proc/self/fd/{reading}", "rb", buffering=0) as own:
    print(own.read(1))
"""


def test_a_private_process_leaves_no_picture_of_its_memory() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.splitlines() == [f"{0o077} (0, 0) 0", "128 128 128", "b'x'"]
