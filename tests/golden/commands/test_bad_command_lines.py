"""A hundred command lines that must be refused: exit status and exact message are held fixed in a golden file."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.cli.main import main

GOLDEN = Path(__file__).with_name("bad_command_lines.json")
CONFIGURATION = """
[app]
name = "shop"

[sources.database]
kind = "sqlite"
path = "shop.db"

[sources.storage]
kind = "files"
paths = ["storage"]

[targets.local]
kind = "archive"
url = "backups"
"""
GONE = "backup_2001_01_01_00_00_00"
MOMENTS = ("yesterday", "2026-13-01", "2026-02-30T10:00", "12:00", "24", "-1d", "1d1d", "now", "")
BAD_LINES = [
    "creat",
    "create extra",
    "create --type",
    "create --type everything",
    "create --type FULL",
    "create --typ full",
    "create --source",
    "create --source nothing",
    "create --source database --source nothing",
    "create --target nowhere",
    "create --target local --target nowhere",
    "create --type config",
    "create --type database --source storage",
    "create --since 2026-01-01",
    "create --since 1d --type full",
    *(f"create --type incremental --since={moment}" for moment in MOMENTS),
    "create --dry-run=yes",
    "create --no-compress=gz",
    "create --yes",
    "create --config",
    "create --config missing.toml",
    "create --config storage",
    "create --config broken.toml",
    "create --env",
    "create --env staging",
    "create --lang xx",
    "list extra",
    "list --type everything",
    "list --type all",
    "list --target nowhere",
    "list --target",
    "list --limit 3",
    "list --config missing.toml",
    "show",
    "show latest extra",
    "show nonsense",
    "show backup_2026",
    f"show {GONE}",
    "show latest",
    "show missing/file.db",
    "show latest --target nowhere",
    "stats extra",
    "stats --type everything",
    "stats --target nowhere",
    "restore",
    "restore latest",
    "restore latest extra",
    "restore latest --yes",
    "restore latest --from nowhere --yes",
    "restore latest --from",
    "restore latest --to",
    "restore latest --only",
    f"restore {GONE} --yes",
    "restore nonsense --yes",
    "restore backups/database/db_backup_20240101_120000.db --yes",
    f"restore {GONE} --at 2026-01-01 --yes",
    *(f"restore latest --yes --at={moment}" for moment in MOMENTS),
    "restore latest --verify --yes",
    "restore latest --delete",
    "restore latest --table",
    "restore latest --path",
    "verify",
    "verify latest --all",
    "verify latest",
    "verify latest extra",
    "verify nonsense",
    f"verify {GONE}",
    "verify --all --target nowhere",
    "rotate extra",
    "rotate --max-backups",
    "rotate --max-backups 0",
    "rotate --max-backups -1",
    "rotate --max-backups many",
    "rotate --max-backups 1.5",
    "rotate --type everything",
    "rotate --target nowhere",
    "cleanup",
    "cleanup 0",
    "cleanup -- -7",
    "cleanup week",
    "cleanup 7d",
    "cleanup 7 8",
    "cleanup 7 --target nowhere",
    "delete",
    "delete nonsense --yes",
    f"delete {GONE} --yes",
    f"delete {GONE}",
    "delete latest --target nowhere --yes",
    "hold",
    f"hold {GONE}",
    f"hold {GONE} --reason",
    f"hold {GONE} --reason audit",
    "hold nonsense --reason audit",
    "release",
    f"release {GONE}",
    f"release {GONE} --reason audit",
    "export",
    "export nonsense",
    f"export {GONE}",
    f"export {GONE} -o",
    "export latest --from nowhere",
    *(f"status --max-age={age}" for age in ("soon", "24", "-1h", "1y", "", "1.5h")),
    "status --source nothing",
    "status extra",
    "doctor extra",
    "doctor --fix",
    "--jsn list",
    "list --lang",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An application without backups."""
    made = tmp_path_factory.mktemp("bad") / "shop"
    (made / "storage").mkdir(parents=True)
    (made / "storage/one.txt").write_text("one")
    (made / "holdfast.toml").write_text(CONFIGURATION)
    (made / "broken.toml").write_text("[app\n")
    connection = sqlite3.connect(made / "shop.db")
    connection.execute("CREATE TABLE one (id INTEGER PRIMARY KEY)")
    connection.close()
    return made


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("COLUMNS", "200")
    yield folder
    backups = folder / "backups"
    assert not backups.exists() or not [
        name for name in os.listdir(backups) if not name.startswith(("backup.log", "."))
    ]


def test_every_bad_command_line_is_refused_with_one_sentence(
    here: Path, capfd: pytest.CaptureFixture[str], update_golden: bool
) -> None:
    found: dict[str, dict[str, object]] = {}
    for line in BAD_LINES:
        status = main([word for word in line.split(" ") if word])
        told = capfd.readouterr()
        said = told.err.replace(str(here), "…")
        assert status != 0, f"{line}: {told.out}{told.err}"
        assert "Traceback" not in said
        assert "internal-error" not in said
        assert "unexpected error" not in said, f"{line}: {said}"
        assert said.startswith("Error: "), f"{line}: {said}"
        assert said.count("\n") == 1, f"{line}: {said}"
        found[line] = {"status": status, "message": said.removeprefix("Error: ").rstrip("\n")}
    assert len(found) >= 100
    if update_golden:
        GOLDEN.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    assert found == json.loads(GOLDEN.read_text(encoding="utf-8"))
