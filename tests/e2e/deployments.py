"""A machine on which an example runs: its own folders, its own PATH, and stand-ins for programs a test must not run.

The stand-ins write what they were asked into one file each, and do on this machine what they would do elsewhere where
that matters: `docker run` runs the command on a folder, `ssh` runs it here, `sudo` runs it as who we are.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.commands import Done
from holdfast.app import load_app
from holdfast.model.backup import BackupType
from holdfast.operations.create import create_backup
from holdfast.operations.requests import CreateRequest
from holdfast.testing.fake_clock import FakeClock

TIMEOUT_S = 120
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
STAMP = re.compile(r"[0-9]{8}_[0-9]{6}(?:_[0-9]+)?")

_RECORD = 'printf "%s\\n" "$*" >> "$STAND_INS/$(basename "$0").log"\n'
STAND_INS = {
    "docker-compose": "",
    "crontab": "",
    "aws": 'shift 2; mkdir -p "$MACHINE/cloud/aws"; cp -r "$1". "$MACHINE/cloud/aws/"\n',
    "gsutil": 'mkdir -p "$MACHINE/cloud/gs"; cp -r "$4". "$MACHINE/cloud/gs/"\n',
    "journalctl": 'cat "$MACHINE/journal" 2>/dev/null || true\n',
    # Unit files go where root may write; everything else runs as it is.
    "sudo": """
arguments=()
for one in "$@"; do arguments+=("${one/#\\/etc\\/systemd\\//$MACHINE/etc/systemd/}"); done
exec "${arguments[@]}"
""",
    "ssh": """
[ "$1" != -l ] || shift 2
shift
command=$*
exec bash -c "${command/ \\/backups\\// $MACHINE/elsewhere/backups/}"
""",
    "chown": '[ "$(id -u)" != 0 ] || exec /bin/chown "$@"\n',
    "systemctl": """
case "$*" in
    "start backup.service")
        unit=$MACHINE/etc/systemd/system/backup.service
        grep -E '^ExecStart(Post)?=' "$unit" | cut -d= -f2- | sed "s|/home/|$MACHINE/home/|g" |
            while read -r line; do $line >> "$MACHINE/journal" 2>&1 || exit $?; done ;;
esac
""",
    "docker": """
[ "$1" = run ] && [ "$2" = --rm ] || exit 64
shift 2
volumes=()
while [ "$1" = -v ]; do volumes+=("$2"); shift 2; done
[ "$1" = alpine ] || exit 64
shift
arguments=()
for one in "$@"; do
    for volume in "${volumes[@]}"; do
        outside=${volume%%:*} inside=${volume##*:}
        [[ $outside == /* ]] || outside=$MACHINE/volumes/$outside
        [[ $one != "$inside" && $one != "$inside"/* ]] || one=$outside${one#"$inside"}
    done
    arguments+=("$one")
done
exec "${arguments[@]}"
""",
}


@dataclass
class Machine:
    """One machine with an example installed.

    Attributes:
        root: everything is below it.
        app: the example's folder.
        placeholders: what the document calls something, and what it is here.
        variables: further environment variables.
    """

    root: Path
    app: Path
    placeholders: dict[str, str] = field(default_factory=dict[str, str])
    variables: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def backups(self) -> Path:
        """Where the example keeps its backups."""
        return self.app / "backups"

    @property
    def environment(self) -> dict[str, str]:
        """What a person has in their shell."""
        return {
            "PATH": f"{self.root / 'bin'}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": str(self.root / "home"),
            "GNUPGHOME": str(self.root / "gnupg"),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "MACHINE": str(self.root),
            "STAND_INS": str(self.root / "asked"),
            **self.variables,
        }

    def filled(self, command: str) -> str:
        """A command of a document with its placeholders replaced."""
        for placeholder, value in self.placeholders.items():
            command = command.replace(placeholder, value)
        return command

    def run(
        self,
        command: str,
        *,
        status: int | None = 0,
        stdin: str = "",
        variables: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Done:
        """Runs a command line of a document in the example's folder, and holds its exit status to what is expected."""
        process = subprocess.run(
            ["bash", "-c", self.filled(command)],
            cwd=cwd or self.app,
            env={**self.environment, **(variables or {})},
            input=stdin.encode(),
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
            start_new_session=True,
        )
        done = Done(
            process.returncode, process.stdout.decode(errors="replace"), process.stderr.decode(errors="replace")
        )
        assert status is None or done.status == status, f"{command}: status {done.status}\n{done.out}{done.err}"
        assert "Traceback" not in done.err, done.err
        return done

    def follow(self, command: str, wanted: str) -> str:
        """Runs a command that never ends until it prints a line with a text, which is returned."""
        with subprocess.Popen(
            ["bash", "-c", self.filled(command)],
            cwd=self.app,
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            assert process.stdout is not None
            try:
                return next(line for line in process.stdout if wanted in line)
            finally:
                os.killpg(process.pid, signal.SIGTERM)

    def asked(self, program: str) -> list[str]:
        """What a stand-in was asked, a line for each time."""
        log = self.root / "asked" / f"{program}.log"
        return log.read_text().splitlines() if log.exists() else []

    def names(self, pattern: str) -> list[str]:
        """Files of the backups that fit a pattern, by relative name, the oldest first."""
        return sorted(str(path.relative_to(self.backups)) for path in self.backups.glob(pattern))

    def document(self, name: str) -> Any:
        """A JSON file of the backups."""
        return json.loads((self.backups / name).read_text())


def install(root: Path, example: str, at: str) -> Machine:
    """Copies an example to a folder of a new machine."""
    for folder in ("bin", "asked", "home", "gnupg", "volumes", "cloud", "etc/systemd/system", "elsewhere/backups"):
        (root / folder).mkdir(parents=True)
    (root / "gnupg").chmod(0o700)
    app = root / at
    shutil.copytree(EXAMPLES / example, app, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("python", "python3"):
        script(root / "bin" / name, f'exec "{sys.executable}" "$@"\n')
    for name, body in STAND_INS.items():
        script(root / "bin" / name, _RECORD + body)
    return Machine(root, app)


def back_up_in_the_past(machine: Machine, *, days: float, kind: str = "full") -> str:
    """Makes a backup as if it had been made so many days ago. Returns its id."""
    clock = FakeClock(ns=time.time_ns() - round(days * 86_400 * 1_000_000_000))
    with load_app(machine.app / "holdfast.toml", None, {}, machine.app, clock=clock) as app:
        report = create_backup(app.context, CreateRequest(type=BackupType(kind), retention=False))
    assert report.failure is None, report.failure
    return report.backup_id


def script(path: Path, body: str) -> None:
    """Writes an executable shell script."""
    path.write_text(f"#!/bin/bash\n{body}")
    path.chmod(0o755)


def rows(database: Path, table: str) -> list[tuple[Any, ...]]:
    """All rows of a table."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        found = connection.execute(f'SELECT * FROM "{table}" ORDER BY 1').fetchall()
    connection.close()
    return found


def tree(folder: Path) -> dict[str, bytes]:
    """Content of all files below a folder, by relative name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def modes(folder: Path) -> dict[str, str]:
    """Permission bits of everything below a folder and of itself, by relative name."""
    return {
        str(path.relative_to(folder)): f"{path.stat().st_mode & 0o7777:o}"
        for path in [folder, *sorted(folder.rglob("*"))]
    }
