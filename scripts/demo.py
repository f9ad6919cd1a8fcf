"""The main job in a minute: back a real tree up, destroy it, restore it, prove it equal.

Runs the commands a person would type, in a temporary folder, and removes everything afterwards.
"""

from __future__ import annotations

import os
import random
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from holdfast.testing.zoo import differences, fingerprint, make_zoo

MIB = 1 << 20


def main() -> int:
    """Tells and does; returns the exit status."""
    with tempfile.TemporaryDirectory(prefix="holdfast-demo-") as name:
        return _Demo(Path(name)).run()


class _Demo:
    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.app = scratch / "application"
        self.repository = scratch / "repository"
        self.environment = {
            **os.environ,
            "HOLDFAST_REPOSITORY": str(self.repository),
            "HOLDFAST_PASSWORD": secrets.token_urlsafe(18),
            "XDG_CACHE_HOME": str(scratch / "cache"),
        }

    def run(self) -> int:
        say("An application to protect: a library of Python files, uploads, and one of every awkward kind of file.")
        size = self._make_application()
        before = fingerprint(str(self.app))
        say(f"  {len(before)} entries, {size / MIB:.0f} MiB\n")
        self._holdfast("init")
        first = self._holdfast("backup", "application")
        say(f"  -> first backup: {size / MIB / first:.0f} MiB/s\n")
        with open(self.app / "uploads" / "0.bin", "ab") as file:
            file.write(b"one more line\n")
        before = fingerprint(str(self.app))
        second = self._holdfast("backup", "application")
        say(f"  -> second backup, one file changed: {second:.1f} s\n")
        self._holdfast("snapshots")
        say("\nThe worst day of the year: the application is deleted.")
        shutil.rmtree(self.app)
        restored = self._holdfast("restore", "latest", "--target", ".")
        say(f"  -> restore: {size / MIB / restored:.0f} MiB/s\n")
        self._holdfast("check", "--read-data")
        return self._verdict(before)

    def _make_application(self) -> int:
        self.app.mkdir()
        zoo = self.app / "zoo"
        zoo.mkdir()
        make_zoo(str(zoo))
        library = Path(os.__file__).parent
        shutil.copytree(library / "json", self.app / "library" / "json", symlinks=True)
        for package in ("asyncio", "email", "http", "unittest", "encodings", "idlelib", "distutils"):
            if (library / package).is_dir():
                shutil.copytree(library / package, self.app / "library" / package, symlinks=True)
        uploads = self.app / "uploads"
        uploads.mkdir()
        rng = random.Random(20)
        for number in range(12):
            (uploads / f"{number}.bin").write_bytes(rng.randbytes(8 * MIB))
        return sum(path.lstat().st_size for path in self.app.rglob("*") if path.is_file() and not path.is_symlink())

    def _holdfast(self, *arguments: str) -> float:
        say(f"$ holdfast repo {' '.join(arguments)}")
        sys.stdout.flush()
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "holdfast", "repo", *arguments], cwd=self.scratch, env=self.environment, check=True
        )
        return time.perf_counter() - began

    def _verdict(self, before: dict[bytes, dict[str, object]]) -> int:
        wrong = differences(before, fingerprint(str(self.app)))
        if wrong:
            say("NOT equal to what was backed up:")
            for line in wrong[:20]:
                say(f"  {line}")
            return 1
        say(
            f"\nEqual: all {len(before)} entries came back with content, names, modes, owners, times, attributes and "
            "links.\nAny restic opens this repository too."
        )
        return 0


def say(text: str) -> None:
    """Prints a line."""
    print(text)


if __name__ == "__main__":
    sys.exit(main())
