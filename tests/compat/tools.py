"""Both programs behind one interface, so that one test can be told who does what."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

from compat.engine import back_up, make_repository, session
from compat.reference import Restic
from holdfast.backends.local import LocalBackend
from holdfast.model.ids import SnapshotId
from holdfast.protocols import FileKind
from holdfast.repository.check.report import CheckOptions
from holdfast.repository.check.run import check
from holdfast.repository.forget import forget, plan_by_name
from holdfast.repository.keys import change_password
from holdfast.repository.opening import open_repository
from holdfast.repository.prune.options import MaxUnused, PruneOptions
from holdfast.repository.prune.run import prune
from holdfast.repository.restore.report import RestoreOptions
from holdfast.repository.restore.run import restore_snapshot
from holdfast.repository.snapshots import load_snapshot
from holdfast.testing.zoo import fingerprint
from repository_kit import CHEAP

Fingerprint = dict[bytes, dict[str, Any]]


class Ours:
    """Our engine."""

    def init(self, repo: Path, *, version: int = 2) -> None:
        make_repository(repo, version=version)

    def backup(self, repo: Path, source: Path) -> str:
        snapshot = back_up(repo, source)
        assert snapshot.id is not None
        return snapshot.id.hex()

    def forget(self, repo: Path, snapshot: str) -> None:
        with session(repo) as (repository, _, lock):
            named = load_snapshot(repository, SnapshotId(bytes.fromhex(snapshot)))
            assert forget(repository, lock, plan_by_name([named])).removed

    def prune(self, repo: Path) -> None:
        with session(repo) as (repository, index, lock):
            assert not prune(repository, index, lock, PruneOptions(max_unused=MaxUnused(percent=0))).failed

    def change_password(self, repo: Path, old: str, new: str) -> None:
        repository = open_repository(LocalBackend(str(repo)), old.encode())
        change_password(repository, new.encode(), parameters=CHEAP, allow_weak=True)
        repository.close()

    def snapshots(self, repo: Path) -> set[str]:
        with session(repo, exclusive=False) as (repository, _, _lock):
            return {name.hex() for name in repository.names(FileKind.SNAPSHOT)}

    def check(self, repo: Path) -> None:
        with session(repo) as (repository, _, lock):
            report = check(repository, lock, CheckOptions(read_data=True))
        assert report.whole, report.errors

    def restore(self, repo: Path, snapshot: str, target: Path) -> None:
        with session(repo, exclusive=False) as (repository, index, _):
            named = load_snapshot(repository, SnapshotId(bytes.fromhex(snapshot)))
            report = restore_snapshot(repository, index, named, target, RestoreOptions(verify=True))
        assert not report.problems


class Theirs:
    """One restic."""

    def __init__(self, restic: Restic) -> None:
        self.restic = restic

    def init(self, repo: Path, *, version: int = 2) -> None:
        """With a key that is cheap to try in place of restic's own; `made_by` leaves that one."""
        shutil.copytree(made_by(self.restic, version), repo)
        OURS.change_password(repo, self.restic.password, self.restic.password)

    def backup(self, repo: Path, source: Path) -> str:
        self.restic.run("backup", source, repo=repo)
        ((latest,),) = self.restic.documents("snapshots", "latest", repo=repo)
        return str(latest["id"])

    def forget(self, repo: Path, snapshot: str) -> None:
        self.restic.run("forget", snapshot, repo=repo)

    def prune(self, repo: Path) -> None:
        self.restic.run("prune", "--max-unused", "0", repo=repo)

    def change_password(self, repo: Path, old: str, new: str) -> None:
        file = self.restic.home / "new-password"
        file.write_text(new)
        self.restic.run("key", "passwd", "--new-password-file", file, repo=repo, password=old)

    def snapshots(self, repo: Path) -> set[str]:
        (found,) = self.restic.documents("snapshots", repo=repo)
        return {snapshot["id"] for snapshot in found}

    def check(self, repo: Path) -> None:
        self.restic.run("check", "--read-data", repo=repo)

    def restore(self, repo: Path, snapshot: str, target: Path) -> None:
        self.restic.run("restore", snapshot, "--target", target, repo=repo)


Tool = Ours | Theirs
OURS = Ours()


def restored(tool: Tool, repo: Path, snapshot: str, source: Path) -> Fingerprint:
    """What a tool makes of a backup of `source`. The files are gone when this returns."""
    with tempfile.TemporaryDirectory(dir=repo.parent) as target:
        tool.restore(repo, snapshot, Path(target))
        return fingerprint(target + str(source))


def made_by(restic: Restic, version: int = 2) -> Path:
    """An empty repository that this restic made, to be copied: measuring its own scrypt costs it seconds."""
    base = restic.home.parent
    shared = base.parent if base.name.startswith("popen-") else base
    made = shared / f"restic-{restic.version}-format-{version}"
    if not made.exists():
        draft = Path(tempfile.mkdtemp(dir=base)) / "repository"
        restic.run("init", "--repository-version", str(version), repo=draft)
        # Another worker may have been faster; its repository does as well.
        with contextlib.suppress(OSError):
            draft.rename(made)
    return made
