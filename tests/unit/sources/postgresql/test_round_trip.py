"""Dump, destroy, restore, compare: on a real server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from msgspec.structs import replace

from holdfast.errors import (
    DamageError,
    DatabaseUnavailable,
    DestinationBusy,
    LoadFailed,
    RestoreMismatch,
    RestoreRefused,
    UnknownName,
)
from holdfast.model.component import Form
from holdfast.runtime.secret import Secret
from holdfast.sources.postgresql import Postgresql
from holdfast.sources.postgresql_databases import Databases
from holdfast.sources.postgresql_swap import swap_in
from holdfast.testing.databases import DatabaseServer, run_sql
from holdfast.testing.dumped_content import DumpedContent, collect, dump_request, load_request

Make = Callable[..., Postgresql]
Image = Callable[[str], str]
FORMS = pytest.mark.parametrize("form", [Form.NATIVE, Form.SQL])


def dumped(source: Postgresql, scratch: Path, form: Form, **options: object) -> DumpedContent:
    source.preflight()
    with source.dump(replace(dump_request(scratch), **options)) as dump:
        return collect(dump, form)


def databases(server: DatabaseServer) -> set[str]:
    return {str(name) for (name,) in run_sql(server, "postgres", "SELECT datname FROM pg_database")}


@FORMS
def test_everything_comes_back(
    server: DatabaseServer, rich: str, source: Make, image: Image, tmp_path: Path, form: Form
) -> None:
    before = image(rich)
    run_sql(server, rich, "CREATE ROLE reader_" + rich, f"GRANT CONNECT ON DATABASE {rich} TO reader_{rich}")
    run_sql(server, rich, f"ALTER DATABASE {rich} SET search_path = side, public", f"COMMENT ON DATABASE {rich} IS 'x'")
    content = dumped(source(rich), tmp_path / "s", form)
    assert content.component.rows == {
        "child_of": 1,
        "nothing": 1,
        "orders": 1000,
        "parent_of": 1,
        "people": 500,
        "side.measured": 100,
        'we.ird.T "1" (x': 3,
    }
    assert content.component.facts["server_version"].startswith("15.")
    assert content.component.facts["tool"].startswith("pg_dump 15.")
    assert server.password not in repr(content.component)
    run_sql(server, rich, "DROP TABLE people CASCADE", "DROP SCHEMA side CASCADE", "DELETE FROM nothing")

    request = load_request(tmp_path / "s")
    plan = source(rich).plan([content], request)
    assert plan.replaces == (f"database {rich}",)
    kept = f"{rich}_before_restore_20240101_120000"
    assert plan.safety_copies == (f"database {kept}",)
    report = source(rich).load([content], request)

    assert image(rich) == before
    assert report.rows == content.component.rows
    assert report.safety_copies == (f"database {kept}",)
    assert run_sql(server, kept, "SELECT count(*) FROM nothing") == [(0,)]
    assert run_sql(server, rich, "SHOW search_path") == [("side, public",)]
    described = (
        "SELECT shobj_description(oid, 'pg_database'),"
        " (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(datacl) a)"
        " FROM pg_database WHERE datname = '{}'"
    )
    now, former = (run_sql(server, "postgres", described.format(name))[0] for name in (rich, kept))
    assert now == former
    assert f"reader_{rich}" in str(now[1])
    assert not {name for name in databases(server) if name.startswith(f"{rich}_restore")}
    # The sentence for undoing it does that.
    steps = report.undo.partition("run: ")[2]
    run_sql(server, "postgres", *steps.strip(";").split("; "))
    assert run_sql(server, rich, "SELECT count(*) FROM nothing") == [(0,)]


@FORMS
def test_a_dropped_database_comes_back(
    server: DatabaseServer, rich: str, source: Make, image: Image, tmp_path: Path, form: Form
) -> None:
    before = image(rich)
    content = dumped(source(rich), tmp_path / "s", form)
    run_sql(server, "postgres", f"DROP DATABASE {rich}")
    assert source(rich).plan([content], load_request(tmp_path / "s")).replaces == ()
    report = source(rich).load([content], load_request(tmp_path / "s"))
    assert image(rich) == before
    assert report.safety_copies == ()
    assert report.undo == ""


@FORMS
@pytest.mark.parametrize("exists", [True, False])
def test_elsewhere(
    server: DatabaseServer, rich: str, source: Make, image: Image, tmp_path: Path, form: Form, *, exists: bool
) -> None:
    content = dumped(source(rich), tmp_path / "s", form)
    other = server.new_database() if exists else f"{rich}_other"
    request = load_request(tmp_path / "s", destination=server.url(other))
    report = source(rich).load([content], request)
    assert image(other) == image(rich)
    assert report.safety_copies == ()
    assert server.password not in repr(report)
    with pytest.raises(RestoreRefused, match="is not empty"):
        source(rich).load([content], request)
    assert {name for name in databases(server) if name.startswith(other)} == {other}


@FORMS
def test_elsewhere_without_the_right_to_create_databases(
    server: DatabaseServer, source: Make, database: str, tmp_path: Path, form: Form
) -> None:
    run_sql(server, database, "CREATE TABLE t AS SELECT generate_series(1, 10) AS n")
    content = dumped(source(database), tmp_path / "s", form)
    other = server.new_database()
    run_sql(server, other, f"CREATE ROLE r_{other} LOGIN PASSWORD 'pw'", f"ALTER DATABASE {other} OWNER TO r_{other}")
    url = f"postgresql://r_{other}:pw@{server.host}:{server.port}/{other}"
    report = source(database).load([content], load_request(tmp_path / "s", destination=url))
    assert report.rows == {"t": 10}
    assert run_sql(server, other, "SELECT tableowner FROM pg_tables WHERE tablename = 't'") == [(f"r_{other}",)]


def test_connections_of_the_application_are_ended(
    server: DatabaseServer, database: str, source: Make, tmp_path: Path
) -> None:
    run_sql(server, database, "CREATE TABLE t (n int)")
    content = dumped(source(database), tmp_path / "s", Form.NATIVE)
    with psycopg.connect(server.url(database)) as application:
        application.execute("SELECT 1")
        source(database).load([content], load_request(tmp_path / "s"))
        with pytest.raises(psycopg.OperationalError):
            application.execute("SELECT 1")


def test_connections_that_cannot_be_ended_are_a_busy_destination(
    server: DatabaseServer, database: str, source: Make, tmp_path: Path
) -> None:
    run_sql(server, database, f"CREATE ROLE o_{database} LOGIN CREATEDB PASSWORD 'pw'")
    run_sql(server, database, f"ALTER DATABASE {database} OWNER TO o_{database}", "CREATE TABLE t (n int)")
    run_sql(server, database, f"ALTER TABLE t OWNER TO o_{database}")
    url = f"postgresql://o_{database}:pw@{server.host}:{server.port}/{database}"
    before = databases(server)
    own = source(database, url=Secret(url.encode()))
    content = dumped(own, tmp_path / "s", Form.NATIVE)
    with psycopg.connect(server.url(database)) as administrator:  # a superuser, whom this role may not end
        administrator.execute("SELECT 1")
        with pytest.raises(DestinationBusy):
            own.load([content], load_request(tmp_path / "s"))
        assert administrator.execute("SELECT count(*) FROM t").fetchone() == (0,)
    assert databases(server) == before


def test_both_names_change_or_neither(server: DatabaseServer, database: str, source: Make) -> None:
    with Databases(source(database)._server) as administrator:
        with pytest.raises(LoadFailed):
            swap_in(administrator, f"{database}_absent", database, f"{database}_kept")
        assert administrator.exists(database)
        assert not administrator.exists(f"{database}_kept")


@FORMS
def test_content_that_is_not_whole_changes_nothing(
    server: DatabaseServer, rich: str, source: Make, image: Image, tmp_path: Path, form: Form
) -> None:
    content = dumped(source(rich), tmp_path / "s", form)
    before, names = image(rich), databases(server)
    [path] = content.contents
    whole = content.contents[path]
    for cut in (0, 10, len(whole) // 2, len(whole) - 3000):
        content.contents[path] = whole[:cut]
        with pytest.raises((LoadFailed, RestoreMismatch, DamageError)):
            source(rich).load([content], load_request(tmp_path / "s"))
    content.contents[path] = whole
    content.component = replace(content.component, rows={**content.component.rows, "people": 501})
    with pytest.raises(RestoreMismatch, match="table people has 500 rows instead of 501 rows"):
        source(rich).load([content], load_request(tmp_path / "s"))
    assert image(rich) == before
    assert databases(server) == names


@FORMS
def test_damage_found_at_the_end_of_the_content_changes_nothing(
    server: DatabaseServer, rich: str, source: Make, image: Image, tmp_path: Path, form: Form
) -> None:
    class Damaged(DumpedContent):
        def entries(self, paths: object = ()) -> object:  # type: ignore[override]
            for entry in super().entries():
                yield replace(entry, open=lambda entry=entry: _Broken(entry.open()))

    class _Broken:
        def __init__(self, inner: object) -> None:
            self._inner = inner

        def read(self, size: int = -1) -> bytes:
            block: bytes = self._inner.read(size)  # type: ignore[attr-defined]
            if not block:
                raise DamageError(object="content", reason="it has another checksum")
            return block

        def close(self) -> None:
            pass

    content = dumped(source(rich), tmp_path / "s", form)
    damaged = Damaged(content.component, content._entries, content.contents)
    before, names = image(rich), databases(server)
    with pytest.raises(DamageError):
        source(rich).load([damaged], load_request(tmp_path / "s"))
    assert image(rich) == before
    assert databases(server) == names


@pytest.mark.parametrize(
    "attack",
    [
        "\\! touch {marker}\n",
        "SELECT 1 \\! touch {marker}\n;\n",
        "\\copy t from program 'touch {marker}'\n",
        "\\connect postgres\n",
        "\\restrict x; \\! touch {marker}\n",
        "\\o |touch {marker}\n",
        "COPY t FROM PROGRAM 'touch {marker}';\n",
        "copy t to program 'touch {marker}';\n",
        "/* */ COPY t FROM PROGRAM 'touch {marker}';\n",
        "COPY/* */t FROM PROGRAM 'touch {marker}';\n",
    ],
)
def test_commands_for_psql_in_a_dump_are_never_obeyed(
    server: DatabaseServer, database: str, source: Make, tmp_path: Path, attack: str
) -> None:
    run_sql(server, database, "CREATE TABLE t (n text)")
    content = dumped(source(database), tmp_path / "s", Form.SQL)
    marker = Path("/tmp") / f"hf-attack-{database}"
    [path] = content.contents
    evil = attack.format(marker=marker).encode()
    for place in (b"SET default_tablespace", b"--\n-- PostgreSQL database dump complete"):
        content.contents[path] = content.contents[path].replace(place, evil + place, 1)
        with pytest.raises(RestoreRefused, match="the dump"):
            source(database).load([content], load_request(tmp_path / "s"))
        assert not marker.exists()


def test_what_killed_restores_left_is_removed(
    server: DatabaseServer, database: str, source: Make, tmp_path: Path
) -> None:
    from holdfast.sources.postgresql_databases import MARK

    run_sql(server, database, "CREATE TABLE t (n int)")
    left, innocent = f"{database}_restore_20230101_000000", f"{database}_restore_mine"
    run_sql(server, "postgres", f"CREATE DATABASE {left}", f"COMMENT ON DATABASE {left} IS '{MARK}'")
    run_sql(server, "postgres", f"CREATE DATABASE {innocent}")
    content = dumped(source(database), tmp_path / "s", Form.NATIVE)
    source(database).load([content], load_request(tmp_path / "s"))
    assert left not in databases(server)
    assert innocent in databases(server)


def test_a_second_restore_with_the_same_stamp_numbers_its_copy(
    server: DatabaseServer, database: str, source: Make, tmp_path: Path
) -> None:
    run_sql(server, database, "CREATE TABLE t (n int)")
    content = dumped(source(database), tmp_path / "s", Form.NATIVE)
    for copy in ("", "_2"):
        report = source(database).load([content], load_request(tmp_path / "s"))
        assert report.safety_copies == (f"database {database}_before_restore_20240101_120000{copy}",)
    report = source(database).load([content], replace(load_request(tmp_path / "s"), safety_copy=False))
    assert report.safety_copies == ()
    assert len([name for name in databases(server) if name.startswith(database)]) == 3


HOSTILE = ["-rf", "--help", "host=elsewhere", "a=b dbname=postgres", "postgresql://x/y", "q'u\"o`te\\", "ünï\n;x", " "]


@pytest.mark.parametrize("name", HOSTILE)
@FORMS
def test_hostile_names(
    server: DatabaseServer, source: Make, image: Image, tmp_path: Path, name: str, form: Form
) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        quoted = psycopg.sql.Identifier(name)
        connection.execute(psycopg.sql.SQL("DROP DATABASE IF EXISTS {}").format(quoted))
        connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(quoted))
    secret = Secret(server.password.encode())
    options = {"url": None, "host": server.host, "port": server.port, "user": server.user, "password": secret}
    named = source("", **options, database=name)
    with named._server.plain() as connection:
        table = psycopg.sql.Identifier("Ta\nb'le\"-- ;\\!")
        connection.execute(psycopg.sql.SQL("CREATE TABLE {} AS SELECT generate_series(1, 3)").format(table))
    content = dumped(named, tmp_path / "s", form)
    assert list(content.component.rows.values()) == [3]
    assert "/" not in content.component.file_name
    assert not content.component.file_name.startswith("-")
    report = named.load([content], load_request(tmp_path / "s"))
    assert report.rows == content.component.rows
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(psycopg.sql.SQL("DROP DATABASE {}").format(quoted))


def test_only_some_schemas_and_tables(server: DatabaseServer, rich: str, source: Make, tmp_path: Path) -> None:
    content = dumped(source(rich, schemas=("side",)), tmp_path / "s", Form.NATIVE)
    assert content.component.rows == {"side.measured": 100}
    content = dumped(source(rich, exclude_tables=("people", "side.m2023", 'we.ird.T "1" (x')), tmp_path / "s", Form.SQL)
    assert content.component.rows["people"] == 0
    assert content.component.rows["orders"] == 1000
    assert content.component.rows["side.measured"] == 40
    assert content.component.facts["rows_left_out"] == 'people, side.m2023, we.ird.T "1" (x'
    other = server.url(f"{rich}_left_out")
    run_sql(server, rich, "ALTER TABLE orders DROP CONSTRAINT orders_person_fkey")
    content = dumped(source(rich, exclude_tables=("people",)), tmp_path / "s", Form.SQL)
    assert source(rich).load([content], load_request(tmp_path / "s", destination=other)).rows["people"] == 0


@FORMS
def test_one_table(server: DatabaseServer, rich: str, source: Make, image: Image, tmp_path: Path, form: Form) -> None:
    content = dumped(source(rich), tmp_path / "s", form)
    before = image(rich)
    names = databases(server)
    run_sql(server, rich, "UPDATE orders SET note = 'spoiled'", "DELETE FROM side.measured")
    run_sql(server, rich, "UPDATE people SET name = 'kept as it is' WHERE id = 7")
    request = replace(load_request(tmp_path / "s"), tables=("orders", "side.measured"))
    report = source(rich).load([content], request)
    assert report.rows == {"orders": 1000, "side.measured": 100}
    assert run_sql(server, rich, "SELECT name FROM people WHERE id = 7") == [("kept as it is",)]
    request = replace(load_request(tmp_path / "s"), tables=("people:id=7",))
    planned = source(rich).plan([content], request).safety_copies
    report = source(rich).load([content], request)
    assert report.rows == {"people": 1}
    (kept,) = map(Path, report.safety_copies)
    assert (str(kept.parent),) == planned
    assert "kept as it is" in kept.read_text()
    assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert str(kept.parent) in report.undo
    with pytest.raises(RestoreRefused, match="no such row"):
        source(rich).load([content], replace(request, tables=("people:id=999999",)))
    assert sorted(image(rich).splitlines()) == sorted(before.splitlines())
    assert databases(server) == names
    with pytest.raises(UnknownName, match="no table named none"):
        source(rich).load([content], replace(request, tables=("none",)))
    with pytest.raises(UnknownName, match="no column named x"):
        source(rich).load([content], replace(request, tables=("people:x=1",)))
    with pytest.raises(RestoreRefused):
        source(rich).load([content], replace(request, tables=("people:id",)))


def test_rows_without_their_parents_are_refused(
    server: DatabaseServer, rich: str, source: Make, tmp_path: Path
) -> None:
    content = dumped(source(rich), tmp_path / "s", Form.NATIVE)
    run_sql(server, rich, "DELETE FROM orders WHERE person = 7", "DELETE FROM people WHERE id = 7")
    with pytest.raises(RestoreRefused, match="rows of table orders would refer to rows of people that do not exist"):
        source(rich).load([content], replace(load_request(tmp_path / "s"), tables=("orders",)))
    assert run_sql(server, rich, "SELECT count(*) FROM orders") == [(998,)]
    source(rich).load([content], replace(load_request(tmp_path / "s"), tables=("orders", "people")))
    assert run_sql(server, rich, "SELECT count(*) FROM orders") == [(1000,)]


def test_changes_on_top_of_a_dump(
    server: DatabaseServer, rich: str, source: Make, image: Image, tmp_path: Path
) -> None:
    run_sql(server, rich, "DELETE FROM pg_largeobject_metadata")  # changes hold rows of tables and nothing else
    state = tmp_path / "state"
    base = dumped(source(rich), tmp_path / "s", Form.NATIVE, state=state)
    assert state.stat().st_size > 100
    run_sql(server, rich, "DELETE FROM orders WHERE id < 1100", "UPDATE people SET price = 9 WHERE id < 10")
    run_sql(server, rich, "INSERT INTO side.measured VALUES ('2024-06-01', 'NaN')", "DELETE FROM nothing")
    (tmp_path / "s2").mkdir(mode=0o700)
    with source(rich).dump(replace(dump_request(tmp_path / "s"), base=state, state=tmp_path / "state2")) as dump:
        changes = collect(dump, Form.CHANGES)
    then = image(rich)
    assert changes.component.rows["orders"] == 900
    run_sql(server, rich, "DELETE FROM orders", "DROP VIEW sums")
    report = source(rich).load([base, changes], load_request(tmp_path / "s"))
    assert report.rows == changes.component.rows
    lines = [sorted(line for line in text.splitlines() if "setval" not in line) for text in (image(rich), then)]
    assert lines[0] == lines[1]
    with pytest.raises(RestoreRefused, match="on top of a full backup"):
        source(rich).load([changes], load_request(tmp_path / "s"))


def test_other_content_is_refused(server: DatabaseServer, database: str, source: Make, tmp_path: Path) -> None:
    run_sql(server, database, "CREATE TABLE t (n int)")
    content = dumped(source(database), tmp_path / "s", Form.SQL)
    content.component = replace(content.component, kind="mysql")
    with pytest.raises(RestoreRefused, match="holds a mysql"):
        source(database).load([content], load_request(tmp_path / "s"))
    content.component = replace(content.component, kind="postgresql")
    for url in ("mysql://h/x", "/a/directory", "postgresql://user:hunter2#3@h/d", "postgresql://h"):
        with pytest.raises(RestoreRefused) as caught:
            source(database).load([content], load_request(tmp_path / "s", destination=url))
        assert "hunter2" not in str(caught.value)
    with pytest.raises(RestoreRefused, match="tables and no paths"):
        source(database).load([content], load_request(tmp_path / "s", paths=[b"x"]))


def test_a_server_that_is_away(source: Make, tmp_path: Path) -> None:
    away = source("", url=Secret(b"postgresql://u:hunter2@127.0.0.1:1/x"))
    with pytest.raises(DatabaseUnavailable, match="Database connection failed: source db: ") as caught:
        away.preflight()
    assert "hunter2" not in str(caught.value)
    assert away.estimate_bytes() is None
