"""No false success: whatever a dump program or a server does, a dump that is not whole ends in a named error."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from msgspec.structs import replace

from holdfast.errors import (
    DatabaseUnavailable,
    DumpFailed,
    DumpIncomplete,
    DumpStalled,
    Interrupted,
    SourceError,
    ToolMissing,
    ToolVersionMismatch,
)
from holdfast.model.component import Form
from holdfast.runtime.cancel import CancelToken
from holdfast.runtime.secret import Secret
from holdfast.sources.mysql import Mysql, MysqlOptions
from holdfast.sources.postgresql import Postgresql, PostgresqlOptions
from holdfast.testing.databases import DatabaseServer, mariadb_server, postgresql_server, run_sql
from holdfast.testing.dumped_content import DumpedContent, collect, dump_request
from holdfast.testing.lying_tools import ANY, CUSTOM, HANG_S, KINDS, MARIADB, PLAIN, Kind, Lie, cases, fill, install

ERRORS: dict[str, type[SourceError]] = {
    kind.code: kind for kind in (DumpFailed, DumpIncomplete, DumpStalled, ToolMissing, ToolVersionMismatch)
}
SLOW = Lie("a slow one", "")


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, tuple[DatabaseServer, str]]]:
    """A server of each kind, with a filled database."""
    with postgresql_server() as postgresql, mariadb_server() as mariadb:
        filled = {server.kind: (server, server.new_database()) for server in (postgresql, mariadb)}
        for server, database in filled.values():
            fill(server, database)
        yield filled


Servers = dict[str, tuple[DatabaseServer, str]]


def source_of(kind: Kind, url: str, tools: Path | None, timeout_s: float | None = None) -> Postgresql | Mysql:
    folder = "" if tools is None else str(tools)
    secret = Secret(url.encode())
    if kind is MARIADB:
        return Mysql("db", MysqlOptions(url=secret, tools=folder, timeout_s=timeout_s), Path("/"))
    return Postgresql("db", PostgresqlOptions(url=secret, tools=folder, timeout_s=timeout_s), Path("/"))


def attempt(source: Postgresql | Mysql, form: Form, scratch: Path) -> DumpedContent:
    """What a backup does with a source; it asks for the version of the program by itself."""
    with source.dump(dump_request(scratch)) as dump:
        return collect(dump, form)


def chosen() -> list[object]:
    """All cases; lies that know nothing of the format are told about plain SQL by `make test-deep` only."""
    return [
        pytest.param(*case, marks=pytest.mark.deep if case[0] is PLAIN and case[1] in ANY else ()) for case in cases()
    ]


@pytest.mark.parametrize(("kind", "lie"), chosen(), ids=lambda part: part.name)
def test_a_lie_is_found(servers: Servers, tmp_path: Path, kind: Kind, lie: Lie) -> None:
    server, database = servers[kind.source]
    install(tmp_path / "tools", kind, lie)
    hangs = lie.error == DumpStalled.code
    source = source_of(kind, server.url(database), tmp_path / "tools", HANG_S if hangs else None)
    with pytest.raises(SourceError) as caught:
        attempt(source, Form(kind.form), tmp_path / "scratch")
    assert type(caught.value) is ERRORS[lie.error]
    assert server.password not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_truth_is_believed(servers: Servers, tmp_path: Path, kind: Kind) -> None:
    """Without this, a source that refuses everything would pass every other test here."""
    server, database = servers[kind.source]
    noisy = Lie("the truth, with 100 MB of complaints", "os.write(2, b'careful\\n' * 12_500_000); say(all_())")
    install(tmp_path / "tools", kind, noisy)
    content = attempt(source_of(kind, server.url(database), tmp_path / "tools"), Form(kind.form), tmp_path / "s")
    assert content.component.rows == {"empty": 0, "orders": 3000, "people": 3000}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("wrong", ["password", "port", "database", "user"])
def test_no_way_in(servers: Servers, tmp_path: Path, kind: Kind, wrong: str) -> None:
    server, database = servers[kind.source]
    parts = {"password": server.password, "port": str(server.port), "database": database, "user": server.user}
    parts[wrong] = {"password": "hunter2", "port": "1", "database": "nowhere", "user": "nobody"}[wrong]
    url = f"{server.kind}://{parts['user']}:{parts['password']}@{server.host}:{parts['port']}/{parts['database']}"
    with pytest.raises(DatabaseUnavailable, match="Database connection failed") as caught:
        attempt(source_of(kind, url, None), Form(kind.form), tmp_path / "s")
    assert parts["password"] not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_table_that_may_not_be_read(servers: Servers, tmp_path: Path, kind: Kind) -> None:
    server, _filled = servers[kind.source]
    database = server.new_database()
    user = f"u_{database[-8:]}"
    run_sql(server, database, "CREATE TABLE open (n int)", "CREATE TABLE closed (n int)")
    if server.kind == "postgresql":
        run_sql(server, database, f"CREATE ROLE {user} LOGIN PASSWORD 'pw'", f"GRANT SELECT ON open TO {user}")
    else:
        run_sql(server, database, f"CREATE USER {user} IDENTIFIED BY 'pw'", f"GRANT SELECT ON open TO {user}")
        run_sql(server, database, f"GRANT INSERT ON closed TO {user}")
    url = f"{server.kind}://{user}:pw@{server.host}:{server.port}/{database}"
    with pytest.raises(DumpFailed, match="closed"):
        attempt(source_of(kind, url, None), Form(kind.form), tmp_path / "s")


@pytest.mark.parametrize("kind", KINDS[:2], ids=lambda kind: kind.name)
def test_rows_that_a_policy_hides(servers: Servers, tmp_path: Path, kind: Kind) -> None:
    server, _filled = servers[kind.source]
    database = server.new_database()
    user = f"u_{database[-8:]}"
    run_sql(server, database, "CREATE TABLE t AS SELECT generate_series(1, 10) AS n")
    run_sql(server, database, f"CREATE ROLE {user} LOGIN PASSWORD 'pw'", f"GRANT SELECT ON t TO {user}")
    run_sql(server, database, "ALTER TABLE t ENABLE ROW LEVEL SECURITY", "CREATE POLICY hidden ON t USING (n < 5)")
    url = f"{server.kind}://{user}:pw@{server.host}:{server.port}/{database}"
    with pytest.raises(DumpFailed, match='row-level security policy for table "t"'):
        attempt(source_of(kind, url, None), Form(kind.form), tmp_path / "s")


@pytest.mark.parametrize("kind", KINDS[:2], ids=lambda kind: kind.name)
def test_limits_of_the_role_do_not_cut_a_dump(servers: Servers, tmp_path: Path, kind: Kind) -> None:
    server, _filled = servers[kind.source]
    database = server.new_database()
    fill(server, database)
    for limit in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
        run_sql(server, "postgres", f"ALTER DATABASE {database} SET {limit} = 1")
    content = attempt(source_of(kind, server.url(database), None), Form(kind.form), tmp_path / "s")
    assert content.component.rows["people"] == 3000


# --- servers that go away in the middle ---------------------------------------------------------------

PAUSED = """\
child = subprocess.Popen([{real}, *arguments], stdout=subprocess.PIPE, close_fds=False)
say(child.stdout.read(100_000))
open({folder!r} + "/reached", "w").close()
while not os.path.exists({folder!r} + "/go"): time.sleep(0.02)
while block := child.stdout.read1(100_000): say(block)
sys.exit(child.wait())
"""


def paused(folder: Path, kind: Kind) -> Path:
    """A folder with a program that dumps truthfully and waits after 100 kB until the file `go` is there."""
    install(folder, kind, SLOW)
    program = folder / kind.tool
    real = program.read_text().partition("os.execv(")[2].partition(",")[0]
    program.write_text(program.read_text() + PAUSED.format(real=real, folder=str(folder)))
    return folder


def in_the_middle(source: Postgresql | Mysql, form: Form, folder: Path, happens: Callable[[], None]) -> None:
    """Reads a dump to the point where its program waits, lets something happen, and reads on."""
    with source.dump(dump_request(folder / "scratch")) as dump:
        [entry] = [next(iter(entries := dump.entries(form)))]
        assert entry.open is not None
        reader = entry.open()
        reader.read(1000)
        deadline = time.monotonic() + 20
        while not (folder / "reached").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        happens()
        (folder / "go").touch()
        while reader.read(1 << 20):
            pass
        assert next(entries, None) is None
        dump.component(form)


def big(server: DatabaseServer) -> str:
    """A database that does not fit into pipes."""
    database = server.new_database()
    rows = "generate_series(1, 60000)" if server.kind == "postgresql" else "seq_1_to_60000"
    run_sql(server, database, f"CREATE TABLE big AS SELECT repeat('x', 200) AS pad FROM {rows}")
    return database


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_pause_alone_changes_nothing(servers: Servers, tmp_path: Path, kind: Kind) -> None:
    server, _filled = servers[kind.source]
    source = source_of(kind, server.url(big(server)), paused(tmp_path, kind))
    in_the_middle(source, Form(kind.form), tmp_path, lambda: None)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("whose", ["the program's", "all"])
def test_connections_are_ended_in_the_middle(servers: Servers, tmp_path: Path, kind: Kind, whose: str) -> None:
    server, _filled = servers[kind.source]
    database = big(server)

    def end() -> None:
        if server.kind == "postgresql":
            condition = "application_name = 'pg_dump'" if whose != "all" else "pid <> pg_backend_pid()"
            with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
                found = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND "
                assert connection.execute((found + condition).encode(), (database,)).fetchall()
            return
        condition = " AND INFO LIKE 'SELECT /*!40001%'" if whose != "all" else ""
        processes = "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '{}'{}"
        found = run_sql(server, "mysql", processes.format(database, condition))
        assert found
        for (number,) in found:
            run_sql(server, "mysql", f"KILL {number}")

    source = source_of(kind, server.url(database), paused(tmp_path, kind))
    with pytest.raises(DumpFailed):
        in_the_middle(source, Form(kind.form), tmp_path, end)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_server_is_killed_in_the_middle(tmp_path: Path, kind: Kind) -> None:
    start = postgresql_server if kind.source == "postgresql" else mariadb_server
    with start() as server:

        def kill() -> None:
            # Backends of PostgreSQL live on without their parent, and one of them would serve the dump to its end.
            for pid in (server.pid, *children(server.pid)):
                os.kill(pid, signal.SIGKILL)

        source = source_of(kind, server.url(big(server)), paused(tmp_path, kind))
        with pytest.raises(DumpFailed):
            in_the_middle(source, Form(kind.form), tmp_path, kill)


def children(pid: int) -> list[int]:
    """Processes that a process of ours started."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_table_is_gone_in_the_middle(servers: Servers, tmp_path: Path, kind: Kind) -> None:
    """Either the server makes whoever drops it wait, or the dump fails; it never misses a table quietly."""
    server, _filled = servers[kind.source]
    database = big(server)
    run_sql(server, database, "CREATE TABLE later AS SELECT 1 AS n")

    def drop() -> None:
        if server.kind == "postgresql":
            with pytest.raises(psycopg.errors.LockNotAvailable):
                run_sql(server, database, "SET lock_timeout = 100; DROP TABLE later")
        else:
            run_sql(server, database, "DROP TABLE later")

    source = source_of(kind, server.url(database), paused(tmp_path, kind))
    if server.kind == "postgresql":
        in_the_middle(source, Form(kind.form), tmp_path, drop)
    else:
        with pytest.raises(SourceError):
            in_the_middle(source, Form(kind.form), tmp_path, drop)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_cancelled_in_the_middle(servers: Servers, tmp_path: Path, kind: Kind) -> None:
    server, database = servers[kind.source]
    install(tmp_path / "tools", kind, Lie("silence", "say(half()); time.sleep(1000)"))
    token = CancelToken()
    source = source_of(kind, server.url(database), tmp_path / "tools")
    request = replace(dump_request(tmp_path / "s"), cancelled=token.raise_if_cancelled)
    with source.dump(request) as dump:
        entry = next(iter(dump.entries(Form(kind.form))))
        assert entry.open is not None
        reader = entry.open()
        reader.read(10)
        token.cancel()
        with pytest.raises(Interrupted):
            drain(reader)


def drain(reader: object) -> None:
    while reader.read(1 << 20):  # type: ignore[attr-defined]
        pass


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_passwords_are_not_among_the_arguments(servers: Servers, tmp_path: Path, kind: Kind) -> None:
    server, database = servers[kind.source]
    spy = Lie(
        "a spy", f"open({str(tmp_path)!r} + '/seen', 'w').write(repr((arguments, dict(os.environ)))); say(all_())"
    )
    install(tmp_path / "tools", kind, spy)
    attempt(source_of(kind, server.url(database), tmp_path / "tools"), Form(kind.form), tmp_path / "s")
    seen = (tmp_path / "seen").read_text()
    assert database in seen
    assert server.password not in seen


def test_there_are_enough_cases() -> None:
    assert len(cases()) >= 60
    assert len({(kind.name, lie.name) for kind, lie in cases()}) == len(cases())
    assert {kind.name for kind, _lie in cases()} == {kind.name for kind in KINDS}
    assert CUSTOM in KINDS
