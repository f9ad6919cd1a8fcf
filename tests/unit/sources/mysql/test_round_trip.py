"""Dump, destroy, restore, compare: on a real server."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pymysql
import pytest
from msgspec.structs import replace

from holdfast.errors import (
    DamageError,
    DatabaseUnavailable,
    DestinationBusy,
    DumpFailed,
    DumpIncomplete,
    LoadFailed,
    NameRefused,
    RestoreMismatch,
    RestoreRefused,
    UnknownName,
)
from holdfast.model.component import Form, Problem
from holdfast.runtime.secret import Secret
from holdfast.sources.mysql import Mysql, MysqlOptions
from holdfast.testing.databases import DatabaseServer, run_sql
from holdfast.testing.dumped_content import DumpedContent, collect, dump_request, load_request

Make = Callable[..., Mysql]
Image = Callable[[str], str]
ROWS = {"measured": 100, "nothing": 0, "orders": 1000, "people": 500, "we`ird \"t'; -- (\\": 3}


def dumped(source: Mysql, scratch: Path, form: Form = Form.SQL, **options: object) -> DumpedContent:
    source.preflight()
    with source.dump(replace(dump_request(scratch), **options)) as dump:
        return collect(dump, form)


def schemas(server: DatabaseServer) -> set[str]:
    return {str(name) for (name,) in run_sql(server, "mysql", "SHOW DATABASES")}


def undo(server: DatabaseServer, report_undo: str, tmp_path: Path) -> None:
    """Does what the sentence says, with a shell, as a person would."""
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    defaults = home / ".my.cnf"
    with open(defaults, "w") as file:
        file.write(f"[client]\nhost={server.host}\nport={server.port}\nuser={server.user}\n")
        file.write(f"password={server.password}\ndefault-character-set=utf8mb4\n")
    defaults.chmod(0o600)
    command = report_undo.partition("run: ")[2]
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
    subprocess.run(["/bin/sh", "-ec", command], env=environment, check=True, capture_output=True)


def test_everything_comes_back(server: DatabaseServer, rich: str, source: Make, image: Image, tmp_path: Path) -> None:
    before = image(rich)
    content = dumped(source(rich), tmp_path / "s")
    assert content.component.rows == ROWS
    assert content.component.facts["rows_compared"] == "same moment"
    assert content.component.facts["server_version"].startswith("10.11.")
    assert content.component.facts["tool"].startswith("mariadb-dump 10.11.")
    assert content.component.problems == ()
    assert server.password not in repr(content.component)
    run_sql(
        server,
        rich,
        "SET foreign_key_checks=0",
        "DROP TABLE people",
        "DELETE FROM nothing",
        "DROP VIEW zz_early, aa_late",
    )
    run_sql(server, rich, "DROP PROCEDURE many", "DROP TRIGGER orders_noted", "UPDATE orders SET note = 'spoiled'")
    run_sql(server, rich, "CREATE TABLE added (a INT)", "CREATE VIEW added_view AS SELECT 1 AS x")
    spoiled = image(rich)

    request = load_request(tmp_path / "s")
    kept = f"{rich}_before_restore_20240101_120000"
    plan = source(rich).plan([content], request)
    assert plan.replaces == (f"database {rich}",)
    assert plan.safety_copies == (f"database {kept}",)
    report = source(rich).load([content], request)

    assert image(rich) == before
    assert report.rows == ROWS
    assert report.problems == ()
    assert report.safety_copies == (f"database {kept}",)
    assert run_sql(server, kept, "SELECT COUNT(*) FROM orders WHERE note = 'spoiled'") == [(1000,)]
    assert schemas(server) & {f"{rich}_restore_20240101_120000"} == set()
    run_sql(server, rich, "INSERT INTO orders (person, note) VALUES (1, 'a')")
    with pytest.raises(pymysql.Error):
        run_sql(server, rich, "INSERT INTO orders (person, note) VALUES (99999, 'a')")
    run_sql(server, rich, "DELETE FROM people WHERE id = 1")
    assert run_sql(server, rich, "SELECT COUNT(*) FROM orders WHERE person = 1") == [(0,)]
    assert run_sql(server, kept, "SELECT COUNT(*) FROM orders WHERE person = 1") == [(2,)]
    undo(server, report.undo, tmp_path)
    # The index of a key that was dropped and added again is listed in another place.
    assert sorted(image(rich).replace(",\n", "\n").splitlines()) == sorted(spoiled.replace(",\n", "\n").splitlines())


def test_a_dropped_database_comes_back(
    server: DatabaseServer, rich: str, source: Make, image: Image, tmp_path: Path
) -> None:
    before = image(rich)
    content = dumped(source(rich), tmp_path / "s")
    run_sql(server, "mysql", f"DROP DATABASE {rich}")
    assert source(rich).plan([content], load_request(tmp_path / "s")).replaces == ()
    report = source(rich).load([content], load_request(tmp_path / "s"))
    assert image(rich) == before
    assert (report.safety_copies, report.undo) == ((), "")
    assert {name for name in schemas(server) if name.startswith(rich)} == {rich}


@pytest.mark.parametrize("exists", [True, False])
def test_elsewhere(
    server: DatabaseServer, rich: str, source: Make, image: Image, tmp_path: Path, *, exists: bool
) -> None:
    content = dumped(source(rich), tmp_path / "s")
    other = server.new_database() if exists else f"{rich}_other"
    request = load_request(tmp_path / "s", destination=server.url(other))
    report = source(rich).load([content], request)
    assert image(other) == image(rich).replace(rich, other)
    assert report.rows == ROWS
    assert server.password not in repr(report)
    with pytest.raises(RestoreRefused, match="is not empty"):
        source(rich).load([content], request)
    assert {name for name in schemas(server) if name.startswith(other)} == {other}


@pytest.mark.parametrize("place", ["in place", "elsewhere, empty", "elsewhere, absent"])
def test_content_that_is_not_whole_changes_nothing(
    server: DatabaseServer, rich: str, source: Make, image: Image, tmp_path: Path, place: str
) -> None:
    content = dumped(source(rich), tmp_path / "s")
    request = load_request(tmp_path / "s")
    if place != "in place":
        other = server.new_database() if place == "elsewhere, empty" else f"{rich}_absent"
        request = load_request(tmp_path / "s", destination=server.url(other))
    before, names = image(rich), schemas(server)
    whole = content.contents[b"database.sql"]
    for cut in (0, 10, len(whole) // 2, whole.index(b"CREATE DEFINER") + 40):
        content.contents[b"database.sql"] = whole[:cut]
        with pytest.raises((LoadFailed, RestoreMismatch, DamageError)):
            source(rich).load([content], request)
    content.contents[b"database.sql"] = whole.replace(b"RETURN a * 2;", b"RETURN a *;")
    with pytest.raises(LoadFailed, match="SQL syntax"):
        source(rich).load([content], request)
    content.contents[b"database.sql"] = whole
    content.component = replace(content.component, rows={**ROWS, "people": 501})
    with pytest.raises(RestoreMismatch, match="table people has 500 rows instead of 501 rows"):
        source(rich).load([content], request)
    assert image(rich) == before
    assert schemas(server) == names
    if place == "elsewhere, empty":
        assert run_sql(server, other, "SHOW TABLES") == []


def test_a_failure_after_the_swap_goes_back(
    server: DatabaseServer, rich: str, source: Make, image: Image, tmp_path: Path
) -> None:
    content = dumped(source(rich), tmp_path / "s")
    run_sql(server, rich, "INSERT INTO nothing VALUES (1)")
    before, names = image(rich), schemas(server)
    # Events are created in the live schema only, after the tables changed places.
    whole = content.contents[b"database.sql"]
    content.contents[b"database.sql"] = whole.replace(b"ON SCHEDULE EVERY 1 DAY", b"ON SCHEDULE EVERY 1 DOY")
    with pytest.raises(LoadFailed, match="event nightly"):
        source(rich).load([content], load_request(tmp_path / "s"))
    assert image(rich) == before
    assert schemas(server) == names


def test_a_transaction_in_the_way_is_a_busy_destination(
    server: DatabaseServer, rich: str, source: Make, image: Image, tmp_path: Path
) -> None:
    content = dumped(source(rich), tmp_path / "s")
    before, names = image(rich), schemas(server)
    application = pymysql.connect(host=server.host, port=server.port, user=server.user, password=server.password)
    try:
        with application.cursor() as cursor:
            cursor.execute("START TRANSACTION")
            # The last table by name: whatever is moved one by one would be gone before this one is met.
            cursor.execute(f"UPDATE {rich}.`we``ird \"t'; -- (\\` SET `select` = 'x' LIMIT 1")
        with pytest.raises(DestinationBusy):
            source(rich, timeout_s=1.0).load([content], load_request(tmp_path / "s"))
        application.rollback()
    finally:
        application.close()
    assert image(rich) == before
    assert schemas(server) == names


@pytest.mark.parametrize(
    "attack",
    [
        "\\! touch {marker}\n",
        "SELECT 1 \\! touch {marker}\n;\n",
        "system touch {marker};\n",
        "SELECT 1\\! touch {marker}\n",
        "pager touch {marker};\n",
        "USE mysql;\n",
        "/*!40000 USE mysql */;\n",
        "CREATE DATABASE evil;\n",
        "DROP DATABASE mysql;\n",
        "SET GLOBAL general_log = 1;\n",
        "GRANT ALL ON *.* TO evil@x;\n",
        "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t;\n",
        "source /etc/passwd;\n",
        "DROP/* */DATABASE mysql;\n",
        "/*!999999 CREATE TABLE `x` (n INT) */ DROP DATABASE mysql;\n",
        "/*!50003 DROP*/ /*M!100000 DATABASE*/ mysql;\n",
        "CREATE TABLE mysql.evil (n INT);\n",
        "CREATE TABLE `mysql`.`evil` (n INT);\n",
        "INSERT INTO `mysql`.`evil` VALUES (1);\n",
        "DROP TABLE IF EXISTS `mysql`.`user`;\n",
        "SET @a = 1, GLOBAL general_log = 1;\n",
        "SET @@GLOBAL.general_log = 1;\n",
    ],
)
def test_commands_in_a_dump_are_never_obeyed(
    server: DatabaseServer, database: str, source: Make, tmp_path: Path, attack: str
) -> None:
    run_sql(server, database, "CREATE TABLE t (n TEXT)")
    content = dumped(source(database), tmp_path / "s")
    marker = Path("/tmp") / f"hf-attack-{database}"
    evil = attack.format(marker=marker).encode()
    whole = content.contents[b"database.sql"]
    for place in (b"/*!40101 SET @OLD_CHARACTER_SET_CLIENT", b"-- Dump completed"):
        content.contents[b"database.sql"] = whole.replace(place, evil + place, 1)
        with pytest.raises((RestoreRefused, LoadFailed)):
            source(database).load([content], load_request(tmp_path / "s"))
        assert not marker.exists()
    assert "evil" not in schemas(server)


def test_what_killed_restores_left_is_removed(
    server: DatabaseServer, database: str, source: Make, tmp_path: Path
) -> None:
    run_sql(server, database, "CREATE TABLE t (n INT)")
    left, innocent = f"{database}_restore_20230101_000000", f"{database}_restore_mine"
    run_sql(server, "mysql", f"CREATE DATABASE {left}", f"CREATE VIEW {left}.holdfast_restoring AS SELECT 1 AS id")
    run_sql(server, "mysql", f"CREATE DATABASE {innocent}")
    content = dumped(source(database), tmp_path / "s")
    source(database).load([content], load_request(tmp_path / "s"))
    assert left not in schemas(server)
    assert innocent in schemas(server)


def test_a_second_restore_with_the_same_stamp_numbers_its_copy(
    server: DatabaseServer, database: str, source: Make, tmp_path: Path
) -> None:
    run_sql(server, database, "CREATE TABLE t (n INT)")
    content = dumped(source(database), tmp_path / "s")
    for copy in ("", "_2"):
        report = source(database).load([content], load_request(tmp_path / "s"))
        assert report.safety_copies == (f"database {database}_before_restore_20240101_120000{copy}",)
    report = source(database).load([content], replace(load_request(tmp_path / "s"), safety_copy=False))
    assert report.safety_copies == ()
    assert len([name for name in schemas(server) if name.startswith(database)]) == 3


def test_an_interrupted_swap_is_put_right_by_restoring_again(
    server: DatabaseServer, rich: str, source: Make, image: Image, tmp_path: Path
) -> None:
    before = image(rich)
    content = dumped(source(rich), tmp_path / "s")
    for damage in (
        ["DROP TRIGGER orders_noted", "DROP TRIGGER `odd ``name`"],
        [
            f"CREATE DATABASE {rich}_moved",
            "SET foreign_key_checks = 0",
            "DROP TRIGGER orders_noted",
            f"RENAME TABLE orders TO {rich}_moved.orders, people TO {rich}_moved.people",
        ],
    ):
        run_sql(server, rich, *damage)
        source(rich).load([content], load_request(tmp_path / "s"))
        assert image(rich) == before


@pytest.mark.parametrize("name", ["-rf", "--help", "a b=c#d", "q'u\"o`te\\", "ünï;x", "%s%_", "x--y"])
def test_hostile_names(server: DatabaseServer, source: Make, tmp_path: Path, name: str) -> None:
    quoted = "`" + name.replace("`", "``") + "`"
    run_sql(server, "mysql", f"DROP DATABASE IF EXISTS {quoted}", f"CREATE DATABASE {quoted}")
    run_sql(server, "mysql", f"CREATE TABLE {quoted}.`Ta'b le\"-- ;\\!` AS SELECT seq FROM seq_1_to_3")
    secret = Secret(server.password.encode())
    options = {"url": None, "host": server.host, "port": server.port, "user": server.user, "password": secret}
    named = source("", **options, database=name)
    content = dumped(named, tmp_path / "s")
    assert list(content.component.rows.values()) == [3]
    assert named.load([content], load_request(tmp_path / "s")).rows == content.component.rows
    kept = "`" + f"{name}_before_restore_20240101_120000".replace("`", "``") + "`"
    run_sql(server, "mysql", f"DROP DATABASE {quoted}", f"DROP DATABASE {kept}")


@pytest.mark.parametrize("name", ["a\nb", "a\0b", "a\tb"])
def test_names_with_control_characters_are_refused(source: Make, name: str) -> None:
    with pytest.raises(NameRefused):
        source("", url=None, host="h", database=name)
    with pytest.raises(NameRefused):
        source("x", exclude_tables=(name,))


def test_a_table_whose_name_breaks_lines_is_refused(
    server: DatabaseServer, database: str, source: Make, tmp_path: Path
) -> None:
    run_sql(server, database, "CREATE TABLE `a\n\\! touch x\nb` (n INT)")
    with pytest.raises(NameRefused):
        dumped(source(database), tmp_path / "s")


@pytest.mark.parametrize("password", ["a b#c", "q\"u'o", "back\\slash\\n", "ünï;=", " edge ", "%s", "#"])
def test_hostile_passwords(server: DatabaseServer, database: str, source: Make, tmp_path: Path, password: str) -> None:
    user = f"u_{database[-8:]}_{sum(password.encode())}"
    escaped = password.replace("\\", "\\\\").replace("'", "''")
    run_sql(server, database, f"CREATE USER {user} IDENTIFIED BY '{escaped}'", "CREATE TABLE t (n INT)")
    run_sql(server, database, f"GRANT ALL ON {database}.* TO {user}")
    secret = Secret(password.encode())
    options = {"url": None, "host": server.host, "port": server.port, "database": database}
    content = dumped(source("", **options, user=user, password=secret), tmp_path / "s")
    assert content.component.facts["rows_compared"] == "same moment"


def test_the_socket(server: DatabaseServer, database: str, source: Make, tmp_path: Path) -> None:
    run_sql(server, database, "CREATE TABLE t (n INT)")
    secret = Secret(server.password.encode())
    socket = f"{server.socket_dir}/mysqld.sock"
    own = source("", url=None, socket=socket, user=server.user, password=secret, database=database)
    assert dumped(own, tmp_path / "s").component.rows == {"t": 0}


def test_rows_of_some_tables_are_left_out(server: DatabaseServer, rich: str, source: Make, tmp_path: Path) -> None:
    content = dumped(source(rich, exclude_tables=("orders",)), tmp_path / "s")
    assert content.component.rows == {**ROWS, "orders": 0}
    assert content.component.facts["left_out"] == "orders"
    report = source(rich).load([content], load_request(tmp_path / "s"))
    assert report.rows == {**ROWS, "orders": 0}


def test_one_table(server: DatabaseServer, rich: str, source: Make, image: Image, tmp_path: Path) -> None:
    run_sql(server, rich, "DROP TRIGGER orders_noted")
    content = dumped(source(rich), tmp_path / "s")
    before, names = image(rich), schemas(server)
    run_sql(server, rich, "UPDATE orders SET note = 'spoiled'", "DELETE FROM measured")
    run_sql(server, rich, "UPDATE people SET name = 'kept as it is' WHERE id = 7")
    request = replace(load_request(tmp_path / "s"), tables=("orders", "measured"))
    assert source(rich).load([content], request).rows == {"measured": 100, "orders": 1000}
    assert run_sql(server, rich, "SELECT name FROM people WHERE id = 7") == [("kept as it is",)]
    report = source(rich).load([content], replace(request, tables=("people:id=7",)))
    assert report.rows == {"people": 1}
    (kept,) = map(Path, report.safety_copies)
    assert "kept as it is" in kept.read_text()
    assert str(kept.parent) in report.undo
    assert image(rich) == before
    assert schemas(server) == names
    with pytest.raises(UnknownName, match="no table named none"):
        source(rich).load([content], replace(request, tables=("none",)))
    assert schemas(server) == names


def test_changes_on_top_of_a_dump(
    server: DatabaseServer, rich: str, source: Make, image: Image, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    base = dumped(source(rich), tmp_path / "s", state=state)
    assert state.stat().st_size > 100
    run_sql(server, rich, "DELETE FROM orders WHERE id < 1100", "UPDATE people SET price = 9 WHERE id < 10")
    run_sql(server, rich, "INSERT INTO measured VALUES ('2024-06-01', 1.5)", "INSERT INTO nothing VALUES (4)")
    changes = dumped(source(rich), tmp_path / "s", Form.CHANGES, base=state, state=tmp_path / "state2")
    then = image(rich)
    assert changes.component.rows == {**ROWS, "orders": 900, "measured": 101, "nothing": 1}
    run_sql(server, rich, "DELETE FROM orders", "DROP VIEW aa_late")
    report = source(rich).load([base, changes], load_request(tmp_path / "s"))
    assert report.rows == changes.component.rows
    assert sorted(image(rich).splitlines()) == sorted(then.splitlines())
    with pytest.raises(RestoreRefused, match="on top of a full backup"):
        source(rich).load([changes], load_request(tmp_path / "s"))


def test_rows_agree_exactly_while_somebody_writes(
    server: DatabaseServer, database: str, source: Make, tmp_path: Path
) -> None:
    run_sql(server, database, "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, pad TEXT)")
    run_sql(server, database, "INSERT INTO t (pad) SELECT REPEAT('x', 300) FROM seq_1_to_4000")
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            run_sql(server, database, "INSERT INTO t (pad) VALUES ('more'), ('and more')", "DELETE FROM t LIMIT 1")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(2):
            state = tmp_path / f"state{number}"
            content = dumped(source(database), tmp_path / "s", state=state)
            assert content.component.facts["rows_compared"] == "same moment"
            changes = dumped(source(database), tmp_path / "s", Form.CHANGES, base=state)
    finally:
        over.set()
        writer.join()
    report = source(database).load([content, changes], load_request(tmp_path / "s"))
    assert report.rows == changes.component.rows


def test_without_the_right_to_lock(server: DatabaseServer, database: str, source: Make, tmp_path: Path) -> None:
    user = f"u_{database[-12:]}"
    run_sql(server, database, "CREATE TABLE t (n INT)", "INSERT INTO t VALUES (1), (2)")
    run_sql(server, database, f"CREATE USER {user} IDENTIFIED BY 'pw'")
    run_sql(server, database, f"GRANT SELECT, TRIGGER, SHOW VIEW, EVENT ON {database}.* TO {user}")
    own = source(database, url=Secret(f"mysql://{user}:pw@{server.host}:{server.port}/{database}".encode()))
    state = tmp_path / "state"
    content = dumped(own, tmp_path / "s", state=state)
    assert content.component.rows == {"t": 2}
    assert content.component.facts["rows_compared"] == "before and after"
    assert not state.exists()


def test_tables_without_transactions_are_problems(
    server: DatabaseServer, database: str, source: Make, tmp_path: Path
) -> None:
    run_sql(server, database, "CREATE TABLE old (n INT) ENGINE=MyISAM", "CREATE TABLE new (n INT)")
    run_sql(server, database, "INSERT INTO old VALUES (1)", "CREATE TABLE aria (n INT) ENGINE=Aria")
    content = dumped(source(database), tmp_path / "s")
    problems = content.component.problems
    assert [(problem.code, problem.subject) for problem in problems] == [
        ("not-transactional", "aria"),
        ("not-transactional", "old"),
    ]
    assert all(isinstance(problem, Problem) for problem in problems)


def test_a_view_whose_definer_is_gone(server: DatabaseServer, database: str, source: Make, tmp_path: Path) -> None:
    run_sql(server, database, "CREATE TABLE t (n INT)", f"CREATE USER g_{database[-10:]}")
    run_sql(server, database, f"CREATE DEFINER = g_{database[-10:]} VIEW lost AS SELECT * FROM t")
    run_sql(server, database, f"DROP USER g_{database[-10:]}")
    content = dumped(source(database), tmp_path / "s")
    assert content.component.facts["definers_missing"] == "view lost"
    source(database).load([content], load_request(tmp_path / "s"))
    assert f"`g_{database[-10:]}`" in str(run_sql(server, database, "SHOW CREATE VIEW lost"))


def test_a_view_of_a_table_that_is_gone_fails_the_dump(
    server: DatabaseServer, database: str, source: Make, tmp_path: Path
) -> None:
    run_sql(server, database, "CREATE TABLE t (n INT)", "CREATE VIEW broken AS SELECT * FROM t", "DROP TABLE t")
    with pytest.raises(DumpFailed, match="broken"):
        dumped(source(database), tmp_path / "s")


def test_names_with_their_schema_in_triggers(
    server: DatabaseServer, database: str, source: Make, image: Image, tmp_path: Path
) -> None:
    run_sql(server, database, "CREATE TABLE t (n INT)")
    run_sql(
        server, database, f"CREATE TRIGGER {database}.`a``b` BEFORE INSERT ON `{database}` . t FOR EACH ROW SET @x = 1"
    )
    content = dumped(source(database), tmp_path / "s")
    source(database).load([content], load_request(tmp_path / "s"))
    assert [row[:3] for row in run_sql(server, database, "SHOW TRIGGERS")] == [("a`b", "INSERT", "t")]


def test_a_user_that_may_not_name_others_becomes_the_definer(
    server: DatabaseServer, database: str, source: Make, tmp_path: Path
) -> None:
    user = f"u_{database[-12:]}"
    run_sql(server, database, "CREATE TABLE t (n INT)", "CREATE VIEW v AS SELECT n FROM t")
    run_sql(server, database, "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET @x = 1")
    run_sql(server, database, f"CREATE USER {user} IDENTIFIED BY 'pw'")
    run_sql(server, database, f"GRANT ALL ON `{database}%`.* TO {user}")
    content = dumped(source(database), tmp_path / "s")
    url = f"mysql://{user}:pw@{server.host}:{server.port}/{database}"
    report = source(database, url=Secret(url.encode())).load([content], load_request(tmp_path / "s"))
    assert {(problem.code, problem.subject) for problem in report.problems} == {
        ("definer-changed", "trigger"),
        ("definer-changed", "view v"),
    }
    assert run_sql(server, database, "SHOW CREATE VIEW v")[0][1].find(f"DEFINER=`{user}`@`%`") > 0  # type: ignore[attr-defined]


def test_what_is_refused(server: DatabaseServer, database: str, source: Make, tmp_path: Path) -> None:
    run_sql(server, database, "CREATE TABLE t (n INT)")
    content = dumped(source(database), tmp_path / "s")
    for url in ("postgresql://h/x", "/a/directory", "mysql://user:hunter2#3@h/d", "mysql://h"):
        with pytest.raises(RestoreRefused) as caught:
            source(database).load([content], load_request(tmp_path / "s", destination=url))
        assert "hunter2" not in str(caught.value)
    with pytest.raises(RestoreRefused, match="tables and no paths"):
        source(database).load([content], load_request(tmp_path / "s", paths=[b"x"]))
    content.component = replace(content.component, kind="postgresql")
    with pytest.raises(RestoreRefused, match="holds a postgresql"):
        source(database).load([content], load_request(tmp_path / "s"))


def test_a_dump_is_read_once(server: DatabaseServer, database: str, source: Make, tmp_path: Path) -> None:
    run_sql(server, database, "CREATE TABLE t (n INT)")
    with source(database).dump(dump_request(tmp_path / "s")) as dump:
        with pytest.raises(DumpIncomplete, match="not read to its end"):
            dump.component(Form.SQL)
        with pytest.raises(DumpIncomplete, match="not read to its end"):
            list(dump.entries(Form.SQL))


def test_a_server_that_is_away(tmp_path: Path) -> None:
    options = MysqlOptions(url=Secret(b"mysql://u:hunter2@127.0.0.1:1/x"))
    away = Mysql("db", options, tmp_path)
    with pytest.raises(DatabaseUnavailable, match="Database connection failed: source db: ") as caught:
        away.preflight()
    assert "hunter2" not in str(caught.value)
    assert away.estimate_bytes() is None
