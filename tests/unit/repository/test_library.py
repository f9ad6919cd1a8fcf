"""A repository as a library: the guide's own code, and what a program may rely on."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast import repository
from holdfast.backends.local import LocalBackend
from holdfast.errors import DamageError, PathNotFound, RepositoryNotFound, SnapshotNotFound, WrongPassword
from holdfast.repository.index import Index
from holdfast.repository.library import OpenRepository
from holdfast.repository.opening import open_repository
from holdfast.repository.repository import Repository
from holdfast.runtime.secret import Secret
from repository_kit import new_repository
from snapshot_kit import Tree, store_snapshot

PASSWORD = "correct horse battery staple"
BIG = random.Random(7).randbytes(102_400)
CONTENT: Tree = {"app": {"settings.json": b'{"name": "vertex"}', "media": {"big": BIG}}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "backups"
    made = new_repository(LocalBackend(str(path)), password=PASSWORD.encode())
    with Index(made, private=True) as index:
        store_snapshot(made, index, {"old": b"old"}, time_ns=1)
        store_snapshot(made, index, CONTENT, time_ns=2, tags=("nightly",), pack_bytes=1 << 20)
    made.close()
    return path


@pytest.fixture
def opened(folder: Path) -> Iterator[OpenRepository]:
    with repository.open(str(folder), PASSWORD) as library:
        yield library


def test_every_block_of_the_guide_runs(folder: Path, checkout: Path) -> None:
    guide = (checkout / "docs" / "guides" / "library.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    assert len(blocks) >= 3
    program = "\n".join(blocks).replace('"/srv/backups"', repr(str(folder)))
    assert str(folder) in program
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "nightly" in done.stdout
    assert '{"name": "vertex"}' in done.stdout
    assert re.search(r"^ +18 /app/settings.json$", done.stdout, re.MULTILINE)


def test_snapshots_come_newest_first_and_by_name(opened: OpenRepository) -> None:
    newest, oldest = opened.snapshots()
    assert (newest.time.ns, oldest.time.ns) == (2, 1)
    assert opened.snapshot() == opened.snapshot("latest") == newest
    assert oldest.id is not None
    assert opened.snapshot("latest~1") == opened.snapshot(oldest.id.hex()[:8]) == oldest
    with pytest.raises(SnapshotNotFound):
        opened.snapshot("0" * 64)
    assert len(opened.id) == 64
    assert opened.url.endswith("backups")


def test_folders(opened: OpenRepository) -> None:
    latest = opened.snapshot()
    everything = [item.path for item in opened.entries(latest)]
    assert everything == ["/app", "/app/media", "/app/media/big", "/app/settings.json"]
    assert [item.path for item in opened.entries(latest, "app/", recursive=False)] == [
        "/app/media",
        "/app/settings.json",
    ]
    assert opened.node(latest, "/app/media/big").size == len(BIG)
    for wrong in ("/nothing", "/app/settings.json/x"):
        with pytest.raises(PathNotFound):
            opened.node(latest, wrong)
    with pytest.raises(PathNotFound):
        list(opened.entries(latest, "/app/settings.json"))
    with pytest.raises(PathNotFound):
        opened.node(latest, "/")


def test_files_are_streams(opened: OpenRepository) -> None:
    latest = opened.snapshot()
    with opened.open_file(latest, "/app/media/big") as stream:
        assert stream.read(5) == BIG[:5]
        assert stream.read(3) == BIG[5:8]
        assert len(stream.read()) == len(BIG) - 8
        assert stream.read() == b""
        assert not stream.seekable()
    with opened.open_file(latest, "/app/media/big") as stream:
        assert stream.read(1)
    for wrong in ("/app", "/nothing", "/"):
        with pytest.raises(PathNotFound):
            opened.open_file(latest, wrong)


def test_damage_ends_a_stream_with_an_error(folder: Path, opened: OpenRepository) -> None:
    path = max((one for one in (folder / "data").rglob("*") if one.is_file()), key=lambda one: one.stat().st_size)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)
    with opened.open_file(opened.snapshot(), "/app/media/big") as stream, pytest.raises(DamageError):
        stream.read()


def test_what_others_store_meanwhile_is_seen(folder: Path, opened: OpenRepository) -> None:
    other: Repository = open_repository(LocalBackend(str(folder)), PASSWORD.encode())
    with Index(other, private=True) as index:
        index.sync()
        store_snapshot(other, index, {"new": b"brand new"}, time_ns=3)
    other.close()
    with opened.open_file(opened.snapshot(), "/new") as stream:
        assert stream.read() == b"brand new"


@pytest.mark.parametrize("password", [PASSWORD, PASSWORD.encode(), Secret(PASSWORD.encode())])
def test_the_lock_is_held_and_given_back(folder: Path, password: str | bytes | Secret) -> None:
    with repository.open(str(folder), password, cache=False):
        assert len(os.listdir(folder / "locks")) == 1
    assert not os.listdir(folder / "locks")
    with repository.open(str(folder), password, lock=False) as unlocked:
        assert not os.listdir(folder / "locks")
        assert len(unlocked.snapshots()) == 2


def test_what_cannot_be_opened(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WrongPassword):
        repository.open(str(folder), "wrong")
    with pytest.raises(RepositoryNotFound):
        repository.open(str(tmp_path / "nothing"), PASSWORD)
    assert not os.listdir(folder / "locks")


def test_importing_the_package_costs_nothing() -> None:
    program = "import sys, holdfast.repository; print(sorted(m for m in sys.modules if m.startswith('holdfast.')))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "['holdfast.repository']"
