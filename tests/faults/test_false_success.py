"""No false success: whatever is broken, `holdfast create` says so, lists nothing, and removes nothing."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from faults.app_breakers import (
    both,
    content,
    cut,
    cut_off,
    database_locked,
    dying,
    environment,
    filling,
    flipped,
    limited,
    lying,
    pages_zeroed,
    read_only,
    removed,
    replaced_by_dangling_link,
    replaced_by_file,
    replaced_by_folder,
    run_locked,
    state_open_to_others,
    without_program,
)
from faults.app_faults import (
    ARCHIVE,
    FILES,
    FORMER,
    HEAD,
    KEPT,
    REPOSITORY,
    SQLITE,
    Breaker,
    Case,
    FaultyApp,
    edit,
    moved,
    require_failure,
    require_no_success,
)
from holdfast.operations.create import create_backup
from holdfast.operations.requests import CreateRequest
from holdfast.testing.databases import DatabaseServer, mariadb_server, postgresql_server, run_sql
from holdfast.testing.lying_tools import CUSTOM, MARIADB, PLAIN, Kind, cases, fill
from holdfast.testing.servers import S3_BUCKET, S3Server, rclone_s3

Worlds = Callable[[str], FaultyApp]

SERVER = """
[sources.database]
kind = "{kind}"
url = "${{DATABASE_URL}}"
timeout_s = 60
"""
COMMAND = """
[sources.output]
kind = "command"
dump = ["sh", "-c", "seq 300; echo END"]
end_marker = "END"
min_bytes = 100
"""
BUNDLE = """
[targets.local]
kind = "archive"
url = "backups"
layout = "bundle"
keep = { last = 2 }
"""
S3 = """
[targets.cloud]
kind = "archive"
url = "s3:${S3_URL}/PLACE"
keep = { last = 2 }
"""
HOOKS = """
[hooks]
before_backup = [["true"]]
after_backup = [["true"]]
"""
CONFIGURATIONS = {
    "archive": HEAD + HOOKS + SQLITE + FILES + ARCHIVE,
    "sqlite as SQL": HEAD + SQLITE + BUNDLE,
    "repository": HEAD + SQLITE + FILES + REPOSITORY,
    "both": HEAD + SQLITE + FILES + ARCHIVE + REPOSITORY,
    "command": HEAD + COMMAND + ARCHIVE,
    "postgresql": HEAD + SERVER.format(kind="postgresql") + ARCHIVE,
    "postgresql as SQL": HEAD + SERVER.format(kind="postgresql") + BUNDLE,
    "mariadb": HEAD + SERVER.format(kind="mysql") + ARCHIVE,
}


@pytest.fixture(scope="session")
def postgresql() -> Iterator[DatabaseServer]:
    with postgresql_server() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[DatabaseServer]:
    with mariadb_server() as server:
        yield server


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FaultyApp]:
    """Applications with former backups, by the name of their configuration."""
    return {}


@pytest.fixture
def world(
    templates: dict[str, FaultyApp],
    tmp_path_factory: pytest.TempPathFactory,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Worlds:
    """Makes a copy of an application with former backups."""

    def make(name: str) -> FaultyApp:
        if name not in templates:
            app = FaultyApp(tmp_path_factory.mktemp("template") / "app")
            app.folder.mkdir()
            if "DATABASE_URL" in CONFIGURATIONS[name]:
                server: DatabaseServer = request.getfixturevalue(name.partition(" ")[0])
                database = server.new_database()
                fill(server, database)
                app.environment["DATABASE_URL"] = server.url(database)
            templates[name] = app.prepare(CONFIGURATIONS[name])
        return templates[name].copy(tmp_path / "app")

    return make


# --- dump programs that lie ---------------------------------------------------------------------

WORLDS = {CUSTOM: "postgresql", PLAIN: "postgresql as SQL", MARIADB: "mariadb"}
OFTEN = {
    "nothing",
    "the first half",
    "all but the last byte",
    "all of it and a failure",
    "silence after half",
    "100 MB of complaints and a failure",
    "no program",
    "an old version",
    "a table less",
    "a row less",
    "half and end mark",
    "cut between two rows",
    "cut before an index, with end mark",
    "cut before the views, with end mark",
}
LIES = [
    pytest.param(kind, lying(kind, lie), id=lying(kind, lie).id, marks=() if lie.name in OFTEN else pytest.mark.deep)
    for kind, lie in cases()
]


@pytest.mark.parametrize(("kind", "case"), LIES)
def test_a_dump_program_lies(world: Worlds, tmp_path: Path, kind: Kind, case: Case) -> None:
    require_no_success(world(WORLDS[kind]), case, tmp_path / "restored")


# --- servers ------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def large(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """The URL of a database that does not fit into the buffers between a server and its client."""
    urls: dict[str, str] = {}

    def make(kind: str) -> str:
        if kind not in urls:
            server: DatabaseServer = request.getfixturevalue(kind)
            database = server.new_database()
            rows = {"postgresql": "generate_series(1, 16000) i", "mariadb": "seq_1_to_16000"}[kind]
            number = {"postgresql": "i", "mariadb": "seq"}[kind]
            run_sql(
                server,
                database,
                "CREATE TABLE large (id INTEGER PRIMARY KEY, text TEXT)",
                f"INSERT INTO large SELECT {number}, repeat('x', 1000) FROM {rows}",
            )
            urls[kind] = server.url(database)
        return urls[kind]

    return make


def with_url(url: str, breaker: Breaker) -> Breaker:
    """Breaks while another database is backed up."""
    return both(environment(DATABASE_URL=url), breaker)


def terminated(app: FaultyApp) -> str:
    """An administrator ends the sessions of the dump program."""
    url = app.environment["DATABASE_URL"]
    which = "datname = current_database() AND application_name = 'pg_dump'"
    statement = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {which}"
    return f"import psycopg\npsycopg.connect({url!r}, autocommit=True).execute({statement!r})"


def all_terminated(app: FaultyApp) -> str:
    """An administrator ends all sessions of the database, ours as well."""
    return (
        terminated(app)
        .replace("AND application_name = 'pg_dump'", "AND pid <> pg_backend_pid()")
        .replace("AND application_name = \\'pg_dump\\'", "AND pid <> pg_backend_pid()")
    )


def killed_sessions(app: FaultyApp) -> str:
    """An administrator ends all sessions of a database of MariaDB."""
    parts = urlsplit(app.environment["DATABASE_URL"])
    given = {"host": parts.hostname, "port": parts.port, "user": parts.username, "password": parts.password}
    which = f"SELECT id FROM information_schema.processlist WHERE db = {parts.path[1:]!r}"
    return (
        f"import pymysql\ncursor = pymysql.connect(**{given!r}).cursor(); cursor.execute({which!r})\n"
        "for (number,) in cursor.fetchall(): cursor.execute(f'KILL {number}')"
    )


def killed_server(pid: int) -> Callable[[FaultyApp], str]:
    """The server is killed with all its processes."""
    return lambda _: (
        f"with open('/proc/{pid}/task/{pid}/children') as file: pids = [{pid}, *map(int, file.read().split())]\n"
        "for pid in pids: os.kill(pid, signal.SIGKILL)"
    )


UNAVAILABLE = ("database-unavailable",)
LOST = ("dump-failed", "dump-incomplete", *UNAVAILABLE)


@pytest.mark.parametrize("kind", [CUSTOM, PLAIN], ids=lambda kind: kind.name.replace(" ", "-"))
@pytest.mark.parametrize("kills", [terminated, all_terminated], ids=lambda kills: kills.__name__)
def test_sessions_are_terminated(
    world: Worlds, tmp_path: Path, large: Callable[[str], str], kind: Kind, kills: Callable[[FaultyApp], str]
) -> None:
    case = Case("terminated", with_url(large("postgresql"), dying(kind, kills)), LOST)
    require_no_success(world(WORLDS[kind]), case, tmp_path / "restored")


def test_sessions_of_mariadb_are_killed(world: Worlds, tmp_path: Path, large: Callable[[str], str]) -> None:
    case = Case("killed", with_url(large("mariadb"), dying(MARIADB, killed_sessions)), LOST)
    require_no_success(world("mariadb"), case, tmp_path / "restored")


@pytest.mark.parametrize("kind", [CUSTOM, MARIADB], ids=lambda kind: kind.name.replace(" ", "-"))
def test_a_server_is_killed(world: Worlds, tmp_path: Path, kind: Kind) -> None:
    with (postgresql_server if kind is CUSTOM else mariadb_server)() as server:
        database = server.new_database()
        number, rows = ("i", "generate_series(1, 16000) i") if kind is CUSTOM else ("seq", "seq_1_to_16000")
        run_sql(server, database, f"CREATE TABLE large AS SELECT {number} AS id, repeat('x', 1000) AS text FROM {rows}")
        breaker = with_url(server.url(database), dying(kind, killed_server(server.pid)))
        require_no_success(world(WORLDS[kind]), Case("server killed", breaker, LOST), tmp_path / "restored")


@pytest.mark.parametrize("after_bytes", [50, 3_000, 30_000, 5_000_000])
@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_connection_is_lost(
    world: Worlds, tmp_path: Path, large: Callable[[str], str], kind: str, after_bytes: int
) -> None:
    breaker = with_url(large(kind), cut_off("DATABASE_URL", after_bytes))
    require_no_success(world(kind), Case("connection lost", breaker, LOST), tmp_path / "restored")


def url_with(**changes: str) -> Callable[[FaultyApp], str]:
    """The URL of the database with another user, password, database or port."""

    def changed(app: FaultyApp) -> str:
        parts = urlsplit(app.environment["DATABASE_URL"])
        own = {"user": parts.username, "password": parts.password, "port": parts.port, "database": parts.path[1:]}
        return "{scheme}://{user}:{password}@127.0.0.1:{port}/{database}".format(scheme=parts.scheme, **own | changes)

    return changed


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
@pytest.mark.parametrize(
    "changes",
    [{"password": "wrong"}, {"user": "nobody"}, {"database": "no_such_database"}, {"port": "9"}],
    ids=lambda changes: next(iter(changes)),
)
def test_a_server_does_not_let_us_in(world: Worlds, tmp_path: Path, kind: str, changes: dict[str, str]) -> None:
    app = world(kind)
    case = Case("not let in", environment(DATABASE_URL=url_with(**changes)(app)), UNAVAILABLE)
    require_no_success(app, case, tmp_path / "restored")


@pytest.mark.parametrize(
    "forbidden",
    ["REVOKE SELECT ON orders FROM limited", "ALTER TABLE orders ENABLE ROW LEVEL SECURITY"],
    ids=["a table", "rows"],
)
@pytest.mark.parametrize("form", ["postgresql", "postgresql as SQL"])
def test_a_table_may_not_be_read(
    world: Worlds, tmp_path: Path, postgresql: DatabaseServer, form: str, forbidden: str
) -> None:
    app = world(form)
    database = postgresql.new_database()
    role = f"limited_{database}"
    fill(postgresql, database)
    run_sql(
        postgresql,
        database,
        f"CREATE ROLE {role} LOGIN PASSWORD 'x'",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}",
        f"GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
        "SELECT lo_unlink(oid) FROM pg_largeobject_metadata",
        forbidden.replace("limited", role),
    )
    url = url_with(database=database, user=role, password="x")(app)
    case = Case("permission", environment(DATABASE_URL=url), ("dump-failed", "dump-incomplete", *UNAVAILABLE))
    require_no_success(app, case, tmp_path / "restored")


def test_a_table_of_mariadb_may_not_be_read(world: Worlds, tmp_path: Path, mariadb: DatabaseServer) -> None:
    app = world("mariadb")
    database = mariadb.new_database()
    fill(mariadb, database)
    run_sql(
        mariadb,
        database,
        f"CREATE USER {database} IDENTIFIED BY 'x'",
        f"GRANT SELECT ON {database}.people TO {database}",
        f"GRANT SELECT (id) ON {database}.orders TO {database}",
    )
    url = url_with(database=database, user=database, password="x")(app)
    require_no_success(app, Case("permission", environment(DATABASE_URL=url), LOST), tmp_path / "restored")


@pytest.mark.parametrize("form", ["postgresql", "postgresql as SQL"])
def test_a_table_is_locked_for_ever(world: Worlds, tmp_path: Path, form: str) -> None:
    app = world(form)

    @contextmanager
    def locked(app: FaultyApp) -> Generator[None]:
        import psycopg

        with psycopg.connect(app.environment["DATABASE_URL"]) as holder:
            holder.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
            with edit(("timeout_s = 60", "timeout_s = 1"))(app):
                yield

    require_no_success(app, Case("locked", locked, ("dump-stalled", "dump-failed")), tmp_path / "restored")


# --- SQLite, files, commands, and the run itself ------------------------------------------------

GONE = ("source-missing",)
BAD = ("source-damaged",)

SQLITE_CASES = [
    Case("pages are gone", pages_zeroed, BAD, 1),
    Case("a bit of the head is flipped", flipped("shop.db", 0.0), BAD),
    Case("cut in half", cut("shop.db", 0.5), BAD),
    Case("encrypted", content("shop.db", os.urandom(40_960)), BAD),
    Case("not a database", content("shop.db", b"Dear customer,\n" * 1000), BAD),
    Case("locked for ever", database_locked, ("source-busy",)),
    Case("missing", moved("shop.db"), GONE),
    Case("a dangling link", moved("shop.db", replaced_by_dangling_link), GONE),
    Case("a folder", moved("shop.db", replaced_by_folder), ("source",)),
    Case("a FIFO", moved("shop.db", os.mkfifo), ("source",)),
]

RUN_CASES = [
    Case("a folder of files is gone", moved("storage"), GONE),
    Case("a dangling link for a folder", moved("storage", replaced_by_dangling_link), GONE),
    Case("hook before fails", edit(('before_backup = [["true"]]', 'before_backup = [["false"]]')), ("hook-failed",)),
    Case(
        "hook before is missing", edit(('before_backup = [["true"]]', 'before_backup = [["nosuch"]]')), ("hook-failed",)
    ),
    Case("the second hook fails", edit(('= [["true"]]', '= [["true"], ["sh", "-c", "kill -9 $$"]]')), ("hook-failed",)),
    Case("two runs at once", run_locked, ("app-busy",), 11),
    Case("state directory open to others", state_open_to_others, ("target",)),
    Case("state directory is a file", moved(".holdfast", replaced_by_file), ("target",)),
    Case("scratch is a file", moved(".holdfast/scratch", replaced_by_file), ("target",)),
    Case("scratch is on a read-only disk", read_only(".holdfast/scratch"), ("target", "dump-failed", "source")),
    Case("archive on a read-only disk", read_only("backups"), ("access-denied", "backend-read-only", "backend")),
    Case("a file for the archive", moved("backups", replaced_by_file), ("backend",)),
    Case("a dangling link for the archive", moved("backups", replaced_by_dangling_link), ("backend",)),
    *(
        Case(
            f"disk full but for {left} bytes",
            filling(left),
            ("out-of-space", "not-enough-space", "dump-failed", "source", "archive-not-written"),
        )
        for left in (0, 4096, 40_960, 98_304, 180_224)
    ),
    *(
        Case(
            f"no file larger than {limit} bytes",
            limited(limit),
            ("out-of-space", "dump-failed", "source", "backend", "archive-not-written", "target"),
        )
        for limit in (3_000, 8_192, 40_000)
    ),
    Case(
        "no gpg",
        both(
            edit(("[targets.local]\n", '[targets.local]\nencryption = "gpg"\npassphrase = "x"\n')),
            without_program("gpg"),
        ),
        ("target-tool-missing",),
    ),
    Case(
        "no passphrase",
        edit(("[targets.local]\n", '[targets.local]\nencryption = "age"\n')),
        ("config-invalid", "password-missing", "usage"),
        2,
    ),
]

COMMAND_CASES = [
    Case("exit 1 after everything", edit(("echo END", "echo END; exit 1")), ("dump-failed",)),
    Case("nothing", edit(("seq 300; echo END", "true")), ("dump-incomplete",)),
    Case("half", edit(("seq 300; echo END", "seq 150")), ("dump-incomplete",)),
    Case("the end marker alone", edit(("seq 300; ", "")), ("dump-incomplete",)),
    Case("no such program", edit(('"sh", "-c"', '"no-such-program", "-c"')), ("dump-failed", "tool-missing")),
    Case("killed", edit(("echo END", "echo END; kill -9 $$")), ("dump-failed",)),
    Case(
        "hanging",
        edit(("echo END", "echo END; sleep 600"), ("min_bytes", "timeout_s = 1\nmin_bytes")),
        ("dump-stalled",),
    ),
    Case(
        "more rows than before",
        edit(("min_bytes", 'rows_command = ["sh", "-c", "echo rows many"]\nmin_bytes')),
        ("dump-failed", "dump-incomplete"),
    ),
]


@pytest.mark.parametrize("form", ["archive", "sqlite as SQL"])
@pytest.mark.parametrize("case", SQLITE_CASES, ids=lambda case: case.id)
def test_a_sqlite_database_cannot_be_read(world: Worlds, tmp_path: Path, case: Case, form: str) -> None:
    require_no_success(world(form), case, tmp_path / "restored")


@pytest.mark.parametrize("case", RUN_CASES, ids=lambda case: case.id)
def test_a_run_cannot_go_on(world: Worlds, tmp_path: Path, case: Case) -> None:
    require_no_success(world("archive"), case, tmp_path / "restored")


@pytest.mark.parametrize("case", COMMAND_CASES, ids=lambda case: case.id)
def test_a_command_does_not_say_everything(world: Worlds, tmp_path: Path, case: Case) -> None:
    app = world("command")
    require_no_success(app, case, tmp_path / "restored")


# --- repositories and object storage ------------------------------------------------------------

REPOSITORY_CASES = [
    Case("wrong password", content("password", b"wrong\n"), ("wrong-password",), 12),
    Case("no password", moved("password"), ("password-missing", "password-unavailable", "config-invalid"), 2),
    Case("a file for the repository", moved("offsite", replaced_by_file), ("no-repository",), 10),
    Case("keys are gone", removed("offsite/keys/*"), ("damaged",), 4),
    Case("config is gone", removed("offsite/config"), ("no-repository", "repository-exists"), 10),
    Case("config is damaged", flipped("offsite/config", 0.5), ("mac-mismatch", "hash-mismatch", "damaged"), 4),
    Case("the index is damaged", flipped("offsite/index/*", 0.5), ("hash-mismatch", "mac-mismatch"), 4),
    Case("the index is cut off", content("offsite/index/*", b""), ("hash-mismatch", "mac-mismatch", "format"), 4),
    Case("repository on a read-only disk", read_only("offsite"), ("access-denied", "backend-read-only", "backend")),
]


@pytest.mark.parametrize("case", REPOSITORY_CASES, ids=lambda case: case.id)
def test_a_repository_is_broken(world: Worlds, tmp_path: Path, case: Case) -> None:
    require_no_success(world("repository"), case, tmp_path / "restored")


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    with rclone_s3() as server:
        yield server


@pytest.fixture
def cloud(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FaultyApp:
    """An application whose archive is in a bucket."""
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    app = FaultyApp(tmp_path / "app")
    app.folder.mkdir()
    app.environment |= s3.environment | {"S3_URL": s3.endpoint}
    place = f"{S3_BUCKET}/{tmp_path.name}"
    return app.prepare(HEAD + 'stall_timeout = "2s"\n' + SQLITE + FILES + S3.replace("PLACE", place))


CLOUD_CASES = [
    Case("wrong secret", environment(AWS_SECRET_ACCESS_KEY="wrong"), ("access-denied",)),
    Case("no such bucket", edit((S3_BUCKET, "no-such-bucket")), ("backend", "object-not-found", "access-denied")),
    Case("server is not there", environment(S3_URL="http://127.0.0.1:9"), ("backend-unavailable",)),
    *(
        Case(
            f"server is gone after {sent} bytes",
            cut_off("S3_URL", sent, received=False),
            ("backend-unavailable",),
        )
        for sent in (10_000, 60_000)
    ),
]


@pytest.mark.parametrize("case", CLOUD_CASES, ids=lambda case: case.id)
def test_object_storage_fails(cloud: FaultyApp, tmp_path: Path, case: Case) -> None:
    require_no_success(cloud, case, tmp_path / "restored")


# --- several targets ----------------------------------------------------------------------------

HALF_CASES = [
    Case("archive is a file", moved("backups", replaced_by_file), ("targets-failed",), 3),
    Case("archive on a read-only disk", read_only("backups"), ("targets-failed",), 3),
    Case("archive full", filling(4096), ("targets-failed",), 3),
    Case("archive full later", filling(98_304), ("targets-failed",), 3),
    Case("repository password wrong", edit(('"password"', '".env"')), ("targets-failed",), 3),
    Case("repository index damaged", flipped("offsite/index/*", 0.5), ("targets-failed",), 3),
    Case("repository config gone", removed("offsite/config"), ("targets-failed",), 3),
    Case("repository is a file", moved("offsite", replaced_by_file), ("targets-failed",), 3),
    Case("repository on a read-only disk", read_only("offsite"), ("targets-failed",), 3),
]


@pytest.mark.parametrize("case", HALF_CASES, ids=lambda case: case.id)
def test_one_of_two_targets_fails(world: Worlds, case: Case) -> None:
    app = world("both")
    failing, other = ("local", "offsite") if case.name.startswith("archive") else ("offsite", "local")
    before, finals = app.ids(), app.finals()
    with case.breaks(app):
        done = app.run("create", "--json")
        require_failure(done, case)
        summary = json.loads(done.out.splitlines()[-1])
    copies = {copy["target"]: copy for copy in summary["copies"]}
    assert copies[failing]["stored"] is None
    assert copies[failing]["error"]["code"] != "internal-error"
    assert copies[other]["error"] is None
    backup_id = summary["backup_id"]
    assert app.listed() == {failing: before[failing], other: [backup_id, *before[other]]}, "something was rotated"
    if failing == "local":
        assert app.finals() == finals
    said = app.log()
    assert " - ERROR - " in said
    assert "(targets-failed)" in said
    assert "successfully" not in said.rpartition("Backup started")[2]
    app.require_whole()
    with app.opened() as context:
        report = create_backup(context, CreateRequest())
    assert report.failure is None
    assert {target: len(ids) for target, ids in app.ids().items()} == {"local": KEPT, "offsite": KEPT}
    assert app.leftovers() == []


# --- what is told apart from failure ------------------------------------------------------------


def test_a_database_whose_rows_are_gone_is_told_and_nothing_is_removed(world: Worlds) -> None:
    app = world("archive")
    before = app.ids()
    with closing(sqlite3.connect(app.folder / "shop.db")) as database, database:
        database.execute("DELETE FROM orders")
    done = app.run("create", "--json")
    assert "0 rows where a recent backup has 200" in done.err
    assert app.ids()["local"][1:] == before["local"]


def test_a_database_without_a_table_is_refused_and_nothing_is_removed(world: Worlds) -> None:
    app = world("archive")
    before = app.ids()
    with content("shop.db", b"")(app):
        done = app.run("create", "--json")
    assert done.status == 1
    assert '"code":"source-emptied"' in done.err
    assert app.ids() == before


def test_snapshots_that_are_damaged_are_told_and_stay(world: Worlds) -> None:
    app = world("repository")
    before = app.ids()
    with flipped("offsite/snapshots/*", 0.5)(app):
        listed = app.run("list", "--json")
        assert app.run("create", "--json").status == 0
    assert json.loads(listed.out)["backups"] == []
    assert len(json.loads(listed.out)["problems"]) == FORMER
    assert app.ids()["offsite"][1:] == before["offsite"], "something was rotated that could not be read"


def test_a_hook_afterwards_fails(world: Worlds) -> None:
    app = world("archive")
    with edit(('after_backup = [["true"]]', 'after_backup = [["false"]]'))(app):
        done = app.run("create", "--json")
    require_failure(done, Case("hook", edit(), ("hook-failed",)))
    assert len(app.ids()["local"]) in (KEPT, FORMER + 1), "the backup itself is whole and listed"
    app.require_whole()
