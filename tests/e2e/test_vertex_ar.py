"""The document of Vertex AR: every command line of it, run as it stands in a copy of the example.

Where the document says `20240101_120000`, `/path/to/vertex-ar`, `/var/log` or `/mnt`, the test has the time of a backup
it made and folders of its own.
"""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import re
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from e2e.deployments import STAMP, Machine, install, modes, rows, script, tree
from holdfast.policy.cron import schedule_problem

TABLES = ("users", "clients", "portraits", "videos")


def make_studio(root: Path) -> Machine:
    """The studio's machine, with some data."""
    machine = install(root, "vertex_ar", "path/to/vertex-ar")
    machine.placeholders = {
        "/path/to/vertex-ar": str(machine.app),
        "/var/log/": f"{root}/var/log/",
        "/mnt/": f"{root}/mnt/",
    }
    (root / "var/log").mkdir(parents=True)
    (root / "mnt").mkdir()
    machine.run("python generate_data.py --size 600KB")
    return machine


@pytest.fixture
def studio(tmp_path: Path) -> Machine:
    """A machine without backups."""
    return make_studio(tmp_path)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """A machine with one full backup, which no test changes."""
    machine = make_studio(tmp_path_factory.mktemp("kept"))
    machine.run("python backup_cli.py create --type full")
    name_the_backup(machine)
    return machine


@pytest.fixture
def backed_up(kept: Machine, tmp_path: Path) -> Machine:
    """A copy of that machine, to do anything with."""
    root = tmp_path / "machine"
    shutil.copytree(kept.root, root, symlinks=True)
    machine = Machine(root, root / kept.app.relative_to(kept.root))
    machine.placeholders = {key: value.replace(str(kept.root), str(root)) for key, value in kept.placeholders.items()}
    return machine


def name_the_backup(machine: Machine) -> str:
    """From now on `20240101_120000` is the stamp of the newest backup of a database."""
    stamp = STAMP.findall(machine.names("database/*.db")[-1])[0]
    machine.placeholders["20240101_120000"] = stamp
    return stamp


def state(machine: Machine) -> dict[str, Any]:
    """All rows and files of the application."""
    database = machine.app / "app_data/app_data.db"
    return {**{table: rows(database, table) for table in TABLES}, **tree(machine.app / "storage")}


def damage(machine: Machine) -> None:
    """Somebody deletes clients, overwrites a picture and loses a folder."""
    with sqlite3.connect(machine.app / "app_data/app_data.db") as connection:
        connection.execute("DELETE FROM clients WHERE id > 1")
        connection.execute("UPDATE portraits SET title = 'нет'")
    connection.close()
    next((machine.app / "storage/images").iterdir()).write_bytes(b"gone")
    shutil.rmtree(machine.app / "storage/videos")


# --- 1: the library --------------------------------------------------------------------------------

LIBRARY = """
from backup_manager import create_backup_manager

# Создать менеджер бэкапов
manager = create_backup_manager()

# Создать полный бэкап
result = manager.create_full_backup()

# Создать бэкап только базы данных
result = manager.backup_database()

# Создать бэкап только файлов
result = manager.backup_storage()

# Список всех бэкапов
backups = manager.list_backups("all")

# Статистика
stats = manager.get_backup_stats()

# Ротация старых бэкапов
removed = manager.rotate_backups()

# Восстановление
manager.restore_database(Path("backups/database/db_backup_20240101_120000.db"))
manager.restore_storage(Path("backups/storage/storage_backup_20240101_120000.tar.gz"))
"""

ROTATION = """
# По умолчанию сохраняется 7 последних бэкапов
manager = create_backup_manager(max_backups=7)
manager.rotate_backups()

# Изменить количество сохраняемых бэкапов
manager = create_backup_manager(max_backups=30)
"""


def test_the_library(backed_up: Machine) -> None:
    before = state(backed_up)
    damage(backed_up)
    report = "print(json.dumps({'result': result, 'backups': backups, 'stats': stats, 'removed': removed}))"
    program = f"import json\nfrom pathlib import Path\n{LIBRARY}\n{report}\n"
    done = backed_up.run("python -", stdin=backed_up.filled(program)).json()
    assert state(backed_up) == before
    assert set(done["result"]) >= {
        "timestamp", "type", "original_path", "backup_path", "file_size", "checksum", "created_at", "file_count",
    }  # fmt: skip
    assert done["result"]["type"] == "storage"
    assert [one["type"] for one in done["backups"]] == ["storage", "database", "full", "full"]
    assert done["stats"]["total_backups"] == 4
    assert done["stats"]["total_size_mb"] > 0.5
    assert done["removed"] == []


def test_the_library_rotates(backed_up: Machine) -> None:
    for _ in range(2):
        backed_up.run("python backup_cli.py create --type database")
    imports = "from backup_manager import create_backup_manager\n"
    backed_up.run("python -", stdin=imports + ROTATION)
    assert len(backed_up.names("database/*.db")) == 3
    keep_one = "manager = create_backup_manager(max_backups=1)\nprint(len(manager.rotate_backups()))"
    assert backed_up.run("python -", stdin=imports + keep_one).out == "1\n"
    # One database backup, and the one that the full backup owns.
    assert len(backed_up.names("database/*.db")) == 2


# --- 2: the command line ---------------------------------------------------------------------------


def test_the_command_line(studio: Machine) -> None:
    studio.run("python backup_cli.py create --type full")
    studio.run("python backup_cli.py create --type database")
    studio.run("python backup_cli.py create --type storage")
    name_the_backup(studio)
    lines = studio.run("python backup_cli.py list").out.splitlines()
    assert [line.split()[1] for line in lines if not line.startswith(" ")] == ["storage", "database", "full"]
    stats = studio.run("python backup_cli.py stats").out
    assert "Всего бэкапов: 3" in stats
    before = state(studio)
    damage(studio)
    studio.run("python backup_cli.py restore backups/database/db_backup_20240101_120000.db")
    assert {table: rows(studio.app / "app_data/app_data.db", table) for table in TABLES} == {
        table: before[table] for table in TABLES
    }
    studio.run("python backup_cli.py rotate --max-backups 7")
    assert len(studio.names("database/*.db")) == 2


def test_a_list_may_be_cut(backed_up: Machine) -> None:
    assert backed_up.run("set -o pipefail; python backup_cli.py list | head -20", status=None).out.count("backup_") >= 3
    cut = backed_up.run("set -o pipefail; python backup_cli.py list | head -c 1", status=None)
    assert cut.err == ""


def test_messages_are_in_the_language_of_the_configuration(backed_up: Machine) -> None:
    config = backed_up.app / "holdfast.toml"
    config.write_text(config.read_text().replace('language = "ru"', 'language = "en"'))
    assert "Total backups: 1" in backed_up.run("python backup_cli.py stats").out
    lost = backed_up.run("python backup_cli.py restore backups/database/db_backup_19990101_000000.db", status=None)
    assert lost.status not in (0, None)
    assert lost.err.startswith("Error: ")


# --- 3: the script for cron ------------------------------------------------------------------------


def test_the_script(studio: Machine) -> None:
    studio.run("./backup.sh")
    assert len(studio.names("full/*.json")) == 1
    studio.run("./backup.sh --type database")
    assert (len(studio.names("full/*.json")), len(studio.names("database/*.db"))) == (1, 2)
    studio.run("./backup.sh --max-backups 14")
    assert len(studio.names("full/*.json")) == 2
    studio.run("./backup.sh --backup-dir /mnt/backups")
    elsewhere = studio.root / "mnt/backups"
    assert len(list(elsewhere.glob("full/*.json"))) == 1
    assert len(studio.names("full/*.json")) == 2
    studio.run("./backup.sh --max-backups 1")
    assert len(studio.names("full/*.json")) == 1
    assert studio.asked("curl") == []


@pytest.mark.parametrize(
    ("wrong", "named"),
    [("--typ full", "--typ"), ("--type", "--type"), ("--max-backups", "--max-backups"), ("--type tables", "tables")],
)
def test_the_script_refuses_what_it_does_not_know(studio: Machine, wrong: str, named: str) -> None:
    refused = studio.run(f"./backup.sh {wrong}", status=2)
    assert named in refused.err + refused.out
    assert not studio.backups.exists() or studio.names("*/*.db") == []


def test_the_script_fails_when_the_backup_does(studio: Machine) -> None:
    (studio.app / "app_data/app_data.db").write_bytes(b"SQLite format 3\0" + os.urandom(5000))
    failed = studio.run("./backup.sh", status=None)
    assert failed.status == 1
    assert studio.names("full/*.json") == []
    assert "ERROR" in studio.run("grep ERROR backups/backup.log").out


def test_nothing_is_deleted_after_a_backup_that_failed(backed_up: Machine) -> None:
    backed_up.run("./backup.sh")
    (backed_up.app / "app_data/app_data.db").write_bytes(b"SQLite format 3\0" + os.urandom(5000))
    backed_up.run("./backup.sh --max-backups 1", status=1)
    assert len(backed_up.names("full/*.json")) == 2


# --- structure and metadata ------------------------------------------------------------------------


def test_files_are_called_and_placed_as_the_document_says(kept: Machine) -> None:
    stamp = kept.placeholders["20240101_120000"]
    visible = sorted(name for name in tree(kept.backups) if not name.startswith("."))
    assert visible == sorted(
        [
            "backup.log",
            f"database/db_backup_{stamp}.db",
            f"database/db_backup_{stamp}.json",
            f"full/full_backup_{stamp}.json",
            f"storage/storage_backup_{stamp}.json",
            f"storage/storage_backup_{stamp}.tar.gz",
        ]
    )
    assert not [name for name in tree(kept.backups) if name.endswith(("-wal", "-shm", "-journal"))]


@pytest.mark.parametrize("kind", ["database", "storage"])
def test_metadata_have_the_keys_of_the_document(kept: Machine, kind: str) -> None:
    stamp = kept.placeholders["20240101_120000"]
    stem, suffix = {"database": ("db_backup", ".db"), "storage": ("storage_backup", ".tar.gz")}[kind]
    path = kept.backups / kind / f"{stem}_{stamp}{suffix}"
    metadata = kept.document(f"{kind}/{stem}_{stamp}.json")
    original = {"database": "app_data/app_data.db", "storage": "storage"}[kind]
    assert metadata["timestamp"] == stamp
    assert metadata["type"] == kind
    assert metadata["original_path"] == str(kept.app / original)
    assert metadata["backup_path"] == str(path)
    assert metadata["file_size"] == path.stat().st_size
    assert metadata["checksum"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}", metadata["created_at"])
    # Of a database, its tables are counted.
    assert metadata["file_count"] == (len(TABLES) if kind == "database" else len(tree(kept.app / "storage")))


def test_the_full_backup_has_metadata_of_its_own(kept: Machine) -> None:
    stamp = kept.placeholders["20240101_120000"]
    metadata = kept.document(f"full/full_backup_{stamp}.json")
    assert (metadata["timestamp"], metadata["type"]) == (stamp, "full")
    assert set(metadata) >= {"original_path", "backup_path", "file_size", "checksum", "created_at", "file_count"}


# --- cron ------------------------------------------------------------------------------------------

CRON = """
# Полный бэкап каждый день в 2:00
0 2 * * * /path/to/vertex-ar/backup.sh --type full >> /var/log/vertex-ar-backup.log 2>&1

# База данных каждые 6 часов
0 */6 * * * /path/to/vertex-ar/backup.sh --type database

# Еженедельный бэкап файлов (воскресенье в 3:00)
0 3 * * 0 /path/to/vertex-ar/backup.sh --type storage

# Ежедневная ротация старых бэкапов (в 4:00)
0 4 * * * cd /path/to/vertex-ar && python3 backup_cli.py rotate --max-backups 7
"""
TELEGRAM = """
# Установить переменные окружения в crontab
TELEGRAM_BOT_TOKEN=your_bot_token
TELEGRAM_CHAT_ID=your_chat_id

# Полный бэкап с уведомлением
0 2 * * * /path/to/vertex-ar/backup.sh --type full
"""


def cron_lines(table: str) -> list[tuple[str, str]]:
    """(schedule, command) of the lines of a crontab."""
    lines = [line for line in table.splitlines() if line[:1].isdigit()]
    return [(" ".join(line.split(None, 5)[:5]), line.split(None, 5)[5]) for line in lines]


def test_cron_lines(studio: Machine) -> None:
    studio.run("crontab -e")
    assert studio.asked("crontab") == ["-e"]
    lines = cron_lines(CRON)
    assert [schedule for schedule, _command in lines] == ["0 2 * * *", "0 */6 * * *", "0 3 * * 0", "0 4 * * *"]
    for schedule, command in lines:
        assert schedule_problem(schedule) is None
        # Cron runs commands in the home folder, with a short environment.
        studio.run(command, cwd=studio.root / "home")
    assert (studio.root / "var/log/vertex-ar-backup.log").read_text().startswith("Бэкап backup_")
    assert [len(studio.names(names)) for names in ("full/*.json", "database/*.db", "storage/*.gz")] == [1, 2, 2]


class Telegram(http.server.BaseHTTPRequestHandler):
    """Takes messages as Telegram does."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.messages.append((self.path, parse_qs(body)))  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"ok":true}')

    def log_message(self, format: str, *_arguments: object) -> None:  # noqa: A002 - the name of the base class
        """Says nothing."""


@pytest.fixture
def telegram() -> Iterator[Any]:
    """A server that keeps the messages it is sent."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Telegram) as server:
        server.messages = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_telegram_is_told_and_the_token_shown_to_nobody(studio: Machine, telegram: Any) -> None:
    variables = dict(line.split("=", 1) for line in TELEGRAM.splitlines() if line.startswith("TELEGRAM"))
    variables["TELEGRAM_API_URL"] = f"http://127.0.0.1:{telegram.server_port}"
    script(studio.root / "bin/curl", 'printf "%s\\n" "$*" >> "$STAND_INS/curl.log"\nexec /usr/bin/curl "$@"\n')
    [(schedule, command)] = cron_lines(TELEGRAM)
    assert schedule_problem(schedule) is None
    studio.run(command, variables=variables)
    [(path, message)] = telegram.messages
    assert path == "/botyour_bot_token/sendMessage"
    assert message["chat_id"] == ["your_chat_id"]
    assert "✅" in message["text"][0]
    assert "backup_" in message["text"][0]
    assert "\n" in message["text"][0]
    assert len(studio.asked("curl")) == 1
    assert "your_bot_token" not in studio.asked("curl")[0]
    (studio.app / "app_data/app_data.db").unlink()
    assert studio.run(command, variables=variables, status=None).status == 1
    assert "❌" in telegram.messages[1][1]["text"][0]


def test_a_backup_is_one_though_telegram_is_down(studio: Machine) -> None:
    variables = {"TELEGRAM_BOT_TOKEN": "x", "TELEGRAM_CHAT_ID": "y", "TELEGRAM_API_URL": "http://127.0.0.1:9"}
    done = studio.run("./backup.sh", variables=variables)
    assert "Telegram notification was not sent" in done.err
    assert len(studio.names("full/*.json")) == 1


# --- restoring -------------------------------------------------------------------------------------

RESTORE_DATABASE_BY_HAND = """
# 1. Остановить приложение
docker-compose down

# 2. Создать резервную копию текущей БД
cp app_data/app_data.db app_data/app_data.db.backup

# 3. Восстановить из бэкапа
cp backups/database/db_backup_20240101_120000.db app_data/app_data.db

# 4. Запустить приложение
docker-compose up -d
"""
RESTORE_FILES_BY_HAND = """
# 1. Остановить приложение
docker-compose down

# 2. Создать резервную копию текущих файлов
mv storage storage_backup

# 3. Распаковать бэкап
tar -xzf backups/storage/storage_backup_20240101_120000.tar.gz

# 4. Запустить приложение
docker-compose up -d
"""
RESTORE_EVERYTHING = """
# 1. Остановить приложение
docker-compose down

# 2. Восстановить базу данных
python backup_cli.py restore backups/database/db_backup_20240101_120000.db

# 3. Восстановить файлы
python backup_cli.py restore backups/storage/storage_backup_20240101_120000.tar.gz

# 4. Запустить приложение
docker-compose up -d
"""


def test_restoring_keeps_what_it_replaces(backed_up: Machine) -> None:
    before = state(backed_up)
    damage(backed_up)
    damaged = state(backed_up)
    told = backed_up.run(RESTORE_EVERYTHING).out
    assert state(backed_up) == before
    assert backed_up.asked("docker-compose") == ["down", "up -d"]
    copies = [line.rpartition(": ")[2] for line in told.splitlines() if "Прежнее состояние сохранено" in line]
    assert len(copies) == 2
    database, storage = (backed_up.app / copy for copy in copies)
    assert rows(database, "portraits") == damaged["portraits"]
    assert tree(storage) == {name: value for name, value in damaged.items() if name not in TABLES}


@pytest.mark.parametrize("recipe", [RESTORE_DATABASE_BY_HAND, RESTORE_FILES_BY_HAND], ids=["database", "files"])
def test_restoring_by_hand(backed_up: Machine, recipe: str) -> None:
    before = state(backed_up)
    if recipe is RESTORE_DATABASE_BY_HAND:
        with sqlite3.connect(backed_up.app / "app_data/app_data.db") as connection:
            connection.execute("DELETE FROM videos")
        connection.close()
    else:
        shutil.rmtree(backed_up.app / "storage/videos")
    assert state(backed_up) != before
    backed_up.run(f"set -e\n{recipe}")
    assert state(backed_up) == before
    assert backed_up.asked("docker-compose") == ["down", "up -d"]
    backed_up.run("python backup_cli.py create --type full")


# --- integrity -------------------------------------------------------------------------------------


def test_a_changed_backup_is_refused_unless_asked_for(backed_up: Machine) -> None:
    backup = backed_up.backups / "database" / f"db_backup_{backed_up.placeholders['20240101_120000']}.db"
    with sqlite3.connect(backup) as connection:
        connection.execute("UPDATE clients SET name = 'Подделка'")
    connection.close()
    before = state(backed_up)
    refused = backed_up.run("python backup_cli.py restore backups/database/db_backup_20240101_120000.db", status=4)
    assert refused.err.startswith("Ошибка: ")
    assert state(backed_up) == before
    backed_up.run("python backup_cli.py restore backups/database/db_backup_20240101_120000.db --no-verify")
    assert {row[2] for row in rows(backed_up.app / "app_data/app_data.db", "clients")} == {"Подделка"}


def test_checksums_by_hand(kept: Machine) -> None:
    computed = kept.run("sha256sum backups/database/db_backup_20240101_120000.db").out.split()[0]
    line = kept.run("cat backups/database/db_backup_20240101_120000.json | grep checksum").out
    assert f'"checksum": "{computed}"' in line
    assert len(line) < 120, "grep shows the line with the checksum, not the whole document"


# --- keeping copies elsewhere ----------------------------------------------------------------------


def test_copies_on_other_machines(backed_up: Machine) -> None:
    backed_up.run("rsync -avz backups/ user@backup-server:/backups/vertex-ar/")
    assert tree(backed_up.root / "elsewhere/backups/vertex-ar") == tree(backed_up.backups)
    backed_up.run("aws s3 sync backups/ s3://my-bucket/vertex-ar-backups/")
    backed_up.run("gsutil -m rsync -r backups/ gs://my-bucket/vertex-ar-backups/")
    for cloud in ("aws", "gs"):
        assert tree(backed_up.root / "cloud" / cloud) == tree(backed_up.backups)
    # What came back from elsewhere is a backup like any other.
    shutil.rmtree(backed_up.backups)
    shutil.copytree(backed_up.root / "elsewhere/backups/vertex-ar", backed_up.backups)
    before = state(backed_up)
    damage(backed_up)
    backed_up.run("python backup_cli.py restore backups/database/db_backup_20240101_120000.db")
    backed_up.run("python backup_cli.py restore backups/storage/storage_backup_20240101_120000.tar.gz")
    assert state(backed_up) == before


DOCKER_BACKUP = """
docker run --rm \\
  -v vertex_ar_data:/data \\
  -v $(pwd)/backups:/backup \\
  alpine tar czf /backup/docker_volume_backup.tar.gz -C /data .
"""
DOCKER_RESTORE = """
docker run --rm \\
  -v vertex_ar_data:/data \\
  -v $(pwd)/backups:/backup \\
  alpine tar xzf /backup/docker_volume_backup.tar.gz -C /data
"""


def test_docker_volumes(backed_up: Machine) -> None:
    volume = backed_up.root / "volumes/vertex_ar_data"
    (volume / "cache").mkdir(parents=True)
    (volume / "cache/имя.txt").write_text("том")
    backed_up.run(DOCKER_BACKUP)
    before = tree(volume)
    shutil.rmtree(volume)
    volume.mkdir()
    backed_up.run(DOCKER_RESTORE)
    assert tree(volume) == before
    # A stranger's file among the backups disturbs nobody.
    backed_up.run("python backup_cli.py create --type database")
    assert "docker_volume" not in backed_up.run("python backup_cli.py list").out
    assert (backed_up.backups / "docker_volume_backup.tar.gz").exists()


# --- watching --------------------------------------------------------------------------------------


def test_monitoring(backed_up: Machine) -> None:
    backed_up.run("python backup_cli.py create --type database")
    assert "Всего бэкапов: 2" in backed_up.run("python backup_cli.py stats").out
    assert backed_up.run("python backup_cli.py list | head -20").out.startswith("20")
    sizes = dict(line.split("\t")[::-1] for line in backed_up.run("du -sh backups/*").out.splitlines())
    assert sorted(sizes) == ["backups/backup.log", "backups/database", "backups/full", "backups/storage"]
    assert backed_up.run('find backups -type f -name "*.db" | wc -l').out.split() == ["2"]
    assert backed_up.run('find backups -type f -name "*.tar.gz" | wc -l').out.split() == ["1"]


def test_the_log(backed_up: Machine) -> None:
    assert "Backup completed successfully" in backed_up.follow("tail -f backups/backup.log", "completed successfully")
    assert backed_up.run("grep ERROR backups/backup.log", status=1).out == ""
    assert backed_up.run('grep "Backup completed successfully" backups/backup.log').out.count("\n") == 1
    shutil.move(backed_up.app / "app_data", backed_up.app / "app_data.gone")
    assert backed_up.run("python backup_cli.py create", status=1).err.startswith("Ошибка: ")
    assert backed_up.run("grep ERROR backups/backup.log").out.count("ERROR") >= 1
    assert "ERROR" in backed_up.run("tail -100 backups/backup.log").out


ALERT = r"""
#!/bin/bash
# check_backup_status.sh

# Проверить возраст последнего бэкапа
LATEST_BACKUP=$(find backups/database -name "*.db" -type f -printf '%T@ %p\n' | sort -n | tail -1 | cut -d' ' -f2)
BACKUP_AGE=$(($(date +%s) - $(stat -c %Y "$LATEST_BACKUP")))
MAX_AGE=$((24 * 60 * 60))  # 24 часа

if [ $BACKUP_AGE -gt $MAX_AGE ]; then
    echo "WARNING: Last backup is older than 24 hours!"
    # Отправить уведомление
fi
"""
TOO_OLD = "WARNING: Last backup is older than 24 hours!\n"


def test_the_alert(backed_up: Machine, telegram: Any) -> None:
    assert backed_up.run(ALERT).out == ""
    assert backed_up.run("./check_backup_status.sh").out == ""
    long_ago = time.time() - 25 * 3600
    for name in backed_up.names("database/*.db"):
        os.utime(backed_up.backups / name, (long_ago, long_ago))
    assert backed_up.run(ALERT).out == TOO_OLD
    variables = {"TELEGRAM_BOT_TOKEN": "x", "TELEGRAM_CHAT_ID": "y"}
    variables["TELEGRAM_API_URL"] = f"http://127.0.0.1:{telegram.server_port}"
    assert backed_up.run("./check_backup_status.sh", status=5, variables=variables).out == TOO_OLD
    assert "older than 24 hours" in telegram.messages[0][1]["text"][0]
    shutil.rmtree(backed_up.backups)
    assert backed_up.run("/path/to/vertex-ar/check_backup_status.sh", status=5, cwd=backed_up.root).out.startswith(
        "WARNING: "
    )


# --- security --------------------------------------------------------------------------------------


def test_permissions(backed_up: Machine) -> None:
    found = modes(backed_up.backups)
    assert {mode for name, mode in found.items() if (backed_up.backups / name).is_dir()} == {"700"}
    assert {mode for name, mode in found.items() if (backed_up.backups / name).is_file()} == {"600"}
    backed_up.run("chmod 700 backups")
    backed_up.run("chmod 600 backups/**/*")
    backed_up.run("chown root:root backups -R")
    assert modes(backed_up.backups) == found, "there is nothing left to restrict"


def test_encryption_with_gpg(backed_up: Machine) -> None:
    gnupg = backed_up.root / "gnupg"
    (gnupg / "passphrase").write_text("очень длинная фраза")
    (gnupg / "gpg.conf").write_text(f"batch\npinentry-mode loopback\npassphrase-file {gnupg / 'passphrase'}\n")
    backed_up.run("gpg --symmetric --cipher-algo AES256 backups/database/db_backup_20240101_120000.db")
    encrypted = backed_up.names("database/*.db.gpg")
    assert len(encrypted) == 1
    backed_up.run("gpg --decrypt backups/database/db_backup_20240101_120000.db.gpg > restored.db")
    original = backed_up.backups / encrypted[0].removesuffix(".gpg")
    assert (backed_up.app / "restored.db").read_bytes() == original.read_bytes()
    assert "Всего бэкапов: 1" in backed_up.run("python backup_cli.py stats").out
    # gpg leaves an agent behind that would outlive the tests.
    backed_up.run("gpgconf --kill gpg-agent")


def test_encryption_with_openssl(backed_up: Machine) -> None:
    [name] = backed_up.names("storage/*.tar.gz")
    shutil.copy(backed_up.backups / name, backed_up.app / "backup.tar.gz")
    before = (backed_up.app / "backup.tar.gz").read_bytes()
    command = "openssl enc -aes-256-cbc -salt -in backup.tar.gz -out backup.tar.gz.enc"
    backed_up.run(command, stdin="geheim\ngeheim\n")
    (backed_up.app / "backup.tar.gz").unlink()
    backed_up.run("openssl enc -aes-256-cbc -d -in backup.tar.gz.enc -out backup.tar.gz", stdin="geheim\n")
    assert (backed_up.app / "backup.tar.gz").read_bytes() == before


# --- trouble ---------------------------------------------------------------------------------------


def test_when_no_backup_is_made(kept: Machine) -> None:
    assert "database" in kept.run("ls -la backups/").out
    assert kept.run("df -h").out
    assert "Backup completed successfully" in kept.run("tail -100 backups/backup.log").out
    kept.run("ps aux | grep backup")


def test_when_a_restore_fails(kept: Machine) -> None:
    before = modes(kept.backups)
    assert kept.run("sha256sum backups/database/db_backup_20240101_120000.db").out
    assert "SQLite 3.x database" in kept.run("file backups/database/db_backup_20240101_120000.db").out
    counted = kept.run('sqlite3 backups/database/db_backup_20240101_120000.db "SELECT COUNT(*) FROM users;"').out
    assert int(counted) == len(rows(kept.app / "app_data/app_data.db", "users"))
    members = kept.run("tar -tzf backups/storage/storage_backup_20240101_120000.tar.gz | head").out.splitlines()
    assert members[0] == "storage/"
    assert all(member.startswith("storage/") for member in members)
    assert modes(kept.backups) == before, "looking at a backup leaves nothing beside it"


def test_when_backups_are_slow(backed_up: Machine) -> None:
    backed_up.run("ls -lh app_data/app_data.db")
    backed_up.run("du -sh storage/")
    backed_up.run('sqlite3 app_data/app_data.db "VACUUM;"')
    backed_up.run('sed -i \'s/compression="gz"/compression=""/\' backup_manager.py')
    backed_up.run("python backup_cli.py create --type full")
    [plain] = backed_up.names("storage/*.tar")
    before = state(backed_up)
    damage(backed_up)
    backed_up.run(f"python backup_cli.py restore backups/{plain}")
    assert state(backed_up) != before, "the database was not asked for"
    assert tree(backed_up.app / "storage") == {name: value for name, value in before.items() if name not in TABLES}


def test_the_list_for_support(kept: Machine) -> None:
    for command in ("tail -100 backups/backup.log", "python backup_cli.py stats", "ls -la backups/", "df -h"):
        assert kept.run(command).out


# --- the application itself ------------------------------------------------------------------------

USE = """
import json, sys
from starlette.testclient import TestClient
from app.main import app

with TestClient(app) as client:
    totals = client.get("/totals").json()
    paths = "/health", f"/portraits/{sys.argv[1]}", "/portraits/none", "/storage/%2e%2e/holdfast.toml"
    answers = [client.get(path) for path in paths]
    print(json.dumps([totals, [one.status_code for one in answers], answers[1].json()]))
"""


def test_the_application_works_and_its_views_come_back(backed_up: Machine) -> None:
    link = rows(backed_up.app / "app_data/app_data.db", "portraits")[0][3]
    totals, statuses, portrait = backed_up.run(f"python - {link}", stdin=USE).json()
    assert totals == {table: len(rows(backed_up.app / "app_data/app_data.db", table)) for table in TABLES}
    assert statuses == [200, 200, 404, 404]
    assert portrait["video_path"].startswith("storage/videos/")
    backed_up.run("python backup_cli.py restore backups/database/db_backup_20240101_120000.db")
    again = json.loads(backed_up.run(f"python - {link}", stdin=USE).out)[2]
    assert again["views"] == portrait["views"], "the view since the backup is gone, and counted again"
