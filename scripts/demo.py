"""The main job in a minute: back an application up, ruin it, restore it, prove every row and every file equal.

A copy of the Vertex AR example with some 100 MB of data, in a temporary folder that is removed afterwards. Runs the
commands a person would type, and the plain tools that people trust.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from holdfast.testing.zoo import differences, fingerprint

ROOT = Path(__file__).resolve().parent.parent
MIB = 1 << 20
OFFSITE = """
[targets.offsite]
kind = "repository"
url = "offsite"
password_file = "offsite.password"
"""


def main() -> int:
    """Tells and does; returns the exit status."""
    with tempfile.TemporaryDirectory(prefix="holdfast-demo-") as name:
        return _Demo(Path(name)).run()


class _Demo:
    def __init__(self, scratch: Path) -> None:
        self.app = scratch / "vertex_ar"
        self.database = self.app / "app_data" / "app_data.db"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("HOLDFAST_", "RESTIC_"))},
            "XDG_CACHE_HOME": str(scratch / "cache"),
            "HOLDFAST_LANG": "en",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        self.proofs: list[tuple[str, str]] = []

    def run(self) -> int:
        title("An application: a photo studio's clients, portraits, videos and files")
        size = self._make_application()
        self._holdfast("config", "check")

        title("Backed up: one restore point, kept as plain dated files and in an encrypted repository")
        first = self._holdfast("create")
        self._add_a_client()
        before, rows = fingerprint(str(self.app / "storage")), table_digests(self.database)
        second = self._holdfast("create")
        note(f"first backup {size / MIB / first:.0f} MiB/s; the second, one row later, took {second:.1f} s")
        self._holdfast("list")

        title("Checked with tools that never heard of Holdfast")
        self._plain_tools()

        title("The worst day of the year: rows deleted, the database overwritten, files gone")
        self._ruin()

        title("Restored")
        took = self._holdfast("restore", "latest", "--yes")
        note(f"restored in {took:.1f} s ({size / MIB / took:.0f} MiB/s)")
        equal = self._prove(before, rows)
        self._holdfast("verify", "latest")
        self._report(size, first, second, took, equal=equal)
        return 0 if equal else 1

    def _make_application(self) -> int:
        shutil.copytree(ROOT / "examples" / "vertex_ar", self.app, ignore=shutil.ignore_patterns("__pycache__"))
        with open(self.app / "holdfast.toml", "a", encoding="utf-8") as config:
            config.write(OFFSITE)
        password = self.app / "offsite.password"
        password.write_text(secrets.token_urlsafe(24))
        password.chmod(0o600)
        self._run([sys.executable, "generate_data.py", "--size", "100MB"], shown="python generate_data.py --size 100MB")
        files = [path for path in (self.app / "storage").rglob("*") if path.is_file()]
        return sum(path.stat().st_size for path in [*files, self.database])

    def _add_a_client(self) -> None:
        with sqlite3.connect(self.database) as connection:
            columns = [row[1] for row in connection.execute("PRAGMA table_info(clients)") if not row[5]]
            listed = ", ".join(columns)
            # The names come from the example's own schema, a few lines above in the same process.
            connection.execute(f"INSERT INTO clients ({listed}) SELECT {listed} FROM clients LIMIT 1")
        connection.close()

    # --- proofs ------------------------------------------------------------------------------------

    def _plain_tools(self) -> None:
        newest = max((self.app / "backups" / "database").glob("*.db"))
        name = str(newest.relative_to(self.app))
        told = json.loads(newest.with_suffix(".json").read_text())["checksum"]
        printed = self._run(["sha256sum", name]).split()[0]
        self._prove_tool("sha256sum", "the checksum in the sidecar", printed == told)
        count = self._run(["sqlite3", name, "PRAGMA integrity_check; SELECT COUNT(*) FROM clients;"]).split()
        self._prove_tool("sqlite3", f"integrity ok, {count[-1]} clients", count[0] == "ok")
        archive = max((self.app / "backups" / "storage").glob("*.tar.gz"))
        members = self._run(["tar", "-tzf", str(archive.relative_to(self.app))], quiet=True).splitlines()
        files = sum(not member.endswith("/") for member in members)
        self._prove_tool("tar", f"{files} files in the archive", files == self._files())
        restic = shutil.which("restic")
        if restic is None:
            note("restic is not installed; with it, this demo also lets restic check the repository")
            return
        said = self._run([restic, "-r", "offsite", "--password-file", "offsite.password", "check", "--read-data"])
        self._prove_tool("restic", "no errors were found", "no errors were found" in said)

    def _files(self) -> int:
        return sum(path.is_file() for path in (self.app / "storage").rglob("*"))

    def _prove_tool(self, tool: str, what: str, holds: bool) -> None:
        if not holds:
            raise SystemExit(f"{tool} does not agree: {what}")
        self.proofs.append((tool, what))

    def _ruin(self) -> None:
        with sqlite3.connect(self.database) as connection:
            gone = connection.execute("DELETE FROM clients WHERE id % 2 = 0").rowcount
        connection.close()
        with open(self.database, "r+b") as file:
            file.seek(4096)
            file.write(os.urandom(20 * 4096))
        shutil.rmtree(self.app / "storage" / "images")
        note(f"{gone} clients deleted, 80 KiB of noise in {self.database.name}, storage/images removed")

    def _prove(self, before: dict[bytes, dict[str, object]], rows: dict[str, str]) -> bool:
        wrong = differences(before, fingerprint(str(self.app / "storage")))
        now = table_digests(self.database)
        wrong += [f"table {name}" for name in sorted({*rows, *now}) if rows.get(name) != now.get(name)]
        for line in wrong[:20]:
            note(f"NOT equal: {line}")
        if not wrong:
            note(f"equal: {len(rows)} tables row by row; {len(before)} files and folders in content, mode and time")
        return not wrong

    # --- telling -----------------------------------------------------------------------------------

    def _holdfast(self, *arguments: str) -> float:
        began = time.perf_counter()
        self._run([sys.executable, "-m", "holdfast", *arguments], shown=f"holdfast {' '.join(arguments)}", through=True)
        return time.perf_counter() - began

    def _run(
        self, command: Sequence[str], *, shown: str | None = None, quiet: bool = False, through: bool = False
    ) -> str:
        say(f"  $ {shown or ' '.join(re.sub(r'.*/(?=restic)', '', part) for part in command)}")
        sys.stdout.flush()
        output = None if through else subprocess.PIPE
        done = subprocess.run(command, cwd=self.app, env=self.environment, check=True, stdout=output, text=True)
        for line in (done.stdout or "").splitlines()[: 0 if quiet else 6]:
            say(f"    {line}")
        return done.stdout or ""

    def _report(self, size: int, first: float, second: float, restore: float, *, equal: bool) -> None:
        title("In short")
        lines = [
            ("application", f"{size / MIB:.0f} MiB: 1 database, {self._files()} files"),
            ("backed up in", f"{first:.1f} s to two places from one reading; again in {second:.1f} s"),
            ("archive", f"{folder_bytes(self.app / 'backups') / MIB:.0f} MiB, two backups, plain files"),
            ("repository", f"{folder_bytes(self.app / 'offsite') / MIB:.0f} MiB, two backups, encrypted, deduplicated"),
            ("restored in", f"{restore:.1f} s, {'every row and file equal' if equal else 'NOT EQUAL'}"),
            *((f"{tool} says", what) for tool, what in self.proofs),
        ]
        for name, what in lines:
            say(f"  {name:14} {what}")


def table_digests(database: Path) -> dict[str, str]:
    """One SHA-256 for the rows of each table, in the order of their keys."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        digests = {}
        for name in names:
            digest = hashlib.sha256()
            for row in connection.execute(f'SELECT * FROM "{name}" ORDER BY rowid'):
                digest.update(repr(row).encode())
            digests[name] = digest.hexdigest()
        return digests
    finally:
        connection.close()


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def title(text: str) -> None:
    """Begins a part."""
    say(f"\n{text}")


def note(text: str) -> None:
    """Tells what was seen."""
    say(f"  -> {text}")


def say(text: str) -> None:
    """Prints a line."""
    print(text)


if __name__ == "__main__":
    sys.exit(main())
