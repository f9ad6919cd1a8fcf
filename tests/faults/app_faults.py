"""An application with former backups, `holdfast` run on it while something is broken, and what must hold then."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from holdfast.app import load_app
from holdfast.errors import ExitCode
from holdfast.operations.create import create_backup
from holdfast.operations.list_backups import list_backups
from holdfast.operations.requests import CreateRequest, ListRequest, RestoreRequest, VerifyRequest
from holdfast.operations.restore import plan_restore, run_restore
from holdfast.operations.verify import verify_backups
from holdfast.testing.fake_clock import FakeClock

TIMEOUT_S = 120
FORMER = 3
KEPT = 2

HEAD = """\
[app]
name = "shop"
log_file = "run.log"
dump_timeout = "60s"
"""
SQLITE = """
[sources.database]
kind = "sqlite"
path = "shop.db"
busy_timeout_s = 1
"""
FILES = """
[sources.storage]
kind = "files"
paths = ["storage"]

[sources.config]
kind = "config"
paths = [".env"]
"""
ARCHIVE = """
[targets.local]
kind = "archive"
url = "backups"
keep = { last = 2 }
"""
REPOSITORY = """
[targets.offsite]
kind = "repository"
url = "offsite"
password_file = "password"
cache = false
keep = { last = 2 }
"""


class Done(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str

    def error(self) -> dict[str, Any]:
        """The document that says why."""
        documents = [json.loads(line) for line in self.err.splitlines() if line.startswith("{")]
        found: dict[str, Any] = documents[-1]
        assert found["message_type"] == "exit_error", self.err
        return found


Ids = dict[str, list[str]]


class FaultyApp:
    """An application in a folder of its own; everything in its configuration is relative to it.

    Args:
        folder: holds the application, its configuration and its local targets.

    Attributes:
        prefix: runs the command in another way.
        environment: variables of the command.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prefix: Sequence[str] = ()
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            # A module compiled while files cannot grow would be cut off, and stay so for everybody.
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    # --- making ---------------------------------------------------------------------------------

    def prepare(self, configuration: str, former: int = FORMER) -> FaultyApp:
        """Makes the application and its former backups, one more than retention would keep."""
        (self.folder / "storage/pictures").mkdir(parents=True)
        self.write("holdfast.toml", configuration)
        self.write("password", "geheim\n")
        self.write(".env", "SECRET=1234\n")
        for number in range(6):
            (self.folder / f"storage/pictures/{number}.jpg").write_bytes(bytes([number]) * 3000)
        with closing(sqlite3.connect(self.folder / "shop.db")) as database:
            database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, text TEXT)")
            database.executemany("INSERT INTO orders VALUES (?, ?)", [(n, f"заказ {n}" * 20) for n in range(200)])
            database.commit()
        for days in range(former, 0, -1):
            self.create_in_the_past(days)
        return self

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)

    def copy(self, folder: Path) -> FaultyApp:
        """An independent copy."""
        shutil.copytree(self.folder, folder, symlinks=True)
        twin = FaultyApp(folder)
        twin.environment |= {k: v for k, v in self.environment.items() if k not in ("HOME", "XDG_CACHE_HOME")}
        return twin

    def create_in_the_past(self, days: int) -> None:
        clock = FakeClock(ns=time.time_ns() - days * 86_400 * 1_000_000_000)
        with load_app(self.folder / "holdfast.toml", None, self.environment, self.folder, clock=clock) as app:
            report = create_backup(app.context, CreateRequest(retention=False))
        assert report.failure is None, report.failure

    # --- running --------------------------------------------------------------------------------

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "holdfast", *arguments]

    def run(self, *arguments: str, prefix: Sequence[str] = ()) -> Done:
        """Runs `holdfast` in the application's folder."""
        process = subprocess.run(
            [*prefix, *self.prefix, *self.command(*arguments)],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        return Done(process.returncode, process.stdout, process.stderr)

    def listed(self) -> Ids:
        """Ids by target, as the command tells them."""
        done = self.run("list", "--json")
        assert done.status == 0, done.err
        found: Ids = {}
        for backup in json.loads(done.out)["backups"]:
            for copy in backup["copies"]:
                found.setdefault(copy["target"], []).append(backup["backup_id"])
        return found

    # --- looking, in this process because that is quicker -----------------------------------------

    @contextmanager
    def opened(self) -> Generator[Any]:
        with load_app(self.folder / "holdfast.toml", None, self.environment, self.folder) as app:
            yield app.context

    def ids(self) -> Ids:
        """Ids by target."""
        found: Ids = {}
        with self.opened() as context:
            listing = list_backups(context, ListRequest())
        assert listing.failure is None, listing.failure
        for backup in listing.backups:
            for copy in backup.copies:
                found.setdefault(copy.target, []).append(backup.backup_id)
        return found

    def require_whole(self) -> None:
        """Every listed backup has all its parts, and is read again."""
        with self.opened() as context:
            for listed in list_backups(context, ListRequest()).backups:
                for copy in listed.copies:
                    assert copy.manifest.components.keys() >= context.sources.keys(), copy
            report = verify_backups(context, VerifyRequest())
        assert report.failure is None, report

    def restored(self, backup_id: str, place: Path) -> None:
        """Brings a backup back elsewhere."""
        with self.opened() as context:
            plan = plan_restore(context, RestoreRequest(what=backup_id, to=str(place)))
            report = run_restore(context, plan)
        assert report.failure is None, report.failure

    def finals(self) -> dict[str, int]:
        """Files of archives under names that people read, with their sizes."""
        return {name: size for name, size in self.files().items() if not _is_hidden(name) and name != "backup.log"}

    def files(self) -> dict[str, int]:
        """All files of the local archive."""
        top = self.folder / "backups"
        if not top.is_dir():
            return {}
        found = [path for path in top.rglob("*") if path.is_file()]
        return {str(path.relative_to(top)): path.stat().st_size for path in found}

    def log(self) -> str:
        path = self.folder / "run.log"
        return path.read_text() if path.exists() else ""

    def leftovers(self) -> list[str]:
        """What no run should leave: names of work in progress in target, scratch and beside the application."""
        pending = [name for name in self.files() if "pending" in name or "tmp" in name or "partial" in name]
        scratch = self.folder / ".holdfast/scratch"
        pending += [str(path) for path in scratch.iterdir()] if scratch.is_dir() else []
        beside = [str(path) for path in self.folder.rglob(".holdfast-*") if "-before-restore-" not in path.name]
        return pending + beside


Breaker = Callable[[FaultyApp], AbstractContextManager[None]]


class Case(NamedTuple):
    """Something broken, and how the command must end.

    Attributes:
        name: what is broken.
        breaks: breaks it, until its end.
        codes: of the error, any of them.
        status: of the command.
        arguments: further options of `create`.
    """

    name: str
    breaks: Breaker
    codes: tuple[str, ...]
    status: int = 1
    arguments: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return self.name.replace(" ", "-")


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in Path(name).parts)


def _state(folder: Path) -> dict[str, object]:
    """All rows and files that a backup brought back, or the application has."""
    state: dict[str, object] = {}
    with closing(sqlite3.connect(next(folder.rglob("shop.db")))) as database:
        state["rows"] = database.execute("SELECT * FROM orders ORDER BY id").fetchall()
    if "files" in (folder.parent / "app/holdfast.toml").read_text():
        pictures = next(path for path in folder.rglob("pictures") if path.is_dir())
        state |= {path.name: path.read_bytes() for path in pictures.iterdir()}
    return state


def require_no_success(app: FaultyApp, case: Case, place: Path) -> None:
    """Runs `holdfast create` while something is broken: nothing of it may look like success."""
    before, finals, logged = app.ids(), app.finals(), len(app.log())
    assert all(len(ids) == FORMER for ids in before.values())
    with case.breaks(app):
        done = app.run("create", "--json", *case.arguments)
        print(done.err[-2000:])
        require_failure(done, case)
    assert app.listed() == before, "a backup is listed that failed, or a former one is gone"
    assert app.finals() == finals, "something lies under a final name"
    said = app.log()[logged:]
    assert "successfully" not in said
    if case.status != ExitCode.USAGE:  # nothing was attempted; there may not even be a configuration to name the log
        assert " - ERROR - " in said, f"the log says nothing: {said}"
        assert any(f"({code})" in said for code in case.codes), said
    require_restorable(app, before, place)
    require_next_success(app, before)


def require_failure(done: Done, case: Case) -> None:
    """The exit status is the right one and the error has a name."""
    assert done.status == case.status, f"exit status {done.status}\n{done.out}{done.err[-3000:]}"
    assert "Traceback" not in done.out + done.err
    error = done.error()
    assert error["code"] in case.codes, error
    assert error["exit_code"] == case.status
    assert error["message"]


def require_restorable(app: FaultyApp, before: Ids, place: Path) -> None:
    """The newest of the former backups comes back; where there are several targets, all are whole."""
    newest = next(iter(before.values()))[0]
    if 'kind = "sqlite"' in (app.folder / "holdfast.toml").read_text():
        app.restored(newest, place)
        assert _state(place) == _state(app.folder)
    else:
        with app.opened() as context:
            report = verify_backups(context, VerifyRequest(what=newest))
        assert report.failure is None, report


def require_next_success(app: FaultyApp, before: Ids) -> None:
    """The next healthy run makes a backup, and only then goes what retention lets go; nothing is left over."""
    with app.opened() as context:
        report = create_backup(context, CreateRequest())
    assert report.failure is None, report.failure
    expected = {target: [report.backup_id, *ids[: KEPT - 1]] for target, ids in before.items()}
    assert app.ids() == expected, "retention did not run after a success, so that the test proves nothing"
    assert app.leftovers() == []


# --- breakers used by several suites -------------------------------------------------------------


def edit(*changes: tuple[str, str]) -> Breaker:
    """Changes texts of the configuration."""

    @contextmanager
    def breaks(app: FaultyApp) -> Generator[None]:
        path = app.folder / "holdfast.toml"
        healthy = path.read_text()
        text = healthy
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        path.write_text(text)
        yield
        path.write_text(healthy)

    return breaks


def moved(name: str, instead: Callable[[Path], None] = lambda _: None) -> Breaker:
    """Takes a file or folder away, and puts something in its place."""

    @contextmanager
    def breaks(app: FaultyApp) -> Generator[None]:
        path, aside = app.folder / name, app.folder / f"{name}.aside"
        path.rename(aside)
        instead(path)
        yield
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        aside.rename(path)

    return breaks
