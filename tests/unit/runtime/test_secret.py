"""Passwords are read byte for byte by restic's rules and never shown."""

from __future__ import annotations

import codecs
import pickle
from pathlib import Path

import pytest

from holdfast.errors import PasswordUnavailable
from holdfast.runtime import secret
from holdfast.runtime.secret import Secret


def written(tmp_path: Path, content: bytes) -> str:
    path = tmp_path / "password"
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (b"abc", b"abc"),
        (b"  abc\n", b"abc"),
        (b"a b\r\n\n", b"a b"),
        ("\u00a0\u3000geheim\u2003\u0085".encode(), b"geheim"),
        (b"abc\x1c", b"abc\x1c"),
        (b"abc\xff\n", b"abc\xff"),
        (b"abc\x85", b"abc\x85"),
        (b"", b""),
        (codecs.BOM_UTF8 + b"abc\n", b"abc"),
        (codecs.BOM_UTF16_LE + "çay\n".encode("utf-16-le"), "çay".encode()),
        (codecs.BOM_UTF16_BE + "çay\n".encode("utf-16-be"), "çay".encode()),
    ],
)
def test_file_loses_white_space_at_both_ends_only(tmp_path: Path, content: bytes, password: bytes) -> None:
    assert secret.from_file(written(tmp_path, content)).reveal() == password


@pytest.mark.parametrize("content", [b"x" * ((1 << 20) + 1), codecs.BOM_UTF16_LE + b"\x00\xd8\x41"])
def test_unusable_file_is_one_error(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(PasswordUnavailable):
        secret.from_file(written(tmp_path, content))


def test_missing_file_names_itself(tmp_path: Path) -> None:
    with pytest.raises(PasswordUnavailable, match="No such file"):
        secret.from_file(str(tmp_path / "missing"))


def test_command_is_split_without_a_shell() -> None:
    assert secret.from_command("printf '%s\\n' ' a $HOME b '").reveal() == b"a $HOME b"


@pytest.mark.parametrize("command", ["", "'", "false", "/no/such/program"])
def test_command_that_fails_is_one_error(command: str) -> None:
    with pytest.raises(PasswordUnavailable):
        secret.from_command(command)


def test_environment_is_raw() -> None:
    assert secret.from_environment("P", {b"P": b" a\n"}) == Secret(b" a\n")
    assert secret.from_environment("P", {b"P": b""}) == Secret(b"")
    assert secret.from_environment("P", {}) is None


def test_secret_hides_itself() -> None:
    hidden = Secret(b"hunter2")
    assert "hunter2" not in f"{hidden} {hidden!r} {[hidden]}"
    with pytest.raises(TypeError):
        pickle.dumps(hidden)
