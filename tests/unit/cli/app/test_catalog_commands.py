"""`holdfast token`, `holdfast audit` and `holdfast catalog` on a real application."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from unit.cli.conftest import Finished, Run

CONFIG = """
[app]
name = "shop"

[sources.db]
kind = "sqlite"
path = "app.db"

[targets.local]
kind = "archive"
url = "backups"
"""


class Shop:
    """An application, and the program run on it."""

    def __init__(self, folder: Path, run: Run) -> None:
        self.folder = folder
        self.catalog = folder / ".holdfast" / "catalog.db"
        self._run = run
        (folder / "holdfast.toml").write_text(CONFIG)
        with sqlite3.connect(folder / "app.db") as database:
            database.execute("CREATE TABLE orders (id INTEGER)")
        database.close()

    def run(self, *arguments: str, status: int = 0) -> Finished:
        done = self._run(*arguments, "--config", str(self.folder / "holdfast.toml"))
        assert done.status == status, done
        return done

    def json(self, *arguments: str, status: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", status=status).out)


@pytest.fixture
def shop(tmp_path: Path, run: Run) -> Shop:
    return Shop(tmp_path, run)


def test_create_prints_the_token_alone(shop: Shop) -> None:
    done = shop.run("token", "create", "--scope", "backup", "--name", "panel", "--expires", "90d")
    assert re.fullmatch(r"hf_[0-9a-f]{12}_[A-Za-z0-9_-]{43}\n", done.out)
    assert done.err == ""
    (token,) = shop.json("token", "list")["tokens"]
    assert (token["id"], token["name"], token["scopes"], token["valid"]) == (done.out[3:15], "panel", ["backup"], True)
    secret = done.out.strip()
    shown = shop.run("token", "list").out + shop.run("audit", "show").out + json.dumps(shop.json("audit", "show"))
    assert secret[16:] not in shown
    assert secret[16:].encode() not in shop.catalog.read_bytes()


@pytest.mark.parametrize("expires", ["0s", "soon", "99999999999999d", "-1d"])
def test_a_token_that_would_never_be_good_is_not_made(shop: Shop, expires: str) -> None:
    shop.run("token", "create", "--scope", "read", "--expires", expires, status=2)
    assert shop.json("token", "list")["tokens"] == []


def test_a_scope_is_needed_and_has_to_be_one(shop: Shop) -> None:
    shop.run("token", "create", status=2)
    shop.run("token", "create", "--scope", "root", status=2)


def test_revoke_takes_an_id_or_a_token_that_was_found(shop: Shop) -> None:
    first, second = (shop.run("token", "create", "--scope", "admin").out.strip() for _token in range(2))
    assert shop.json("token", "revoke", first[3:15]) == {"id": first[3:15], "revoked": True, "changed": True}
    assert shop.json("token", "revoke", second)["changed"] is True
    assert shop.json("token", "revoke", second)["changed"] is False
    assert [token["valid"] for token in shop.json("token", "list")["tokens"]] == [False, False]
    refused = shop.run("token", "revoke", "0" * 12, status=2)
    assert "there is no token named 000000000000" in refused.err


def test_audit_tells_what_was_done_and_by_whom(shop: Shop) -> None:
    token = shop.run("token", "create", "--scope", "read").out[3:15]
    shop.run("token", "revoke", token)
    entries = shop.json("audit", "show")["entries"]
    assert [(entry["number"], entry["action"], entry["subject"]) for entry in entries] == [
        (2, "token.revoke", token),
        (1, "token.create", token),
    ]
    assert all(entry["actor"].startswith("user:") for entry in entries)
    assert len(shop.json("audit", "show", "--limit", "1")["entries"]) == 1


def test_audit_verify_prints_the_head_and_finds_a_forgery(shop: Shop) -> None:
    shop.run("token", "create", "--scope", "admin")
    shop.run("token", "create", "--scope", "read")
    head = shop.run("audit", "verify", "--quiet").out.strip()
    assert re.fullmatch(r"[0-9a-f]{64}", head)
    shop.run("audit", "verify", "--head", head)
    assert "64 digits" in shop.run("audit", "verify", "--head", head[1:], status=2).err
    shop.run("audit", "verify", "--head", "0" * 63 + "1", status=4)
    with sqlite3.connect(shop.catalog) as database:
        database.execute("DROP TRIGGER holdfast_audit_same")
        database.execute("""UPDATE holdfast_audit SET detail = '{"name":"","scopes":"read"}' WHERE number = 1""")
    database.close()
    forged = shop.run("audit", "verify", status=4)
    assert "an entry was changed or added at entry 1" in forged.err
    assert forged.out == ""


def test_rebuild_after_the_catalog_was_deleted(shop: Shop) -> None:
    shop.run("create")
    first = shop.json("catalog", "rebuild")
    assert (first["copies"], first["put_aside"]) == (1, None)
    for file in shop.catalog.parent.glob("catalog.db*"):
        file.unlink()
    again = shop.json("catalog", "rebuild")
    assert (again["copies"], again["runs"], again["put_aside"]) == (1, 1, None)
    assert shop.json("catalog", "rebuild")["runs"] == 0
    assert [entry["action"] for entry in shop.json("audit", "show")["entries"]] == ["catalog.rebuild"] * 2


@pytest.mark.parametrize("keep", [0, 100, 8192])
def test_a_damaged_catalog_is_put_aside_and_made_again(shop: Shop, keep: int) -> None:
    """Damage from the first byte on, within the first page, and behind it."""
    shop.run("create")
    shop.run("catalog", "rebuild")
    content = shop.catalog.read_bytes()
    damaged = content[:keep] + b"\xa5" * (len(content) - keep)
    shop.catalog.write_bytes(damaged)
    if keep < 4096:
        refused = shop.run("token", "list", status=4)
        assert "holdfast catalog rebuild" in refused.err
    made = shop.json("catalog", "rebuild")
    assert (made["copies"], made["runs"]) == (1, 1)
    assert Path(made["put_aside"]).read_bytes() == damaged
    assert shop.json("token", "list")["tokens"] == []
    assert shop.json("audit", "verify")["whole"] is True


@pytest.mark.parametrize("command", [("token", "list"), ("audit", "verify"), ("catalog", "rebuild")])
def test_missing_libraries_are_named(shop: Shop, command: tuple[str, ...]) -> None:
    """The catalog needs the extra `server`; somebody who backs up by hand has no use for it."""
    without = "import sys; sys.modules['sqlalchemy'] = None; from holdfast.cli.main import main; sys.exit(main())"
    arguments = [sys.executable, "-c", without, *command, "--json", "--config", str(shop.folder / "holdfast.toml")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    error = json.loads(done.stderr)
    assert error["code"] == "extra-missing"
    assert "holdfast[server]" in error["hint"]


def test_a_catalog_elsewhere(shop: Shop) -> None:
    """Relative to the configuration, whatever folder the command is run in."""
    with (shop.folder / "holdfast.toml").open("a") as config:
        config.write('[server]\ncatalog = "sqlite:///private/other.db"\n')
    shop.run("token", "create", "--scope", "read")
    assert (shop.folder / "private" / "other.db").exists()
    assert not shop.catalog.exists()
    assert "private" not in shop.run("config", "show").out, "a URL of a catalog may hold a password"
