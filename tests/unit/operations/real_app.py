"""A small application of real parts: SQLite, a folder, two configuration files, archives and a repository."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec

from holdfast.operations.context import AppContext
from holdfast.operations.create import create_backup
from holdfast.operations.reports import CreateReport, RestoreReport
from holdfast.operations.requests import CreateRequest, RestoreRequest
from holdfast.operations.restore import plan_restore, run_restore
from holdfast.protocols.source import Source
from holdfast.protocols.target import Target
from holdfast.runtime.secret import Secret
from holdfast.sources.config_files import ConfigFiles, ConfigFilesOptions
from holdfast.sources.files import Files, FilesOptions
from holdfast.sources.sqlite import Sqlite
from holdfast.sources.sqlite_options import SqliteOptions
from holdfast.sources.tables import Tables
from holdfast.sources.tables_options import TablesOptions
from holdfast.targets.archive import ArchiveTarget
from holdfast.targets.archive_options import ArchiveOptions
from holdfast.targets.repository import RepositoryTarget
from holdfast.targets.repository_options import RepositoryOptions
from holdfast.testing.fake_clock import FakeClock

START_NS = 1_704_110_400 * 10**9


class RealApp:
    """An application in a folder.

    Attributes:
        folder: of the application.
        context: what operations get.
    """

    def __init__(self, folder: Path, targets: Sequence[str] = ("typed", "repository")) -> None:
        self.folder = folder
        self.clock = FakeClock(ns=START_NS)
        (folder / "data").mkdir(parents=True)
        (folder / "storage" / "sub").mkdir(parents=True)
        (folder / ".env").write_text("SECRET=1\n")
        (folder / "storage" / "a.jpg").write_bytes(b"a" * 5000)
        (folder / "storage" / "sub" / "ä b.bin").write_bytes(bytes(range(256)) * 2000)
        (folder / "storage" / "link").symlink_to("a.jpg")
        self.sql("create table users (id integer primary key, name text)", "create table empty (x)")
        self.add_users(50)
        self.context = AppContext(
            app="real",
            sources=self._sources(),
            targets={name: self._target(name) for name in targets},
            state_dir=folder / ".holdfast",
            log_paths=(folder / "backup.log",),
            clock=self.clock,
        )

    def _sources(self) -> dict[str, Source]:
        database = Sqlite("database", SqliteOptions(path="data/app.db"), self.folder)
        tables = Tables("tables", TablesOptions(database="database", tables=("users",)), self.folder, database)
        missing = ConfigFilesOptions(paths=(".env", "data/not-there.json"))
        return {
            "database": database,
            "tables": tables,
            "storage": Files("storage", FilesOptions(paths=("storage",)), self.folder),
            "config": ConfigFiles("config", missing, self.folder),
        }

    def _target(self, name: str) -> Target:
        if name == "repository":
            options = RepositoryOptions(url=str(self.folder / "repo"), password=Secret(b"geheim"), cache=False)
            return RepositoryTarget(name, options, self.folder, "real", self.folder / ".holdfast", self.clock)
        archive = msgspec.convert({"url": f"backups-{name}", "layout": name}, ArchiveOptions)
        return ArchiveTarget(name, archive, self.folder, "real", self.folder / ".holdfast", self.clock)

    def sql(self, *statements: str) -> list[tuple[object, ...]]:
        """Runs statements in the application's database; rows of the last one."""
        rows: list[tuple[object, ...]] = []
        database = sqlite3.connect(self.folder / "data" / "app.db")
        for statement in statements:
            rows = database.execute(statement).fetchall()
        database.commit()
        database.close()
        return rows

    def add_users(self, count: int) -> None:
        """More rows."""
        self.sql(*(f"insert into users (name) values ('user {number}')" for number in range(count)))

    def seen(self) -> dict[str, object]:
        """Everything that a backup must bring back."""
        files = {
            str(path.relative_to(self.folder)): path.read_bytes() if path.is_file() else None
            for path in sorted((self.folder / "storage").rglob("*"))
        }
        rows = self.sql("select id, name from users order by id")
        return {"files": files, "rows": rows, "env": (self.folder / ".env").read_text()}

    def ruin(self) -> None:
        """What nobody wants to happen."""
        self.sql("delete from users where id > 3", "update users set name = 'wrong'")
        (self.folder / "storage" / "a.jpg").write_text("ruined")
        (self.folder / "storage" / "extra").write_text("extra")
        (self.folder / "storage" / "sub" / "ä b.bin").unlink(missing_ok=True)
        (self.folder / ".env").write_text("SECRET=wrong\n")

    def create(self, **request: object) -> CreateReport:
        """Makes a backup an hour later."""
        self.clock.advance(3600)
        return create_backup(self.context, CreateRequest(**request))  # type: ignore[arg-type]

    def restore(self, **request: object) -> RestoreReport:
        """Plans and restores."""
        self.clock.advance(60)
        plan = plan_restore(self.context, RestoreRequest(**request))  # type: ignore[arg-type]
        return run_restore(self.context, plan)
