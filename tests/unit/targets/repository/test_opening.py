"""Finding, making and opening the repository behind a target."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from holdfast.backends.local import LocalBackend
from holdfast.errors import (
    BackendReadOnly,
    DamageError,
    EmptyPassword,
    PasswordMissing,
    RepositoryLocked,
    RepositoryNotFound,
    UsageError,
    WrongPassword,
)
from holdfast.repository.locks import acquire
from holdfast.repository.opening import open_repository
from holdfast.runtime.secret import Secret
from holdfast.targets.registry import TARGETS
from holdfast.targets.repository import RepositoryTarget
from holdfast.targets.repository_options import RepositoryOptions
from holdfast.targets.repository_settings import max_unused
from holdfast.testing.target_content import database, make_backup
from unit.targets.repository.target_kit import PASSWORD, Places


def test_the_registry_knows_it() -> None:
    assert TARGETS.target_class("repository") is RepositoryTarget
    assert TARGETS.options_class("repository") is RepositoryOptions


def test_prepare_makes_a_repository_where_there_is_none(tmp_path: Path) -> None:
    places = Places(tmp_path)
    target = places.target()
    with pytest.raises(RepositoryNotFound):
        target.backups()
    target.prepare()
    make_backup(target, [database(b"1")])
    target.close()
    assert len(places.target().backups()) == 1
    assert (places.repository / "config").is_file()


@pytest.mark.parametrize("options", [{"no_init": True}, {"read_only": True}])
def test_prepare_makes_none_where_it_must_not(tmp_path: Path, options: dict[str, Any]) -> None:
    places = Places(tmp_path)
    with pytest.raises(RepositoryNotFound) as caught:
        places.target(**options).prepare()
    assert caught.value.exit_code == 10
    assert not places.repository.exists()


def test_a_repository_that_was_there_is_not_made_again(places: Places) -> None:
    """A disk that is not mounted must not become an empty repository that looks like the first backup."""
    target = places.target()
    target.prepare()
    target.close()
    shutil.move(places.repository, places.base / "unmounted")
    with pytest.raises(RepositoryNotFound):
        places.target().prepare()
    assert not places.repository.exists()


def test_a_wrong_password(places: Places) -> None:
    for call in (RepositoryTarget.prepare, RepositoryTarget.backups):
        with pytest.raises(WrongPassword) as caught:
            call(places.target(password=Secret(b"wrong")))
        assert caught.value.exit_code == 12


def test_no_password_and_an_empty_one(places: Places) -> None:
    with pytest.raises(PasswordMissing):
        places.target(password=None).prepare()
    with pytest.raises(EmptyPassword):
        places.target(password=Secret(b"")).prepare()
    open_to_all = places.target(url="elsewhere", password=None, insecure_no_password=True)
    open_to_all.prepare()
    open_to_all.close()


def test_a_relative_path_is_relative_to_the_configuration(places: Places) -> None:
    assert places.target().url == str(places.repository)
    assert places.target(url="local:repository").url == str(places.repository)
    assert places.target(url=str(places.base / "x")).url == str(places.base / "x")
    assert places.target(url="sftp://me:secret@host//srv").url == "sftp://me:***@host//srv"


def test_free_space_is_that_of_the_disk_even_before_there_is_a_folder(tmp_path: Path) -> None:
    target = Places(tmp_path).target(url="not/yet/there")
    assert (target.free_bytes() or 0) > 0
    assert Places(tmp_path).target(url="s3://bucket/prefix").free_bytes() is None


def test_read_only_reads_and_writes_nothing(places: Places) -> None:
    target = places.target()
    target.prepare()
    stored = make_backup(target, [database(b"content")])
    target.close()
    before = sorted(path for path in places.repository.rglob("*") if path.is_file())
    reading = places.target(read_only=True)
    (entry,) = reading.content(reading.backups()[0], "database").entries()
    assert entry.open is not None
    assert entry.open().read() == b"content"
    for call in (reading.prepare, lambda: reading.remove([stored])):
        with pytest.raises(BackendReadOnly):
            call()
    reading.close()
    assert sorted(path for path in places.repository.rglob("*") if path.is_file()) == before


def test_a_repository_that_somebody_works_on_alone(places: Places) -> None:
    repository = open_repository(LocalBackend(str(places.repository)), PASSWORD.encode())
    with acquire(repository, True), pytest.raises(RepositoryLocked) as caught:
        places.target(retry_lock=0.0).prepare()
    assert caught.value.exit_code == 11
    repository.close()


def test_the_lock_is_there_from_prepare_to_the_end(places: Places) -> None:
    target = places.target()
    target.prepare()
    assert list((places.repository / "locks").iterdir())
    make_backup(target, [database(b"1")])
    assert not list((places.repository / "locks").iterdir())
    target.prepare()
    target.close()
    assert not list((places.repository / "locks").iterdir())


def test_a_damaged_index_is_no_empty_repository(places: Places) -> None:
    target = places.target(cache=False)
    target.prepare()
    make_backup(target, [database(b"1")])
    target.close()
    (index,) = (places.repository / "index").iterdir()
    index.chmod(0o600)
    index.write_bytes(b"x" + index.read_bytes()[1:])
    with pytest.raises(DamageError):
        places.target(cache=False).backups()


@pytest.mark.parametrize("text", ["", "5", "110%", "-3%", "much", "5 %%"])
def test_limits_of_what_may_stay_unused(text: str) -> None:
    assert max_unused("5%").percent == 5
    assert max_unused("1.5G").size_bytes == 3 << 29
    assert max_unused("unlimited").percent == 100
    if text == "5":
        assert max_unused(text).size_bytes == 5
    else:
        with pytest.raises(UsageError):
            max_unused(text)
