"""Running the real restic from a test: which versions this machine has, and one object to run each of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

TOOLS = Path(__file__).resolve().parent.parent.parent / ".tools"
TIMEOUT_S = 300
LOCAL_ZONE = "UTC"


@dataclass(frozen=True, kw_only=True)
class Restic:
    """One restic program with a home and a cache of its own.

    Attributes:
        path: the program.
        version: such as `0.14.0`.
        home: an empty folder that is this program's HOME and holds its cache.
        zone: the value of TZ it runs under.
    """

    path: Path
    version: str
    home: Path
    zone: str = LOCAL_ZONE
    password: str = field(default="geheim", repr=False)

    def at_least(self, version: str) -> bool:
        """Whether this restic is that version or newer (`"0.17"`)."""
        return _numbers(self.version) >= _numbers(version)

    def run(
        self,
        *args: str | Path,
        repo: str | Path | None = None,
        password: str | None = None,
        check: bool = True,
        json: bool = False,
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        cwd: Path | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """Runs restic and waits for it.

        Args:
            args: the command and its arguments.
            repo: the repository's location.
            password: overrides the object's own password.
            check: fail the test, showing restic's output, when it does not exit with 0.
            json: ask for JSON output.
            env: further variables, over everything set here (`TZ` among them).
            stdin: bytes to feed it; without them its input is empty.
            cwd: the directory to run in.

        Returns:
            exit status, output and errors, as bytes.
        """
        command: list[str] = [str(self.path), *(["--json"] if json else []), *map(str, args)]
        done = subprocess.run(
            command,
            env=self._environment(repo, password, env or {}),
            input=stdin if stdin is not None else b"",
            cwd=cwd,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        if check and done.returncode != 0:
            output = (done.stdout + done.stderr).decode(errors="backslashreplace")
            pytest.fail(f"restic {self.version} {' '.join(map(str, args))} exited with {done.returncode}:\n{output}")
        return done

    def documents(self, *args: str | Path, repo: str | Path, **options: Any) -> list[Any]:
        """Runs restic with `--json` and parses every line of its output that is a JSON document."""
        done = self.run(*args, repo=repo, json=True, **options)
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith((b"{", b"["))]

    def _environment(self, repo: str | Path | None, password: str | None, extra: Mapping[str, str]) -> dict[str, str]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "RESTIC_CACHE_DIR": str(self.home / "cache"),
            "RESTIC_PASSWORD": self.password if password is None else password,
            "RESTIC_PROGRESS_FPS": "0.1",
            "LC_ALL": "C.UTF-8",
            "TZ": self.zone,
        }
        if repo is not None:
            environment["RESTIC_REPOSITORY"] = str(repo)
        return environment | dict(extra)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("-", maxsplit=1)[0].split(".")[:3])


def _version(program: Path) -> str | None:
    done = subprocess.run([program, "version"], capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    words = done.stdout.split()
    return words[1] if done.returncode == 0 and words[:1] == ["restic"] else None


def _found() -> dict[str, Path]:
    """The programs by version, Debian's own first."""
    programs = [Path(found)] if (found := shutil.which("restic")) else []
    programs += sorted(TOOLS.glob("restic-*")) if TOOLS.is_dir() else []
    versions = {program: _version(program) for program in programs}
    return {version: program for program, version in reversed(versions.items()) if version}


FOUND = dict(sorted(_found().items(), key=lambda item: _numbers(item[0])))
