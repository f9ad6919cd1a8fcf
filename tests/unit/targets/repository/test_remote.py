"""Repositories on S3, SFTP and REST: made, filled, read, verified, marked and removed like those on a disk."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from holdfast.errors import BackendError, RepositoryNotFound
from holdfast.model.backup import Marks
from holdfast.model.event import ignore
from holdfast.runtime.secret import Secret
from holdfast.testing import servers
from holdfast.testing.faulty_backend import FaultyBackend, Operation
from holdfast.testing.target_content import NOON, database, directory, file, make_backup, read_back, small_tree, tree
from unit.targets.repository.target_kit import Places, faulty

KINDS = ("s3", "rest", "sftp")


@pytest.fixture(scope="module")
def running() -> Iterator[dict[str, dict[str, Any]]]:
    """How to reach each kind of storage."""
    with ExitStack() as stack:
        s3 = stack.enter_context(servers.moto_s3())
        rest = stack.enter_context(servers.rclone_rest())
        sftp = stack.enter_context(servers.sshd())
        keys = {"access_key_id": servers.S3_KEY, "secret_access_key": Secret(servers.S3_SECRET.encode())}
        yield {
            "s3": {"url": s3.url("app"), **keys},
            "rest": {"url": rest.url("app/")},
            "sftp": {"url": sftp.url("app"), "options": sftp.options},
        }


@pytest.mark.parametrize("kind", KINDS)
def test_the_life_of_backups(tmp_path: Path, rng: random.Random, running: dict[str, dict[str, Any]], kind: str) -> None:
    places = Places(tmp_path)
    with pytest.raises(RepositoryNotFound):
        places.target(**running[kind], no_init=True).prepare()
    target = places.target(**running[kind])
    target.prepare()
    assert target.free_bytes() is None
    many = tree([directory(b"d"), *[file(b"d/%03d" % n, rng.randbytes(300)) for n in range(200)]])
    made = [database(rng.randbytes(1_500_000)), many]
    first = make_backup(target, made)
    second = make_backup(target, [*made[:1], small_tree()], moment=NOON + timedelta(hours=1))
    target.mark(first, Marks(hold_reason="keep", held_at=NOON))
    target.close()
    again = places.target(**running[kind])
    assert [one.backup_id for one in again.backups()] == [second.backup_id, first.backup_id]
    assert again.backups()[1].marks.held
    for one in made:
        back = read_back(again.content(first, one.component.name))
        assert [each.content for each in back] == [item.content for item in one.items]
    assert again.verify(first, ignore) == again.verify(second, ignore) == []
    again.remove([first])
    assert [one.backup_id for one in again.backups()] == [second.backup_id]
    assert again.verify(second, ignore) == []
    assert servers.S3_SECRET not in repr(again.url)
    again.close()


def test_a_thousand_small_files_cost_few_requests(
    tmp_path: Path, rng: random.Random, running: dict[str, dict[str, Any]]
) -> None:
    places = Places(tmp_path)
    storages: list[FaultyBackend] = []
    target = places.target(**running["rest"] | {"url": running["rest"]["url"] + "few/"}, opener=faulty(storages))
    target.prepare()
    many = tree([directory(b"d"), *[file(b"d/%04d" % n, rng.randbytes(300)) for n in range(1000)]])
    stored = make_backup(target, [many])
    storages[-1].calls.clear()
    assert len(read_back(target.content(stored, "storage"))) == 1002
    assert storages[-1].count(Operation.LOAD) < 30
    storages[-1].calls.clear()
    assert target.verify(stored, ignore) == []
    assert storages[-1].count(Operation.LOAD) < 30
    target.close()


def test_a_storage_that_lets_nobody_write_is_found_out_by_prepare(tmp_path: Path) -> None:
    """`prepare` makes a repository and takes a lock; here the keys are refused."""
    with servers.rclone_s3() as s3:
        places = Places(tmp_path)
        target = places.target(
            url=s3.url("app"), access_key_id="WRONG", secret_access_key=Secret(b"wrong"), name="refused"
        )
        with pytest.raises(BackendError):
            target.prepare()
        target.close()
