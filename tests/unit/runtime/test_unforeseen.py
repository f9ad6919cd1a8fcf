"""A full disk is no defect of the program, wherever it is met; a defect stays one."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from holdfast.errors import BackendError, HoldfastError, InternalError, MachineFailed
from holdfast.runtime.unforeseen import named


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EMFILE, errno.EROFS, errno.ENOMEM])
def test_what_the_system_refused(number: int) -> None:
    found = named(OSError(number, os.strerror(number), "/tmp/x"))
    assert isinstance(found, MachineFailed)
    assert str(found).endswith(f"{os.strerror(number)}: /tmp/x")


@pytest.mark.parametrize("error", [FileNotFoundError(errno.ENOENT, "x"), KeyError("x"), OSError("x"), ValueError("x")])
def test_what_is_a_defect(error: Exception) -> None:
    assert isinstance(named(error), InternalError)


def test_what_sqlite_was_refused(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError) as refused:
        sqlite3.connect(tmp_path)
    assert isinstance(named(refused.value), MachineFailed)
    with pytest.raises(sqlite3.OperationalError) as wrong, sqlite3.connect(":memory:") as database:
        database.execute("nonsense")
    assert isinstance(named(wrong.value), InternalError)


def test_ours_stay_what_they_are() -> None:
    error: HoldfastError = BackendError(url="/x", object="y", reason="z")
    assert named(error) is error
