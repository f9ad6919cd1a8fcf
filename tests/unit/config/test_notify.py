"""`[notify]`, and the two variables by which scripts of old are told."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from holdfast.app.notifying import channels, limits
from holdfast.config.load import load_config
from holdfast.config.model import Config
from holdfast.config.notify import DEFAULT_ON

BASE = """
app = { name = "shop" }
sources.files = { kind = "files", paths = ["."] }
targets.local = { kind = "archive", url = "b" }
"""
TOKEN = "123456:canary-token"
PAIR = {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_CHAT_ID": "-10042"}


def _load(tmp_path: Path, text: str = "", environ: dict[str, str] | None = None, dotenv: str = "") -> Config:
    (tmp_path / "holdfast.toml").write_text(BASE + text, encoding="utf-8")
    if dotenv:
        (tmp_path / ".env").write_text(dotenv, encoding="utf-8")
    os.chmod(tmp_path, 0o700)
    return load_config(None, None, environ or {}, tmp_path)


def test_two_variables_are_enough(tmp_path: Path) -> None:
    config = _load(tmp_path, environ=PAIR)
    assert [channel.name for channel in channels(config)] == ["1:tgram"]
    assert config.notify.on == ("success", "warning", *DEFAULT_ON)


def test_variables_in_dotenv_are_enough(tmp_path: Path) -> None:
    config = _load(tmp_path, dotenv=f"TELEGRAM_BOT_TOKEN={TOKEN}\nTELEGRAM_CHAT_ID=42\n")
    assert config.notify.urls == (f"tgram://{TOKEN}/42",)


@pytest.mark.parametrize("missing", ["TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_ID"])
def test_one_variable_alone_is_nothing(tmp_path: Path, missing: str) -> None:
    assert _load(tmp_path, environ={**PAIR, missing: " "}).notify.urls == ()


def test_chat_that_a_url_names_already_is_told_once(tmp_path: Path) -> None:
    text = '[notify]\nurls = ["tgram://${TELEGRAM_BOT_TOKEN}/${TELEGRAM_CHAT_ID}"]\n'
    config = _load(tmp_path, text, PAIR)
    assert len(config.notify.urls) == 1
    assert config.notify.on == DEFAULT_ON


def test_what_is_written_about_occasions_counts(tmp_path: Path) -> None:
    config = _load(tmp_path, '[notify]\non = ["damage"]\n', PAIR)
    assert (config.notify.on, len(config.notify.urls)) == (("damage",), 1)


def test_interface_of_the_bots_may_be_elsewhere(tmp_path: Path) -> None:
    given = {**PAIR, "TELEGRAM_API_URL": "https://bots.example.org"}
    assert _load(tmp_path, environ=given).notify.telegram_api == "https://bots.example.org"
    text = '[notify]\ntelegram_api = "https://mine.example.org"\n'
    assert _load(tmp_path, text, given).notify.telegram_api == "https://mine.example.org"


def test_channels_are_numbered_and_the_check_is_last(tmp_path: Path) -> None:
    urls = ["mailto://u:p@example.org", "https://example.org/x", "ntfy://example.org/t", "tgram://1:a/2?silent=yes"]
    text = f'[notify]\nurls = {json.dumps(urls)}\nhealthchecks = "https://hc-ping.com/5d0e6a3e-0000-4000-8000-000000000000"\n'
    found = channels(_load(tmp_path, text))
    assert [channel.name for channel in found] == ["1:mailto", "2:https", "3:ntfy", "4:tgram", "5:healthchecks"]
    assert [channel.is_ping for channel in found] == [False] * 4 + [True]


@pytest.mark.parametrize(("text", "size"), [("20GiB", 20 << 30), ("512", 512), ("1TiB", 1 << 40), ("7MiB", 7 << 20)])
def test_low_space_is_a_size(tmp_path: Path, text: str, size: int) -> None:
    assert limits(_load(tmp_path, f'[notify]\nlow_space = "{text}"\n')).low_space_bytes == size
