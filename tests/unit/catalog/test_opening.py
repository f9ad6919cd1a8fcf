"""Opening a catalog: made once, private, upgraded, and refused with a name when it cannot be used."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path
from typing import NoReturn

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import holdfast
from holdfast.catalog import Catalog, RunFilter, open_catalog
from holdfast.catalog.key_file import read_or_make_key
from holdfast.catalog.schema import VERSION_TABLE, metadata
from holdfast.catalog.upgrade import NEWEST
from holdfast.errors import CatalogDamaged, CatalogNewer, CatalogUnavailable
from holdfast.model.access import Scope
from holdfast.testing.databases import DatabaseServer, run_sql
from holdfast.testing.fake_clock import FakeClock
from unit.catalog.kit import KEY, NOON, a_run, raw

MIGRATIONS = Path(holdfast.__file__).parent / "catalog" / "migrations"


def opened(url: str, key: bytes = KEY) -> Catalog:
    return open_catalog(url, clock=FakeClock(), key=key)


def read_everything(url: str) -> None:
    with opened(url) as catalog:
        catalog.runs.find(RunFilter(app="shop", limit=1000))
        catalog.audit.verify()
        catalog.copies.totals("shop")


def fill_up(catalog: Catalog) -> NoReturn:
    while True:
        catalog.runs.add(a_run(report={"x": "y" * 5000}))


def local(folder: Path) -> tuple[Path, str]:
    return folder / "state" / "catalog.db", f"sqlite:///{folder}/state/catalog.db"


def test_tables_are_what_the_code_says(catalog: Catalog) -> None:
    """Migrations and schema are written twice; both databases have to agree that they are one."""
    with catalog.storage.read() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_newest_migration_is_the_one_the_program_knows() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_heads() == [str(NEWEST)]


def test_opening_again_changes_nothing(catalog: Catalog, url: str) -> None:
    catalog.runs.add(a_run())
    catalog.audit.append(NOON, "a", "b")
    for _time in range(2):
        with opened(url) as again:
            assert again.audit.verify().entries == 1
            assert len(again.runs.unfinished("shop")) == 1


def test_another_key_is_refused(catalog: Catalog, url: str) -> None:
    with pytest.raises(CatalogUnavailable, match="key"):
        opened(url, b"x" * 32)


def test_an_old_program_works_on_with_a_newer_catalog_that_only_grew(catalog: Catalog, url: str) -> None:
    raw(
        catalog,
        f"UPDATE {VERSION_TABLE} SET version_num = '{NEWEST + 3}'",
        "ALTER TABLE holdfast_runs ADD COLUMN novelty TEXT",
        "CREATE TABLE holdfast_novelties (name TEXT)",
    )
    run = a_run()
    with opened(url) as old:
        assert old.runs.add(run)
        assert old.runs.get(run.run_id) == run
        assert old.runs.claim(run.run_id, "x", NOON) is not None
        assert len(old.runs.find(RunFilter(app="shop"))) == 1


def test_a_catalog_that_needs_a_newer_program_says_so(catalog: Catalog, url: str) -> None:
    raw(
        catalog,
        f"UPDATE {VERSION_TABLE} SET version_num = '{NEWEST + 3}'",
        f"UPDATE holdfast_facts SET value = '{NEWEST + 2}' WHERE name = 'oldest_program'",
    )
    with pytest.raises(CatalogNewer):
        opened(url)


def test_what_promises_rest_on_is_set(catalog: Catalog) -> None:
    """No test can cut the power; what keeps a commit then are these."""
    with catalog.storage.read() as connection:
        if connection.dialect.name == "sqlite":
            names = ("journal_mode", "synchronous", "busy_timeout")
            found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names]
            assert found == ["wal", 2, 30_000]
        else:
            names = ("synchronous_commit", "lock_timeout")
            assert [connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in names] == ["on", "30s"]


def test_a_server_that_promises_less_is_asked_for_more(server: DatabaseServer) -> None:
    name = server.new_database()
    run_sql(server, name, f"ALTER DATABASE {name} SET synchronous_commit = off")
    with opened(server.url(name)) as catalog, catalog.storage.read() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"


def test_files_are_ours_alone(tmp_path: Path) -> None:
    path, url = local(tmp_path)
    old = os.umask(0)
    try:
        with opened(url) as catalog:
            catalog.settings.put("a", 1)
            modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()}
    finally:
        os.umask(old)
    assert set(modes) == {"catalog.db", "catalog.db-wal", "catalog.db-shm", "catalog.db.lock"}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666])
def test_a_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    path, url = local(tmp_path)
    opened(url).close()
    path.chmod(mode)
    with pytest.raises(CatalogUnavailable, match=r"catalog\.db \(its mode is 0"):
        opened(url)


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o777])
def test_a_folder_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    path, url = local(tmp_path)
    path.parent.mkdir()
    path.parent.chmod(mode)
    with pytest.raises(CatalogUnavailable, match="state"):
        opened(url)
    assert not path.exists()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    path, url = local(tmp_path)
    path.parent.mkdir(mode=0o700)
    (tmp_path / "elsewhere").write_bytes(b"")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CatalogUnavailable):
        opened(url)
    assert (tmp_path / "elsewhere").read_bytes() == b""


def test_a_name_with_everything_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "wörter und ? # % & ; '"
    with opened(f"sqlite:///{folder}/100%?x=1.db") as catalog:
        catalog.settings.put("a", 1)
    assert (folder / "100%?x=1.db").exists()


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path, url = local(tmp_path)
    path.parent.mkdir(mode=0o700)
    with sqlite3.connect(path) as foreign:
        foreign.execute("CREATE TABLE customers (name TEXT)")
    foreign.close()
    path.chmod(0o600)
    with pytest.raises(CatalogUnavailable, match="another program"):
        opened(url)
    with sqlite3.connect(path) as foreign:
        assert foreign.execute("SELECT name FROM sqlite_master").fetchall() == [("customers",)]
    foreign.close()


def test_a_postgresql_database_may_hold_other_things(server: DatabaseServer) -> None:
    url = server.url(server.new_database())
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE runs (name TEXT)"))
    engine.dispose()
    with opened(url) as catalog:
        assert catalog.runs.add(a_run())


@pytest.mark.parametrize("content", [b"this is no database" * 300, b"SQLite format 3\0" + b"\xff" * 8000, b"\0" * 4096])
def test_a_file_that_is_no_database_names_the_way_out(tmp_path: Path, content: bytes) -> None:
    path, url = local(tmp_path)
    path.parent.mkdir(mode=0o700)
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(CatalogDamaged) as caught:
        opened(url)
    assert "holdfast catalog rebuild" in caught.value.hint
    assert path.read_bytes() == content, "it may be all that is left of something"


def test_damaged_pages_are_named_when_they_are_read(tmp_path: Path) -> None:
    path, url = local(tmp_path)
    with opened(url) as catalog:
        catalog.runs.add_many([a_run(report={"x": "y" * 500}) for _run in range(300)])
    content = bytearray(path.read_bytes())
    content[4096 * 12 :] = b"\xa5" * (len(content) - 4096 * 12)
    path.write_bytes(content)
    with pytest.raises(CatalogDamaged):
        read_everything(url)


def test_missing_tables_are_damage(catalog: Catalog) -> None:
    raw(catalog, "DROP TABLE holdfast_runs")
    with pytest.raises(CatalogDamaged):
        catalog.runs.unfinished("shop")


def test_a_full_disk_is_named_and_what_was_there_stays(tmp_path: Path) -> None:
    """SQLite is told that its file may not grow, which it answers as it answers a full disk."""
    with opened(local(tmp_path)[1]) as catalog:
        sa.event.listen(catalog.storage.engine, "begin", _no_room)
        with pytest.raises(CatalogUnavailable, match="full"):
            fill_up(catalog)
        kept = catalog.runs.unfinished("shop")
        assert kept
        assert all(run.report == {"x": "y" * 5000} for run in kept)
        sa.event.remove(catalog.storage.engine, "begin", _no_room)
        with catalog.storage.read() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
        assert catalog.runs.add(a_run())


def _no_room(connection: sa.Connection) -> None:
    connection.exec_driver_sql("PRAGMA max_page_count = 60")


def test_a_token_is_good_while_the_disk_is_full(tmp_path: Path) -> None:
    with opened(local(tmp_path)[1]) as catalog:
        _token, secret = catalog.tokens.create("x", [Scope.ADMIN], expires_at=None, at=NOON)
        sa.event.listen(catalog.storage.engine, "begin", _read_only)
        with pytest.raises(CatalogUnavailable):
            catalog.settings.put("a", 1)
        assert catalog.tokens.authenticate(secret, NOON) is not None


def _read_only(connection: sa.Connection) -> None:
    connection.exec_driver_sql("PRAGMA query_only = ON")


def test_a_server_that_is_away_is_named_without_its_password(server: DatabaseServer) -> None:
    port = 1
    away = f"postgresql://holdfast:hunter2@127.0.0.1:{port}/x"
    for url in (away, server.url("nothing").replace(server.password, "hunter2")):
        with pytest.raises(CatalogUnavailable) as caught:
            opened(url)
        assert "127.0.0.1" in str(caught.value)
        assert "hunter2" not in str(caught.value) + repr(caught.value.context)


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://root:hunter2@db/x", "postgresql://u:hunter2@[::/x"])
def test_a_url_that_names_no_catalog(url: str) -> None:
    with pytest.raises(CatalogUnavailable) as caught:
        opened(url)
    assert "hunter2" not in str(caught.value)


def test_a_server_that_comes_back_is_used_again(catalog: Catalog, server: DatabaseServer) -> None:
    """Connections that were lost meanwhile are replaced, not handed out."""
    with catalog.storage.read() as connection:
        if connection.dialect.name == "sqlite":
            return
    run_sql(
        server,
        "postgres",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holdfast'",
    )
    assert catalog.runs.add(a_run())


def test_key_file(tmp_path: Path) -> None:
    path = tmp_path / "state" / "catalog.key"
    key = read_or_make_key(path)
    assert len(key) == 32
    assert read_or_make_key(path, random=lambda count: b"x" * count) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["catalog.key"]
    path.chmod(0o640)
    with pytest.raises(CatalogUnavailable, match="0640"):
        read_or_make_key(path)
    path.chmod(0o600)
    path.write_bytes(key[:-1])
    with pytest.raises(CatalogUnavailable, match="32 bytes"):
        read_or_make_key(path)
