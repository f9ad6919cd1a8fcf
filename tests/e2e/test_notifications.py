"""A backup on the command line, and the people who hear of it: real receivers, hostile ones, and secrets."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from e2e.app_home import AppHome
from holdfast.testing.receivers import canary, hang_up, http_receiver, smtp_receiver, status, tarpit

CANARY = "c4n4ry-s3cr3t"
UUID = "5d0e6a3e-1111-4222-8333-444455556666"
CONFIGURATION = """
app = {{ name = "shop" }}
sources.files = {{ kind = "files", paths = ["data"] }}
targets.local = {{ kind = "archive", url = "backups" }}
notify = {{ urls = {urls}, on = ["success", "failure"], allow = ["127.0.0.1"], healthchecks = "{check}" }}
"""


def _home(folder: Path, *urls: str, check: str = "", variables: Mapping[str, str] | None = None) -> AppHome:
    (folder / "data").mkdir()
    (folder / "data/a.txt").write_text("a")
    text = CONFIGURATION.format(urls=json.dumps(urls), check=check)
    (folder / "holdfast.toml").write_text(text.replace(', healthchecks = ""', ""))
    return AppHome(folder, {"HOLDFAST_LANG": "en", **(variables or {})})


def _deliveries(home: AppHome) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = home.run("notify", "list", "--json").json()["deliveries"]
    return found


def test_everybody_hears_of_a_backup_and_of_a_failure(tmp_path: Path) -> None:
    with (
        http_receiver() as web,
        http_receiver() as telegram,
        http_receiver() as check,
        smtp_receiver() as (port, letters),
    ):
        home = _home(
            tmp_path,
            f"json://127.0.0.1:{web.port}/hook",
            f"mailto://127.0.0.1:{port}/?from=a@example.org&to=b@example.org",
            check=f"hc+http://127.0.0.1:{check.port}/ping/{UUID}",
            variables={
                "TELEGRAM_BOT_TOKEN": "12345:token", "TELEGRAM_CHAT_ID": "42", "TELEGRAM_API_URL": telegram.base,
            },
        )  # fmt: skip
        backup = home.create()
        (tmp_path / "data/a.txt").unlink()
        (tmp_path / "data").rmdir()
        home.run("create", status=1)
    titles = [json.loads(request.body)["title"] for request in web.requests]
    assert titles == ["shop: backup made", "shop: the backup failed"]
    assert backup in json.loads(web.requests[0].body)["message"]
    assert "is not there" in json.loads(web.requests[1].body)["message"]
    texts = [parse_qs(request.body.decode())["text"][0] for request in telegram.requests]
    assert [text.splitlines()[0] for text in texts] == titles
    assert [b"Subject: shop: " in letter.content for letter in letters] == [True, True]
    paths = [request.path.partition("?")[0].removeprefix(f"/ping/{UUID}") for request in check.requests]
    assert paths == ["/start", "", "/start", "/fail"]
    runs = [request.path.partition("rid=")[2] for request in check.requests]
    assert (runs[0], runs[2]) == (runs[1], runs[3])
    assert runs[0] != runs[2]
    assert check.requests[1].body == b""
    assert b"is not there" in check.requests[3].body
    assert {one["state"] for one in _deliveries(home)} == {"delivered"}


def test_hostile_receivers_fail_alone_and_nothing_leaks(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        dead = gone.getsockname()[1]
    with canary() as bird, http_receiver() as good, http_receiver(hang_up) as killed:
        to_the_bird = status(302, {"Location": f"http://127.0.0.1:{bird.port}/"}, b"answer-" + CANARY.encode())
        with http_receiver(to_the_bird) as redirecting:
            home = _home(
                tmp_path,
                f"json://user:{CANARY}@127.0.0.1:{killed.port}/{CANARY}",
                f"json://user:{CANARY}@127.0.0.1:{dead}/{CANARY}",
                f"json://user:{CANARY}@127.0.0.1:{redirecting.port}/{CANARY}",
                f"json://user:{CANARY}@[::1]:{bird.port}/{CANARY}",
                f"nosuch://{CANARY}",
                f"json://127.0.0.1:{good.port}/",
            )
            made = home.run("create")
        shown = home.run("notify", "list", "--json")
        config = home.run("config", "show")
        assert bird.touched == 0
    states = {one["channel"]: one["state"] for one in shown.json()["deliveries"] if one["occasion"] == "success"}
    assert states == {
        "1:json": "waiting", "2:json": "waiting", "3:json": "given-up", "4:json": "given-up", "5:nosuch": "given-up",
        "6:json": "delivered",
    }  # fmt: skip
    assert len(home.ids()) == 1
    said = made.out + made.err + shown.out + shown.err + config.out
    assert CANARY not in said
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "holdfast.toml"]
    assert [path for path in kept if CANARY.encode() in path.read_bytes()] == []


@pytest.mark.deep
def test_tarpit_holds_up_nobody(tmp_path: Path) -> None:
    with http_receiver(tarpit) as slow, http_receiver() as good:
        home = _home(tmp_path, f"json://127.0.0.1:{slow.port}/", f"json://127.0.0.1:{good.port}/")
        home.create()
    assert len(good.requests) == 1
    assert {one["channel"]: one["state"] for one in _deliveries(home)} == {"1:json": "waiting", "2:json": "delivered"}
