"""The real command line on a real disk, to be killed, starved and looked at afterwards."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from holdfast.backends.local import LocalBackend
from holdfast.errors import RepositoryNotFound
from holdfast.model.ids import SnapshotId
from holdfast.repository.backup.report import BackupOptions
from holdfast.repository.backup.run import backup
from holdfast.repository.index import Index
from holdfast.repository.locks import acquire
from holdfast.repository.opening import open_repository
from holdfast.repository.repository import Repository
from holdfast.runtime.clock import SystemClock
from holdfast.testing.oracles import (
    Digests,
    Promise,
    all_digests,
    opened,
    require_clean_check,
    require_snapshots,
)
from repository_kit import new_repository

PASSWORD = b"secret"
CALLS = ("mkdir", "fsync", "rename", "link", "unlink")
_CALL = re.compile(r"(\d+) +(\w+)\(")


class Killing(NamedTuple):
    """Kill at the n-th of these system calls, counted for each thread."""

    call: str
    number: int


class RealRepository:
    """A repository in a folder with two snapshots of a source folder, and the command line to use it with.

    Args:
        home: an empty folder for everything.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.source = home / "source"
        self.password_file = home / "password"
        self.url = home / "repository"
        self.known: Digests = {}

    def prepare(self, rng: random.Random) -> RealRepository:
        """Makes source, password and repository."""
        self.source.mkdir()
        self.password_file.write_bytes(PASSWORD)
        (self.home / "new-password").write_bytes(b"changed")
        repository = new_repository(LocalBackend(str(self.url)), password=PASSWORD)
        for _ in range(3):
            for number in range(12):
                if number % 2 or not self.known:
                    (self.source / f"file{number}").write_bytes(rng.randbytes(rng.randrange(1, 3000)))
            if len(self.known) < 2:
                self._back_up(repository)
        repository.close()
        return self

    def _back_up(self, repository: Repository) -> None:
        with Index(repository, persistent=False) as index, acquire(repository, exclusive=False) as lock:
            index.sync()
            backup(repository, index, lock, [self.source], BackupOptions(pack_bytes=4096))
        self.known |= all_digests(repository)

    def twin(self, home: Path) -> RealRepository:
        """An independent copy, with the same source."""
        home.mkdir()
        twin = RealRepository(home)
        twin.source, twin.password_file, twin.known = self.source, self.password_file, self.known
        shutil.copytree(self.url, twin.url, copy_function=shutil.copy)
        return twin

    # --- commands -------------------------------------------------------------------------------

    def command(self, *arguments: str) -> list[str]:
        """A command line for this repository."""
        options = ["--repo", str(self.url), "--password-file", str(self.password_file)]
        cache = ["--cache-dir", str(self.home / "cache")]
        return [sys.executable, "-m", "holdfast", "repo", *arguments, *options, *cache]

    def run(self, *arguments: str, prefix: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end."""
        command = [*prefix, *self.command(*arguments)]
        environment = {**os.environ, "LC_ALL": "C.UTF-8"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    def points(self, *arguments: str) -> list[Killing]:
        """Every place where `run_and_kill` can strike, found by running the command once to its end."""
        trace = self.home / "trace"
        prefix = ["strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={','.join(CALLS)}"]
        done = self.run(*arguments, prefix=prefix)
        assert done.returncode == 0, done.stderr
        counts = Counter(match.groups() for match in map(_CALL.match, trace.read_text().splitlines()) if match)
        most = {call: max((n for (_, name), n in counts.items() if name == call), default=0) for call in CALLS}
        return [Killing(call, number) for call, count in most.items() for number in range(1, count + 1)]

    def run_and_kill(self, killing: Killing, *arguments: str) -> bool:
        """Runs a command until SIGKILL. Returns whether it was killed before its end."""
        inject = f"inject={killing.call}:signal=SIGKILL:when={killing.number}"
        done = self.run(*arguments, prefix=["strace", "-f", "-qq", "-o", os.devnull, "-e", inject])
        assert done.returncode in (0, -9, 137), done.stderr
        return done.returncode != 0

    # --- looking --------------------------------------------------------------------------------

    def backend(self) -> LocalBackend:
        return LocalBackend(str(self.url))

    def exists(self) -> bool:
        try:
            open_repository(self.backend(), PASSWORD)
        except RepositoryNotFound:
            return False
        return True

    def require(self, promised: set[SnapshotId], passwords: tuple[bytes, ...] = (PASSWORD,)) -> bytes:
        """Everything promised is there and all of it is whole; returns the password that opens."""
        promise = Promise(passwords=(passwords,))
        repository, password = opened(self.backend(), promise, SystemClock())
        # A snapshot that was committed a moment before the kill is known to nobody, and whole.
        require_snapshots(repository, promised, self.known, strangers=True)
        require_clean_check(repository)
        return password

    def require_unattended(self) -> None:
        """The next backup and the next prune succeed without anybody's help, and what they leave is whole."""
        for arguments in (["backup", str(self.source)], ["prune", "--max-unused", "0"]):
            done = self.run(*arguments)
            assert done.returncode == 0, done.stderr
            assert "Traceback" not in done.stderr
