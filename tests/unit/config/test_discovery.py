"""Applications that nobody described are recognised, and every configuration made for one passes its own check."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import pytest

from holdfast.config.discovery.findings import Findings
from holdfast.config.discovery.folder_walk import MAX_ENTRIES, look_at
from holdfast.config.discovery.look import look
from holdfast.config.discovery.template import app_name
from holdfast.config.load import load_config
from holdfast.config.new_file import propose, write
from holdfast.errors import ConfigExists

SECRET = "hunter2"


def put(root: Path, files: Mapping[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content == "sqlite":
            connection = sqlite3.connect(path)
            connection.execute("create table a (b)")
            connection.commit()
            connection.close()
        else:
            path.write_text(content)
    return root


def found(findings: Findings) -> dict[str, tuple[str, dict[str, object]]]:
    return {source.name: (source.kind, dict(source.options)) for source in findings.sources}


def left_out(findings: Findings) -> dict[str, str]:
    return {one.what: str(one.why) for one in findings.left_out}


DJANGO = f"""
import os
from pathlib import Path
from somewhere import everything
BASE_DIR = Path(__file__).resolve().parent.parent
raise SystemExit("settings must not be run")
DATABASES = {{
    "default": {{"ENGINE": "django.db.backends.postgresql", "NAME": os.environ["DB_NAME"], "USER": "shop",
                "PASSWORD": "{SECRET}", "HOST": os.getenv("DB_HOST", "localhost"), "PORT": "5433"}},
    "small": {{"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "small.sqlite3"}},
    "odd": {{"ENGINE": "django.db.backends.oracle", "NAME": "x"}},
}}
MEDIA_ROOT = os.path.join(BASE_DIR, "media")
"""
COMPOSE = f"""
# the whole stack
services:
  web:
    image: "registry.example/shop:1"
    volumes:
      - uploads:/srv/uploads
      - ./code:/srv/code
    command: >
      run this: and that
  db:
    image: postgres:15-alpine
    environment:
      POSTGRES_DB: shop
      POSTGRES_USER: ${{DB_USER:-shop}}
      POSTGRES_PASSWORD: {SECRET}
    ports: ["127.0.0.1:5433:5432"]
    volumes:
      - type: volume
        source: dbdata
        target: /var/lib/postgresql/data
  cms:
    image: mariadb:10.11
    environment:
      - MARIADB_DATABASE=cms
      - MARIADB_ROOT_PASSWORD={SECRET}
    ports:
    - "3307:3306"
  hidden:
    image: mysql
volumes:
  uploads:
  dbdata:
  spare: {{}}
"""
APPLICATIONS: dict[str, tuple[dict[str, str], dict[str, tuple[str, dict[str, object]]], dict[str, str]]] = {
    "nothing": ({"readme.txt": "x"}, {"files": ("files", {})}, {}),
    "sqlite by its first bytes": (
        {
            "app_data/app_data": "sqlite",
            "app_data/app_data.backup": "sqlite",
            "node_modules/x/y.db": "sqlite",
            "backups/old.db": "sqlite",
            ".venv2/pyvenv.cfg": "",
            ".venv2/z.db": "sqlite",
            "fake.db": "not a database",
        },
        {"database": ("sqlite", {"path": "app_data/app_data"})},
        {"app_data/app_data.backup": "its name says that it is a copy"},
    ),
    "url of a server": (
        {".env": f"DATABASE_URL=postgres://u:{SECRET}@h/d\nLOG_DATABASE_URL=mysql+pymysql://u:{SECRET}@h/l\n"},
        {
            "database": ("postgresql", {"url": "${DATABASE_URL}"}),
            "log": ("mysql", {"url": "${LOG_DATABASE_URL}"}),
        },
        {},
    ),
    "url of a file": (
        {".env": "DATABASE_URL=sqlite:///data/app.db\n", "data/app.db": "sqlite"},
        {"database": ("sqlite", {"path": "data/app.db"})},
        {},
    ),
    "url of nothing": (
        {".env": "DATABASE_URL=sqlite://\nX_DATABASE_URL=oracle://h/d\nY_DATABASE_URL=sqlite:///no.db\n"},
        {"files": ("files", {})},
        {
            "DATABASE_URL": "a database in memory is gone with its process",
            "X_DATABASE_URL": "databases of the kind oracle are not backed up by Holdfast",
            "no.db": "the variable Y_DATABASE_URL names it, but there is no such database",
        },
    ),
    "django": (
        {
            "manage.py": "", "shop/settings.py": DJANGO, "small.sqlite3": "sqlite", "media/a.jpg": "x",
            ".env": "DB_NAME=shop\n",
        },
        {
            "database": (
                "postgresql",
                {
                    "host": "${DB_HOST:-localhost}", "port": 5433, "user": "shop", "database": "${DB_NAME}",
                    "password": "${DB_PASSWORD:-}",
                },
            ),
            "small": ("sqlite", {"path": "small.sqlite3"}),
            "media": ("files", {"paths": ["media"]}),
        },
        {"shop/settings.py: DATABASES.odd": "its value is known only when the program runs"},
    ),
    "django that cannot be read": (
        {"manage.py": "", "shop/settings.py": "DATABASES = {"},
        {"files": ("files", {})},
        {"shop/settings.py": "these settings cannot be read"},
    ),
    "laravel": (
        {
            ".env": f"DB_CONNECTION=mysql\nDB_DATABASE=shop\nDB_USERNAME=u\nDB_PASSWORD={SECRET}\n",
            "artisan": "", "storage/app/a.pdf": "x", "storage/logs/laravel.log": "x",
        },
        {
            "database": (
                "mysql",
                {
                    "host": "${DB_HOST:-127.0.0.1}", "port": "${DB_PORT:-3306}", "database": "${DB_DATABASE}",
                    "user": "${DB_USERNAME:-}", "password": "${DB_PASSWORD:-}",
                },
            ),
            "storage": ("files", {"paths": ["storage/app"]}),
        },
        {"storage/framework, storage/logs": "Laravel makes them again"},
    ),
    "laravel on sqlite": (
        {".env": "DB_CONNECTION=sqlite\n", "artisan": "", "database/database.sqlite": "sqlite"},
        {"database": ("sqlite", {"path": "database/database.sqlite"})},
        {},
    ),
    "compose": (
        {"docker-compose.yml": COMPOSE},
        {
            "database": (
                "postgresql",
                {
                    "host": "127.0.0.1", "port": 5433, "database": "shop", "user": "${DB_USER:-shop}",
                    "password": "${POSTGRES_PASSWORD:-}",
                },
            ),
            "cms": (
                "mysql",
                {
                    "host": "127.0.0.1", "port": 3307, "database": "cms", "password": "${MARIADB_ROOT_PASSWORD:-}",
                    "user": "root",
                },
            ),
            "uploads": ("docker-volume", {"volume": "app_uploads"}),
        },
        {
            "docker-compose.yml: hidden": (
                'it publishes no port on this machine: add "127.0.0.1:3306:3306" to its ports'
            ),
            "docker-compose.yml: dbdata": "it holds live files of the database db",
            "docker-compose.yml: spare": "no service uses this volume",
        },
    ),
    "compose that is too clever": (
        {"compose.yaml": "x-a: &a\n  b: c\nservices:\n  db:\n    <<: *a\n"},
        {"files": ("files", {})},
        {"compose.yaml": "line 1 of it is not understood; look for databases and volumes yourself"},
    ),
    "folders": (
        {"public/uploads/a.jpg": "x", "storage/data.db": "sqlite", "storage/f": "x", "media/.keep/x/.y": ""},
        {
            "database": ("sqlite", {"path": "storage/data.db"}),
            "media": ("files", {"paths": ["media"]}),
            "storage": (
                "files",
                {
                    "paths": ["storage"],
                    "exclude": ["storage/data.db", "storage/data.db-wal", "storage/data.db-shm"],
                },
            ),
            "uploads": ("files", {"paths": ["public/uploads"]}),
        },
        {},
    ),
    "strange names": (
        {'we"ird ${X}/it\'s.db': "sqlite", "uploads/نمونه.jpg": "x"},
        {"database": ("sqlite", {"path": 'we"ird ${X}/it\'s.db'}), "uploads": ("files", {"paths": ["uploads"]})},
        {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", APPLICATIONS)
def test_application(name: str, tmp_path: Path) -> None:
    files, expected, expected_left = APPLICATIONS[name]
    root = put(tmp_path / "app", files) if files else tmp_path
    findings = look(root, {})
    sources = found(findings)
    config = sources.pop("config")
    assert config[0] == "config"
    if "files" in expected:
        assert sources.pop("files")[1]["paths"] == ["."]
        expected = {}
    assert sources == expected
    assert expected_left.items() <= left_out(findings).items()


@pytest.mark.parametrize("name", APPLICATIONS)
def test_written_file_passes_its_own_check_and_holds_no_secret(name: str, tmp_path: Path) -> None:
    root = put(tmp_path / "app", APPLICATIONS[name][0])
    new = propose(root, {})
    assert not new.path.exists()
    write(new)
    assert SECRET not in new.path.read_text()
    assert new.path.stat().st_mode & 0o777 == 0o600
    config = load_config(new.path, None, {}, tmp_path)
    assert sorted(config.sources) == sorted({*APPLICATIONS[name][1], "config"})
    for source, (kind, options) in APPLICATIONS[name][1].items():
        if kind == "sqlite":
            assert getattr(config.sources[source].options, "path", "") == options["path"]
    assert list(config.targets) == ["backups"]
    assert config.policies["nightly"].targets == ("backups",)
    assert os.listdir(root).count(".env") == (".env" in APPLICATIONS[name][0])


def test_never_replaces(tmp_path: Path) -> None:
    new = propose(tmp_path, {})
    (tmp_path / "holdfast.toml").write_text("mine")
    with pytest.raises(ConfigExists):
        write(new)
    with pytest.raises(ConfigExists):
        propose(tmp_path, {})
    assert (tmp_path / "holdfast.toml").read_text() == "mine"
    assert os.listdir(tmp_path) == ["holdfast.toml"]


def test_a_link_to_nowhere_is_not_replaced_either(tmp_path: Path) -> None:
    (tmp_path / "holdfast.toml").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigExists):
        propose(tmp_path, {})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, "backups/\n.holdfast/\n"),
        ("*.pyc", "*.pyc\nbackups/\n.holdfast/\n"),
        ("/backups\n.holdfast\n", "/backups\n.holdfast\n"),
        (".holdfast/\n", ".holdfast/\nbackups/\n"),
    ],
)
def test_gitignore(tmp_path: Path, before: str | None, after: str) -> None:
    (tmp_path / ".git").mkdir()
    path = tmp_path / "app" / ".gitignore"
    path.parent.mkdir()
    if before is not None:
        path.write_text(before)
    write(propose(path.parent, {}))
    assert path.read_text() == after


def test_no_gitignore_outside_of_git(tmp_path: Path) -> None:
    write(propose(tmp_path, {}))
    assert os.listdir(tmp_path) == ["holdfast.toml"]


def test_walk_ends(tmp_path: Path) -> None:
    deep = tmp_path
    for number in range(12):
        deep = deep / str(number)
    deep.mkdir(parents=True)
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    tree = look_at(tmp_path)
    assert tree.cut
    assert tree.files == []
    assert len(tree.folders) < MAX_ENTRIES


def test_database_url_of_the_environment(tmp_path: Path) -> None:
    new = propose(tmp_path, {"DATABASE_URL": f"postgresql://u:{SECRET}@h/d"})
    assert found(new.findings)["database"] == ("postgresql", {"url": "${DATABASE_URL}"})
    assert SECRET not in new.text


@pytest.mark.parametrize(
    ("folder", "name"), [("vertex-ar", "vertex-ar"), ("My Shop!", "My-Shop"), ("فروشگاه", "app"), ("..x", "x")]
)
def test_name_of_the_application(folder: str, name: str) -> None:
    assert app_name(Path("/srv") / folder) == name
