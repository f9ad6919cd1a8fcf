"""Secrets come from variables, files and commands, and are never shown."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from holdfast.config.show import shown
from holdfast.config.toml_text import sections_text
from holdfast.runtime.secret import Secret
from unit.config.conftest import APP, SOURCE, Read, said
from unit.config.fake_kinds import ShelfOptions

SECRET = "hunter2"


def with_key(line: str) -> str:
    return APP + SOURCE + f'[targets.shelf]\nkind = "shelf"\nurl = "s"\n{line}\n'


def key_of(read: Read, line: str, **named: str) -> Secret:
    reading = read(with_key(line), **named)
    assert reading.config is not None, said(reading)
    options = reading.config.targets["shelf"].options
    assert isinstance(options, ShelfOptions)
    return options.key


def test_from_a_variable(read: Read) -> None:
    reading = read(with_key('key = "${PASS}"'), variables={"PASS": SECRET})
    assert reading.warnings == ()
    assert key_of(read, 'key = "${PASS}"', variables={"PASS": SECRET}) == Secret(SECRET.encode())  # type: ignore[arg-type]


def test_from_a_file_beside_the_configuration(read: Read, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    (tmp_path / "secret").chmod(0o600)
    assert key_of(read, 'key_file = "secret"') == Secret(SECRET.encode())
    assert read(with_key('key_file = "secret"')).warnings == ()
    (tmp_path / "secret").chmod(0o644)
    assert [str(one.reason) for one in read(with_key('key_file = "secret"')).warnings] == [
        "others may read secret: take that away with chmod 600"
    ]


@pytest.mark.parametrize("form", ["'{program} -c \"print(42)\"'", "['{program}', '-c', 'print(42)']"])
def test_from_a_command(read: Read, form: str) -> None:
    assert key_of(read, f"key_command = {form.format(program=sys.executable)}") == Secret(b"42")


def test_in_clear_is_accepted_with_a_warning(read: Read) -> None:
    reading = read(with_key(f'key = "{SECRET}"'))
    assert reading.config is not None
    assert [(one.line, one.key) for one in reading.warnings] == [(8, "targets.shelf.key")]
    assert SECRET not in str(reading.warnings[0])


def test_password_in_a_location_is_a_secret_in_clear(read: Read) -> None:
    text = APP + SOURCE + f'url = "mysql://u:{SECRET}@h/d"\n'
    text += f'[targets.shelf]\nkind = "shelf"\nurl = "sftp://u:{SECRET}@h/d"\nkey = "${{KEY}}"\n'
    reading = read(text)
    assert [one.key for one in reading.warnings] == ["sources.box.url", "targets.shelf.url"]
    harmless = APP + SOURCE + 'url = "mysql://u@h/d"\n' + with_key('key = "${KEY}"')[len(APP + SOURCE) :]
    assert read(harmless).warnings == ()


def test_default_that_is_empty_means_no_secret(read: Read) -> None:
    text = APP + SOURCE + 'password = "${NOBODY:-}"\n' + with_key('key = "${KEY}"')[len(APP + SOURCE) :]
    reading = read(text)
    assert reading.config is not None
    assert reading.config.sources["box"].options.password is None  # type: ignore[attr-defined]


def test_environment_may_give_it_another_way(read: Read, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    text = with_key('key_file = "nowhere"') + '[environments.live.targets.shelf]\nkey = "${PASS}"\n'
    reading = read(text, "live", variables={"PASS": SECRET})
    assert said(reading) == []


def test_nothing_is_fetched_to_be_shown(read: Read, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    reading = read(with_key(f'key_command = ["touch", "{touched}"]'), fetch_secrets=False)
    assert reading.config is not None
    assert not touched.exists()
    assert read(with_key('key_file = "nowhere"'), fetch_secrets=False).config is not None


def test_shown_without_any_secret(read: Read) -> None:
    text = APP + SOURCE + (
        'url = "mysql://u:${DB_PASSWORD}@h/d"\npath = "/srv/${API_TOKEN}/${HOME_NAME}"\n'
        'names = ["${HOME_NAME}", "${API_TOKEN}"]\n'
        f'extra = {{ api_token = "{SECRET}", colour = "blue" }}\ninner = {{ depth = 1, token = "{SECRET}" }}\n'
        f'[targets.shelf]\nkind = "shelf"\nurl = "sftp://u:{SECRET}@h/d"\nkey_command = "pass {SECRET}"\n'
        'keep = { last = 3 }\n'
        f'[notify]\nurls = ["tgram://{SECRET}/1", "mailto:${{API_TOKEN}}"]\n'
    )  # fmt: skip
    variables = {"DB_PASSWORD": SECRET, "API_TOKEN": SECRET, "HOME_NAME": "reza"}
    reading = read(text, variables=variables, fetch_secrets=False)
    assert reading.config is not None, said(reading)
    sections = shown(reading.config, reading.effective)
    for form in (json.dumps(sections), sections_text(sections), repr(reading.config)):
        assert SECRET not in form or form.startswith("Config(")
    assert "Secret(…)" in repr(reading.config)
    box = sections["sources"]["box"]  # type: ignore[index]
    assert box["url"] == "(hidden)"
    assert box["path"] == "/srv/${API_TOKEN}/${HOME_NAME}"
    assert box["names"] == ["reza", "${API_TOKEN}"]
    assert box["extra"] == {"api_token": "(hidden)", "colour": "blue"}
    shelf = sections["targets"]["shelf"]  # type: ignore[index]
    assert shelf["key_command"] == "pass (hidden)"
    assert shelf["url"] == "sftp://u:(hidden)@h/d"
    assert sections["notify"]["urls"] == ["tgram://(hidden)", "mailto:(hidden)"]  # type: ignore[index]
