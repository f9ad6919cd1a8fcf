"""Snapshots made by an attacker who has the key, and targets shared with one: nothing outside ever changes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.model.node import NodeType
from restore_kit import PLACEHOLDER, Forge, outside_state

EVIL_NAMES = [
    b"..",
    b".",
    b"",
    b"../x",
    b"/etc/x",
    b"a/b",
    b"x\\\\u0000y",
    b"\\\\x00",
    b"..\\\\x2f..\\\\x2fx",
    b"\\u002e.",
]


@pytest.fixture
def forge() -> Iterator[Forge]:
    forge = Forge(pack_bytes=1000)
    yield forge
    forge.close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "target").mkdir()
    return tmp_path / "target"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    (folder / "sub").mkdir(parents=True)
    (folder / "passwd").write_bytes(b"root:x:0:0")
    (folder / "sub" / "file").write_bytes(b"precious")
    os.mkfifo(folder / "fifo")
    return folder


@pytest.mark.parametrize("name", EVIL_NAMES)
@pytest.mark.parametrize("kind", [NodeType.FILE, NodeType.DIR, NodeType.SYMLINK, NodeType.FIFO])
def test_names_that_are_none_are_refused(
    forge: Forge, tmp_path: Path, target: Path, kind: NodeType, name: bytes
) -> None:
    before = outside_state(tmp_path)
    evil = {
        NodeType.FILE: forge.file(PLACEHOLDER, b"evil"),
        NodeType.DIR: forge.folder(PLACEHOLDER, forge.file(b"f", b"evil")),
        NodeType.SYMLINK: forge.link(PLACEHOLDER, b"/etc"),
        NodeType.FIFO: forge.node(PLACEHOLDER, NodeType.FIFO),
    }[kind]
    bad = forge.tree(evil, rename=[(PLACEHOLDER, name)])
    report = forge.restore([forge.node(b"bad", NodeType.DIR, subtree=bad), forge.file(b"good", b"x")], target)
    assert (report.exit_code, report.problem_count) == (4, 1)
    assert os.listdir(target / "bad") == []
    assert (target / "good").read_bytes() == b"x"
    after = outside_state(tmp_path)
    assert {path: state for path, state in after.items() if not path.startswith(str(target))} == {
        path: state for path, state in before.items() if not path.startswith(str(target))
    }


def test_a_link_and_a_file_of_one_name_do_not_meet(forge: Forge, outside: Path, target: Path) -> None:
    before = outside_state(outside)
    link = forge.link(b"sub", os.fsencode(outside / "sub"))
    for twin in (forge.folder(b"sub", forge.file(b"file", b"evil")), forge.file(b"sub", b"evil")):
        for nodes in ((link, twin), (twin, link)):
            tree = forge.tree(*nodes)
            report = forge.restore([forge.node(b"d", NodeType.DIR, subtree=tree)], target, delete=True)
            assert report.exit_code == 4
    assert outside_state(outside) == before


@pytest.mark.parametrize("entry", ["passwd", "sub", "fifo", "missing"])
@pytest.mark.parametrize("mode", ["always", "if-changed", "if-newer"])
def test_links_already_in_the_target_are_replaced_not_followed(
    forge: Forge, outside: Path, target: Path, entry: str, mode: str
) -> None:
    for name in ("dir", "empty", "fifo", "large", "link", "small"):
        (target / name).symlink_to(outside / entry)
    before = outside_state(outside)
    report = forge.restore(
        [
            forge.folder(b"dir", forge.file(b"file", b"new"), permissions=0o777),
            forge.file(b"empty"),
            forge.node(b"fifo", NodeType.FIFO, permissions=0o666),
            forge.file(b"large", b"1" * 600, b"2" * 600, permissions=0o777),
            forge.link(b"link", b"elsewhere"),
            forge.file(b"small", b"new", permissions=0o4777),
        ],
        target,
        overwrite=mode,
        delete=True,
    )
    assert outside_state(outside) == before
    if mode == "always":
        assert report.problem_count == 0
        assert (target / "large").read_bytes() == b"1" * 600 + b"2" * 600
        assert not any((target / name).is_symlink() for name in ("dir", "empty", "fifo", "large", "small"))


def test_further_names_of_outside_files_are_not_written_through(forge: Forge, outside: Path, target: Path) -> None:
    os.link(outside / "passwd", target / "small")
    os.link(outside / "passwd", target / "large")
    os.link(outside / "passwd", target / "same")
    content = (outside / "passwd").read_bytes()
    state = (outside / "passwd").stat()
    report = forge.restore(
        [
            forge.file(b"large", b"1" * 600, b"2" * 600, permissions=0o777),
            forge.file(b"same", content, permissions=0o777, uid=12345),
            forge.file(b"small", b"evil", permissions=0o777),
        ],
        target,
    )
    assert report.problem_count == 0
    after = (outside / "passwd").stat()
    assert (outside / "passwd").read_bytes() == content
    assert (after.st_mode, after.st_uid, after.st_mtime_ns, after.st_nlink) == (
        state.st_mode, state.st_uid, state.st_mtime_ns, 1,
    )  # fmt: skip


def test_a_fifo_in_the_target_does_not_block(forge: Forge, target: Path) -> None:
    for name in ("large", "small"):
        os.mkfifo(target / name)
    report = forge.restore([forge.file(b"large", b"1" * 600, b"2" * 600), forge.file(b"small", b"x")], target)
    assert report.problem_count == 0
    assert (target / "small").read_bytes() == b"x"


def test_hard_links_lead_nowhere_else(forge: Forge, outside: Path, target: Path) -> None:
    before = outside_state(outside)
    group = {"inode": 5, "device_id": 5, "links": 2}
    forge.restore(
        [
            forge.link(b"a", os.fsencode(outside / "passwd"), **group),
            forge.file(b"b", b"evil", **group),
            forge.folder(b"c", forge.file(b"d", b"evil", permissions=0o777, **group)),
        ],
        target,
    )
    assert outside_state(outside) == before


def test_values_the_system_does_not_take_are_problems(forge: Forge, target: Path) -> None:
    nodes = [
        forge.file(b"f", b"x", uid=2**32 - 1, gid=2**32 - 1),
        forge.link(b"l", b"x" * 5000),
        forge.file(b"m", b"x", xattrs=((b"no-namespace", b"x"), (b"user.large", b"x" * 70_000))),
        forge.node(b"n", NodeType.CHAR_DEVICE, device=2**64 - 1),
        forge.file(b"o", b"x"),
        forge.file(b"t" * 256, b"x"),
    ]
    report = forge.restore(nodes, target)
    assert b"t" * 256 in {problem.path for problem in report.problems}
    assert (target / "o").read_bytes() == b"x"


SWAPPER = """
import ctypes, os, random, shutil, sys, time

target, spare, goal, seed = sys.argv[1:]
rename = ctypes.CDLL(None, use_errno=True).renameat2
rng = random.Random(int(seed))
rounds = swaps = 0
print("ready", flush=True)
while os.path.exists(spare):
    rounds += 1
    name = f"d{rng.randrange(8)}"
    aside = f"{spare}/{name}"
    if not os.path.islink(aside):
        shutil.rmtree(aside, ignore_errors=True)
        try:
            os.symlink(goal, aside)
        except FileExistsError:  # a restore still held the directory open and put a file into it while it went
            continue
    here = os.fsencode(f"{target}/{name}")
    for _ in range(2):
        swaps += rename(-100, here, -100, os.fsencode(aside), 2) == 0  # AT_FDCWD, RENAME_EXCHANGE
        time.sleep(rng.random() * 0.0005)
    if rounds % 100 == 0:
        with open(spare + "-count", "w") as count:
            count.write(str(swaps))
"""
"""Somebody who keeps exchanging directories of the target for links to the outside, and back."""


def race(forge: Forge, tmp_path: Path, outside: Path, swaps: int, seed: int) -> None:
    target, spare = tmp_path / "raced", tmp_path / "spare"
    before = outside_state(outside)
    nodes = [
        forge.folder(
            b"d%d" % number,
            forge.file(b"file", b"evil", permissions=0o4777, uid=12345),
            forge.file(b"large", b"1" * 600, b"2" * 600),
            forge.link(b"link", b"x"),
            forge.file(b"new", b"%d" % number),
            permissions=0o777,
            uid=12345,
        )
        for number in range(8)
    ]
    tree = forge.tree(*nodes)
    target.mkdir()
    spare.mkdir()
    command = [sys.executable, "-c", SWAPPER, str(target), str(spare), str(outside / "sub"), str(seed)]
    swapper = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert swapper.stdout is not None
        assert swapper.stdout.readline() == b"ready\n"
        done = restores = 0
        while done < swaps:
            forge.restore(tree, target, delete=restores % 2 == 0)
            restores += 1
            assert outside_state(outside) == before, f"after {restores} restores and {done} swaps"
            assert swapper.poll() is None
            with contextlib.suppress(OSError, ValueError):
                done = int((tmp_path / "spare-count").read_text())
    finally:
        swapper.kill()
        swapper.communicate()
    assert outside_state(outside) == before


def test_swapping_directories_for_links_gains_nothing(forge: Forge, tmp_path: Path, outside: Path, seed: int) -> None:
    race(forge, tmp_path, outside, 2_000, seed)


@pytest.mark.deep
def test_swapping_directories_for_links_gains_nothing_for_long(
    forge: Forge, tmp_path: Path, outside: Path, seed: int
) -> None:
    race(forge, tmp_path, outside, 100_000, seed)
