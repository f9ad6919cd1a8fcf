"""Names exactly as the documents have them."""

from __future__ import annotations

import re

import pytest

from holdfast.archive.layouts.layout import Dated, FileRow, unlike
from holdfast.archive.layouts.table import LAYOUTS
from holdfast.model.backup import BackupType
from holdfast.model.component import Component, Form, Role, Shape

DATED = Dated("backup_2024_01_01_12_00_00", "20240101_120000", BackupType.FULL)
SECOND = Dated("backup_2024_01_01_12_00_00_2", "20240101_120000_2", BackupType.FULL)


def component(role: Role, file_name: str, *, name: str = "shop", kind: str = "", form: Form = Form.NATIVE) -> Component:
    shapes = {Role.STORAGE: Shape.TREE, Role.CONFIG: Shape.TREE, Role.TABLES: Shape.FILES}
    shape = shapes.get(role, Shape.FILE)
    if form is Form.CHANGES and shape is Shape.FILE:
        shape = Shape.FILES
    return Component(name=name, kind=kind or "x", role=role, form=form, shape=shape, file_name=file_name)


SQLITE = component(Role.DATABASE, "sessions.db", kind="sqlite")
ODD_SQLITE = component(Role.DATABASE, "app.sqlite3", kind="sqlite")
DUMP = component(Role.DATABASE, "shop.dump", kind="postgresql")
SQL = component(Role.DATABASE, "database.sql", kind="mysql")
TREE = component(Role.STORAGE, "storage")
CONFIG = component(Role.CONFIG, "config")
TABLES = component(Role.TABLES, "tables", name="exports", form=Form.TABLES)
COMMAND = component(Role.COMMAND, "ldap.ldif", name="ldap")
CHANGES = component(Role.DATABASE, "sessions.db", kind="sqlite", form=Form.CHANGES)
TREE_CHANGES = component(Role.STORAGE, "storage", form=Form.CHANGES)


@pytest.mark.parametrize(
    ("layout", "what", "entry", "leading", "name"),
    [
        ("typed", SQLITE, "", True, "database/db_backup_20240101_120000.db"),
        ("typed", ODD_SQLITE, "", True, "database/db_backup_20240101_120000.db"),
        ("typed", SQLITE, "", False, "database/shop_backup_20240101_120000.db"),
        ("typed", DUMP, "", True, "database/db_backup_20240101_120000.dump"),
        ("typed", SQL, "", True, "database/db_backup_20240101_120000.sql"),
        ("typed", CHANGES, "", True, "database/db_changes_backup_20240101_120000.tar"),
        ("typed", TREE, "", True, "storage/storage_backup_20240101_120000.tar"),
        ("typed", TREE, "", False, "storage/shop_backup_20240101_120000.tar"),
        ("typed", TREE_CHANGES, "", True, "storage/storage_changes_backup_20240101_120000.tar"),
        ("typed", CONFIG, "", True, "config/config_backup_20240101_120000.tar"),
        ("typed", TABLES, "users.json", True, "tables/exports_users_backup_20240101_120000.json"),
        ("typed", COMMAND, "", True, "command/ldap_backup_20240101_120000.ldif"),
        ("flat", SQLITE, "", True, "sessions_db_20240101_120000.db"),
        ("flat", DUMP, "", True, "shop_db_20240101_120000.dump"),
        ("flat", SQLITE, "", False, "shop_20240101_120000.db"),
        ("flat", CONFIG, "", True, "config_20240101_120000.tar"),
        ("flat", TREE, "", True, "shop_20240101_120000.tar"),
        ("flat", TABLES, "users.json", True, "exports_users_20240101_120000.json"),
        ("directory", SQLITE, "", True, "backup_20240101_120000/db_backup_20240101_120000.db"),
        ("directory", TABLES, "projects.json", True, "backup_20240101_120000/projects.json"),
        ("directory", TABLES, "projects.json", False, "backup_20240101_120000/exports_projects.json"),
        ("directory", TREE, "", True, "backup_20240101_120000/storage_backup_20240101_120000.tar"),
        ("bundle", component(Role.DATABASE, "x", form=Form.SQL), "", True, "database.sql"),
        ("bundle", TABLES, "image_timelines.json", True, "image_timelines.json"),
        ("bundle", CONFIG, "", True, "shop/"),
        ("bundle", TREE, "", True, "shop/"),
    ],
)
def test_names(layout: str, what: Component, entry: str, leading: bool, name: str) -> None:
    assert LAYOUTS[layout].content_name(DATED, what, entry, leading=leading) == name


@pytest.mark.parametrize(
    ("layout", "name"),
    [
        ("typed", "full/full_backup_20240101_120000_2.json"),
        ("flat", "manifest_20240101_120000_2.json"),
        ("directory", "backup_20240101_120000_2/backup_report.json"),
        ("bundle", "backup_2024_01_01_12_00_00_2.json"),
    ],
)
def test_the_suffix_of_an_id_is_part_of_the_stamp(layout: str, name: str) -> None:
    assert LAYOUTS[layout].record_name(SECOND, []) == name
    assert "20240101_120000_2" in LAYOUTS["typed"].content_name(SECOND, SQLITE, "", leading=True)


def test_the_record_of_a_type_that_is_not_full_is_the_sidecar_of_its_first_file() -> None:
    row = FileRow("database/db_backup_20240101_120000.db.gz.age", "shop", "content", 1, "")
    assert LAYOUTS["typed"].record_name(DATED._replace(type=BackupType.DATABASE), [row]) == (
        "database/db_backup_20240101_120000.json"
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_records_are_found_among_foreign_files(layout: str) -> None:
    strange = LAYOUTS[layout]
    ours = strange.record_name(DATED, [])
    foreign = [
        "docker_volume_backup.tar.gz", "backup.log", "db_backup.json", "manifest.json", "database/db_backup_2024.json",
        "full/full_backup_20240101_120000.json.bak", "notes/full_backup_x.json", "backup_20240101_120000.zip",
        ".holdfast/backup_2024_01_01_12_00_00.json",
    ]  # fmt: skip
    assert strange.records([*foreign, ours]) == {"20240101_120000": [ours]}


def test_sidecars_are_not_asked_where_there_is_a_full_record() -> None:
    names = [
        "database/db_backup_20240101_120000.json",
        "storage/storage_backup_20240101_120000.json",
        "full/full_backup_20240101_120000.json",
        "database/db_backup_20240102_120000.json",
        "tables/x_users_backup_20240103_120000.json",
        "tables/x_users_backup_20240103_120000.meta.json",
    ]
    assert LAYOUTS["typed"].records(names) == {
        "20240101_120000": ["full/full_backup_20240101_120000.json"],
        "20240102_120000": ["database/db_backup_20240102_120000.json"],
        "20240103_120000": ["tables/x_users_backup_20240103_120000.meta.json"],
    }


@pytest.mark.parametrize("table", ["../../etc/passwd", "a/b", "-rf", ".hidden", "n" * 300, "ü" * 200, "new\nline", ""])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_name_of_a_table_leads_out_of_its_folder(layout: str, table: str) -> None:
    name = LAYOUTS[layout].content_name(DATED, TABLES, f"{table}.json", leading=True)
    assert re.fullmatch(r"(?:[\w][\w.%-]*/)?[\w][\w.%-]*", name), name
    assert max(len(part.encode()) for part in name.split("/")) < 255


def test_names_that_would_be_alike_are_told_apart() -> None:
    used: set[str] = set()
    for _ in range(3):
        used.add(unlike("tables/a_b_backup_20240101_120000.json.gz", used))
    assert sorted(used) == [
        "tables/a_b_backup_20240101_120000-2.json.gz",
        "tables/a_b_backup_20240101_120000-3.json.gz",
        "tables/a_b_backup_20240101_120000.json.gz",
    ]


@pytest.mark.parametrize(
    ("layout", "what", "asked", "compressed"),
    [
        ("typed", SQLITE, None, False),
        ("typed", SQLITE, True, True),
        ("typed", DUMP, None, False),
        ("typed", SQL, None, True),
        ("typed", SQL, False, False),
        ("typed", TREE, False, True),
        ("typed", TABLES, None, True),
        ("flat", SQLITE, None, True),
        ("flat", SQLITE, False, False),
        ("directory", TABLES, None, False),
        ("directory", TABLES, True, True),
        ("directory", SQLITE, None, False),
    ],
)
def test_what_is_compressed(layout: str, what: Component, asked: bool | None, compressed: bool) -> None:
    assert LAYOUTS[layout].compresses(what, asked) is compressed


def test_the_form_that_is_kept() -> None:
    forms = (Form.NATIVE, Form.SQL, Form.CHANGES)
    assert {name: layout.form_for(forms, Role.DATABASE) for name, layout in LAYOUTS.items()} == {
        "typed": Form.NATIVE,
        "flat": Form.NATIVE,
        "bundle": Form.SQL,
        "directory": Form.NATIVE,
    }
