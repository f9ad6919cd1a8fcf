"""Incremental backups of trees: the changes, and a restore that is exact."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from holdfast.errors import DamageError, NoBase, SourceError
from holdfast.model.component import Form, Problem
from holdfast.policy.patterns import Excludes
from holdfast.sources.files import Files, FilesOptions
from holdfast.sources.trees.changes import compare, found_things
from holdfast.sources.trees.existing import read_existing
from holdfast.sources.trees.tops import EXISTING, tops_of
from holdfast.sources.trees.walk import Item, Limits, Walk
from holdfast.testing.dumped_content import DumpedContent, collect, dump_request, load_request
from holdfast.testing.zoo import differences, fingerprint

SETTLED_S = 0.03


def source(base: Path) -> Files:
    return Files("storage", FilesOptions(paths=("s",)), base)


def backup(base: Path, tmp_path: Path, number: int, *, form: Form = Form.CHANGES) -> DumpedContent:
    """Backup number 0 has no base; every other one builds on the one before."""
    time.sleep(SETTLED_S)
    base_state = tmp_path / f"state-{number - 1}"
    request = dump_request(
        tmp_path / "scratch", base=base_state if base_state.exists() else None, state=tmp_path / f"state-{number}"
    )
    with source(base).dump(request) as dump:
        return collect(dump, form)


def changed_files(content: DumpedContent) -> set[bytes]:
    return set(content.contents) - {EXISTING}


def test_only_what_changed_is_kept_and_deletions_count(tmp_path: Path) -> None:
    app = tmp_path / "app"
    for name in ("a", "b", "c", "dir/d", "dir/e", "gone/f"):
        path = app / "s" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (app / "s" / "link").symlink_to("a")
    full = backup(app, tmp_path, 0, form=Form.NATIVE)
    (app / "s" / "a").write_text("other")
    (app / "s" / "new").write_text("new")
    (app / "s" / "b").chmod(0o600)
    shutil.rmtree(app / "s" / "gone")
    (app / "s" / "c").unlink()
    (app / "s" / "c").mkdir()
    (app / "s" / "link").unlink()
    (app / "s" / "link").symlink_to("b")
    first = backup(app, tmp_path, 1)
    assert changed_files(first) == {b"s/a", b"s/new", b"s/b"}
    assert first.paths == sorted(first.paths, key=lambda path: path.replace(b"/", b"\0"))
    (app / "s" / "dir" / "d").unlink()
    second = backup(app, tmp_path, 2)
    assert changed_files(second) == set()
    before = fingerprint(str(app))
    shutil.rmtree(app / "s")
    source(app).load([full, first, second], load_request(tmp_path / "scratch"))
    assert differences(fingerprint(str(app)), before) == []
    source(app).load([full, first, second], load_request(tmp_path / "scratch", paths=[b"s/dir"]))
    assert sorted(os.listdir(app / "s" / "dir")) == ["e"]


def mutate(base: Path, rng: random.Random) -> None:
    """Does something to a tree."""
    folders = [path for path in base.rglob("*") if path.is_dir() and not path.is_symlink()] + [base]
    others = [path for path in base.rglob("*") if path.is_symlink() or not path.is_dir()]
    target = rng.choice(folders) / f"n{rng.randrange(30)}"
    action = rng.randrange(7)
    if action <= 1 and not os.path.lexists(target):
        target.write_bytes(rng.randbytes(rng.randrange(50)))
    elif action == 2 and not os.path.lexists(target):
        target.mkdir()
    elif action == 3 and others:
        rng.choice(others).unlink()
    elif action == 4 and others:
        rng.choice(others).rename(rng.choice(folders) / f"moved{rng.randrange(10**6)}")
    elif action == 5 and others and not os.path.lexists(target):
        os.link(rng.choice(others), target, follow_symlinks=False)
    elif folders[:-1]:
        shutil.rmtree(rng.choice(folders[:-1]))


def test_any_chain_is_exact(tmp_path: Path, rng: random.Random) -> None:
    app = tmp_path / "app"
    (app / "s").mkdir(parents=True)
    chain: list[DumpedContent] = []
    for number in range(6):
        for _ in range(15):
            mutate(app / "s", rng)
        chain.append(backup(app, tmp_path, number, form=Form.NATIVE if number == 0 else Form.CHANGES))
        before = fingerprint(str(app))
        elsewhere = tmp_path / f"to-{number}"
        source(app).load(chain, load_request(tmp_path / "scratch", str(elsewhere)))
        assert differences(fingerprint(str(elsewhere)), before) == []


def test_a_change_within_the_same_tick_of_the_clock_is_not_missed(tmp_path: Path) -> None:
    path = tmp_path / "s" / "a"
    path.parent.mkdir()
    path.write_text("one")
    state = tmp_path / "state-0"
    with source(tmp_path).dump(dump_request(tmp_path / "scratch", state=state)) as dump:
        collect(dump, Form.NATIVE)
    stamp = path.stat()
    path.write_text("two")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert changed_files(backup(tmp_path, tmp_path, 1)) == {b"s/a"}


def test_a_folder_that_cannot_be_read_is_not_taken_for_deleted(tmp_path: Path) -> None:
    (tmp_path / "s" / "dir").mkdir(parents=True)
    (tmp_path / "s" / "dir" / "a").write_text("a")
    (tmp_path / "s" / "dirt").write_text("d")
    (tmp_path / "s" / "z").write_text("z")
    backup(tmp_path, tmp_path, 0, form=Form.NATIVE)
    top = tops_of(["s"], tmp_path)
    items = list(Walk(top, Limits(Excludes()), print, lambda: None).items())
    unlisted = [Item(b"s/dir", None) if item.path == b"s/dir/a" else item for item in items]
    spool, existing = tmp_path / "spool", tmp_path / "existing"
    compare(iter(unlisted), tmp_path / "state-0", "storage", spool, existing)
    assert [path for path, _ in read_existing(existing, "storage")] == [item.path for item in items]
    assert {found.path for found in found_things(spool) if found.changed} == {b"", b"s", b"s/dir"}


def test_what_could_not_be_read_is_a_change_next_time_and_the_older_content_comes_back(tmp_path: Path) -> None:
    app = tmp_path / "app"
    (app / "s").mkdir(parents=True)
    (app / "s" / "a").write_text("first")
    full = backup(app, tmp_path, 0, form=Form.NATIVE)
    (app / "s" / "a").write_text("second")
    time.sleep(SETTLED_S)
    request = dump_request(tmp_path / "scratch", base=tmp_path / "state-0", state=tmp_path / "state-1")
    with source(app).dump(request) as dump:
        for entry in dump.entries(Form.CHANGES):
            if entry.path == b"s/a":
                (app / "s" / "a").write_text("third time")
                assert entry.open is not None
                with pytest.raises(SourceError):
                    entry.open()
                dump.problem(Problem(code="source", subject="storage: s/a"))
        component = dump.component(Form.CHANGES)
    again = backup(app, tmp_path, 2)
    assert changed_files(again) == {b"s/a"}
    spoiled = DumpedContent(
        replace(component, content_sha256=""),
        [again.entry(path) for path in again.paths],
        {**again.contents, b"s/a": b"\0" * 6},
    )
    source(app).load([full, spoiled], load_request(tmp_path / "scratch", str(tmp_path / "to")))
    assert (tmp_path / "to" / "s" / "a").read_text() == "first"


@pytest.mark.parametrize("cut", [0, 10, -5])
def test_a_state_that_is_not_whole_is_no_base(tmp_path: Path, cut: int) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "a").write_text("a")
    backup(tmp_path, tmp_path, 0, form=Form.NATIVE)
    state = tmp_path / "state-0"
    state.write_bytes(state.read_bytes()[:cut])
    with pytest.raises(NoBase):
        backup(tmp_path, tmp_path, 1)


@pytest.mark.parametrize("what", ["list", "cut", "file"])
def test_a_chain_that_is_not_whole_is_refused(tmp_path: Path, what: str) -> None:
    app = tmp_path / "app"
    (app / "s").mkdir(parents=True)
    (app / "s" / "a").write_text("a")
    full = backup(app, tmp_path, 0, form=Form.NATIVE)
    changes = backup(app, tmp_path, 1)
    if what == "cut":
        changes.contents[EXISTING] = changes.contents[EXISTING][:-20]
    kept = {"list": [path for path in changes.paths if path != EXISTING]}.get(what, changes.paths)
    changes = DumpedContent(changes.component, [changes.entry(path) for path in kept], changes.contents)
    chain = [changes] if what == "file" else [full, changes]
    with pytest.raises(DamageError):
        source(app).load(chain, load_request(tmp_path / "scratch"))
    assert (app / "s" / "a").read_text() == "a"


@pytest.mark.deep
def test_many_files_in_bounded_memory(tmp_path: Path) -> None:
    script = f"""
import os
from pathlib import Path
from holdfast.sources.files import Files, FilesOptions
from holdfast.testing.dumped_content import dump_request
from holdfast.model.component import Form
base = Path({str(tmp_path)!r})
for folder in ("one", "two"):
    (base / "s" / folder).mkdir(parents=True)
    for n in range(100_000):
        os.close(os.open(base / "s" / folder / f"file-{{n}}", os.O_CREAT | os.O_WRONLY))
with Files("s", FilesOptions(paths=("s",)), base).dump(dump_request(base / "scratch", state=base / "state")) as dump:
    print(sum(1 for _ in dump.entries(Form.CHANGES)))
# Of this program alone: what `getrusage` tells may be the peak of the process that started it.
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    count, peak_kib = map(int, result.stdout.split())
    assert count == 200_005
    assert peak_kib < 150 << 10
