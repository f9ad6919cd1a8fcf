"""Memory stays bounded however large the content is. Each trial is a process of its own, which tells its peak."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from unit.targets.repository.target_kit import PASSWORD, Places

LIMIT_KIB = 250 * 1024
_COMMON = """
import hashlib, random, sys
from datetime import UTC, datetime
from pathlib import Path
from msgspec.structs import replace
from holdfast.format.mode import from_permissions
from holdfast.model.backup import BackupType, Manifest
from holdfast.model.component import Component, Form, Role, Shape
from holdfast.model.event import ignore
from holdfast.model.node import Node, NodeType
from holdfast.protocols.content import Entry
from holdfast.runtime.clock import SystemClock
from holdfast.runtime.secret import Secret
from holdfast.targets.repository import RepositoryTarget
from holdfast.targets.repository_options import RepositoryOptions

base, password, amount = Path(sys.argv[1]), sys.argv[2].encode(), int(sys.argv[3])
now = datetime(2024, 1, 1, tzinfo=UTC)
options = RepositoryOptions(url="repository", password=Secret(password))
target = RepositoryTarget("offsite", options, base, "app", base / "state", SystemClock())
rng = random.Random(1)


def back_up(backup_id, shape, fill):
    component = Component(
        name="c", kind="k", role=Role.STORAGE, form=Form.NATIVE, shape=shape, file_name="c"
    )
    manifest = Manifest(
        backup_id=backup_id, app="app", type=BackupType.FULL, created_at=now, finished_at=now, components={}
    )
    target.prepare()
    writer = target.begin(manifest)
    taker = writer.component(component)
    files, size = fill(taker)
    taker.finish()
    done = replace(component, file_count=files, content_bytes=size)
    return writer.commit(replace(manifest, components={"c": done}))


def node(name, kind=NodeType.FILE, size=0, number=1):
    return Node(
        name=name, type=kind, mode=from_permissions(kind, 0o700), size=size, inode=number, ctime_ns=number, mtime_ns=5
    )


def finish(stored):
    assert target.verify(stored, ignore) == []
    for entry in target.content(stored, "c").entries():
        if entry.open is not None:
            reader = entry.open()
            while reader.read(1 << 20):
                pass
    target.close()
    # Not `ru_maxrss`, which counts the memory of whoever started this process.
    print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""
_STREAM = """
block = rng.randbytes(1 << 20)


def fill(taker):
    entry = Entry(path=b"stream", node=node(b"stream"), size_known=False)
    assert taker.wants(entry)
    taker.begin(entry)
    digest, size = hashlib.sha256(), 0
    while size < amount << 20:
        piece = size.to_bytes(8, "big") + block[: 300_000] + size.to_bytes(8, "big") + block[300_016:]
        digest.update(piece)
        taker.write(piece)
        size += len(piece)
    taker.end(digest.digest(), size)
    return 1, size


finish(back_up("backup_2024_01_01_00_00_00", Shape.FILE, fill))
"""
_FILES = """
FOLDER = 2000


def fill(taker):
    taker.begin(Entry(path=b"", node=node(b"", NodeType.DIR)))
    size = 0
    for number in range(amount):
        folder = b"d%05d" % (number // FOLDER)
        if not number % FOLDER:
            taker.begin(Entry(path=folder, node=node(folder, NodeType.DIR)))
        name = b"f%07d" % number
        content = name * 40
        entry = Entry(path=folder + b"/" + name, node=node(name, size=len(content), number=number + 1))
        wanted = taker.wants(entry)
        taker.begin(entry)
        if wanted:
            taker.write(content)
            taker.end(hashlib.sha256(content).digest(), len(content))
        size += len(content)
    return amount, size


back_up("backup_2024_01_01_00_00_00", Shape.TREE, fill)
finish(back_up("backup_2024_01_01_00_00_01", Shape.TREE, fill))
"""


def peak_kib(places: Places, program: str, amount: int) -> int:
    command = [sys.executable, "-c", _COMMON + program, str(places.base), PASSWORD, str(amount)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1800)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.parametrize(("program", "amount"), [(_STREAM, 64), (_FILES, 6000)], ids=["stream", "files"])
def test_some(places: Places, program: str, amount: int) -> None:
    assert peak_kib(places, program, amount) < LIMIT_KIB


@pytest.mark.deep
@pytest.mark.parametrize(("program", "amount"), [(_STREAM, 2048), (_FILES, 200_000)], ids=["stream", "files"])
def test_very_much(places: Places, program: str, amount: int, tmp_path: Path) -> None:
    assert tmp_path == places.base
    assert peak_kib(places, program, amount) < LIMIT_KIB
