"""Folders and files: there and back."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from holdfast.errors import DamageError, HoldfastError, RestoreRefused, SourceError, SourceMissing, UnsafePath
from holdfast.model.component import Form
from holdfast.model.node import Node, NodeType
from holdfast.protocols import Entry
from holdfast.sources.config_files import ConfigFiles, ConfigFilesOptions
from holdfast.sources.docker_volume import DockerVolume, DockerVolumeOptions
from holdfast.sources.files import Files, FilesOptions
from holdfast.sources.trees.places import places_in_place
from holdfast.sources.trees.source import TreeSource
from holdfast.testing.dumped_content import STAMP, DumpedContent, collect, dump_request, load_request, read_all
from holdfast.testing.zoo import differences, fingerprint, make_zoo

LEFT_OUT = {b"zoo/special/null", b"zoo/special/block"}


def files(base: Path, *paths: str, skip: tuple[Path, ...] = (), **options: object) -> Files:
    return Files("storage", FilesOptions(paths=paths, **options), base, skip)  # type: ignore[arg-type]


def dumped(source: TreeSource, scratch: Path, form: Form = Form.NATIVE) -> DumpedContent:
    with source.dump(dump_request(scratch)) as dump:
        return collect(dump, form)


def write(path: Path, text: str = "x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def tree_of(base: Path) -> dict[str, str]:
    """Every regular file with its content, our own leftovers included."""
    return {str(path.relative_to(base)): path.read_text() for path in sorted(base.rglob("*")) if path.is_file()}


def without(found: dict[bytes, dict[str, object]]) -> dict[bytes, dict[str, object]]:
    """What a restore brings back: no devices, and no right to act as somebody else."""
    kept = {path: about for path, about in found.items() if path not in LEFT_OUT}
    for about in kept.values():
        mode = about["mode"]
        assert isinstance(mode, int)
        if mode & 0o6000:
            about["mode"] = mode & ~0o6000
    return kept


def test_everything_comes_back(tmp_path: Path, seed: int) -> None:
    (tmp_path / "app" / "zoo").mkdir(parents=True)
    make_zoo(str(tmp_path / "app" / "zoo"), seed=seed, large_bytes=1_200_000)
    before = without(fingerprint(str(tmp_path / "app")))
    source = files(tmp_path / "app", "zoo")
    content = dumped(source, tmp_path / "scratch")
    assert content.component.problems == ()
    subprocess.run(["rm", "-rf", tmp_path / "app" / "zoo"], check=True)
    report = source.load([content], load_request(tmp_path / "scratch"))
    assert differences(without(fingerprint(str(tmp_path / "app"))), before) == []
    # The devices are in the content and are named as not made.
    assert {problem.code for problem in report.problems} <= {"not-restored"}
    assert os.stat(tmp_path / "app/zoo/contents/sparse").st_blocks < 1000


def test_entries_come_in_the_promised_order(tmp_path: Path) -> None:
    for name in ("a/b", "a-b/c", "a.b", "a/a/a", "B/x", "data/station.json"):
        write(tmp_path / "app" / name)
    content = dumped(files(tmp_path / "app", "a", "a-b", "a.b", "B", "data/station.json"), tmp_path / "scratch")
    assert content.paths == [
        b"", b"B", b"B/x", b"a", b"a/a", b"a/a/a", b"a/b", b"a-b", b"a-b/c", b"a.b", b"data", b"data/station.json",
    ]  # fmt: skip


def test_paths_keep_their_relative_form_and_absolute_ones_lose_the_slash(tmp_path: Path) -> None:
    write(tmp_path / "app" / "in" / "x")
    write(tmp_path / "far" / "y")
    content = dumped(files(tmp_path / "app", "in", str(tmp_path / "far")), tmp_path / "scratch")
    far = os.fsencode(tmp_path / "far").lstrip(b"/")
    assert {b"in/x", far + b"/y"} <= set(content.paths)
    above = dumped(files(tmp_path / "app", "../far"), tmp_path / "scratch")
    assert far + b"/y" in above.paths


def test_in_place_with_safety_copy_and_undo(tmp_path: Path) -> None:
    app = tmp_path / "app"
    write(app / "storage" / "kept", "old")
    write(app / "other", "stays")
    source = files(app, "storage")
    content = dumped(source, tmp_path / "scratch")
    write(app / "storage" / "kept", "new")
    write(app / "storage" / "added", "later")
    safety = f"{app}/storage.before-restore-{STAMP}"
    plan = source.plan([content], load_request(tmp_path / "scratch"))
    report = source.load([content], load_request(tmp_path / "scratch"))
    assert plan.safety_copies == report.safety_copies == (safety,)
    assert plan.replaces == (f"{app}/storage",)
    assert tree_of(app) == {
        "other": "stays", "storage/kept": "old",
        f"storage.before-restore-{STAMP}/added": "later", f"storage.before-restore-{STAMP}/kept": "new",
    }  # fmt: skip
    assert (report.file_count, report.content_bytes) == (1, 3)
    subprocess.run(["sh", "-c", report.undo], check=True)
    assert tree_of(app) == {"other": "stays", "storage/kept": "new", "storage/added": "later"}


def test_the_way_back_of_a_name_that_no_terminal_shows(tmp_path: Path) -> None:
    app = tmp_path / "two\nlines 100% of\t'it' \\ \u00fc"
    write(app / "storage" / "kept", "old")
    source = files(app, "storage")
    content = dumped(source, tmp_path / "scratch")
    write(app / "storage" / "kept", "new")
    report = source.load([content], load_request(tmp_path / "scratch"))
    assert report.undo.isprintable()
    subprocess.run(["sh", "-c", report.undo], check=True)
    assert tree_of(app) == {"storage/kept": "new"}


def test_without_safety_copy(tmp_path: Path) -> None:
    write(tmp_path / "storage" / "a", "old")
    source = files(tmp_path, "storage")
    content = dumped(source, tmp_path / "scratch")
    write(tmp_path / "storage" / "a", "new")
    report = source.load([content], replace(load_request(tmp_path / "scratch"), safety_copy=False))
    assert (report.safety_copies, report.undo) == ((), "")
    assert sorted(os.listdir(tmp_path)) == ["scratch", "storage"]
    # What is excluded is in no backup: it is kept whatever was asked for.
    source = files(tmp_path, "storage", exclude=("*.tmp",))
    write(tmp_path / "storage" / "only.tmp", "nowhere else")
    report = source.load([content], replace(load_request(tmp_path / "scratch"), safety_copy=False))
    assert (Path(report.safety_copies[0]) / "only.tmp").read_text() == "nowhere else"


def test_chosen_paths_and_nothing_else(tmp_path: Path) -> None:
    app = tmp_path / "app"
    for name in ("storage/a/1", "storage/a/2", "storage/b", "storage/ab"):
        write(app / name, "old")
    source = files(app, "storage")
    content = dumped(source, tmp_path / "scratch")
    for name in ("storage/a/1", "storage/a/2", "storage/b", "storage/ab"):
        write(app / name, "new")
    source.load([content], load_request(tmp_path / "scratch", paths=[b"storage/a/1", b"storage/b"]))
    assert {name: text for name, text in tree_of(app).items() if "before" not in name} == {
        "storage/a/1": "old", "storage/a/2": "new", "storage/ab": "new", "storage/b": "old",
    }  # fmt: skip
    for wrong in (b"elsewhere", b"storage/missing", b"storage/../../etc"):
        with pytest.raises(HoldfastError):
            source.load([content], load_request(tmp_path / "scratch", paths=[wrong]))


def test_a_chosen_path_behind_a_link_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "app/storage/a/1", "old")
    source = files(tmp_path / "app", "storage")
    content = dumped(source, tmp_path / "scratch")
    write(tmp_path / "outside/1", "theirs")
    subprocess.run(["rm", "-rf", tmp_path / "app/storage/a"], check=True)
    (tmp_path / "app/storage/a").symlink_to(tmp_path / "outside")
    with pytest.raises(UnsafePath):
        source.load([content], load_request(tmp_path / "scratch", paths=[b"storage/a/1"]))
    assert (tmp_path / "outside/1").read_text() == "theirs"


def test_elsewhere(tmp_path: Path) -> None:
    app = tmp_path / "app"
    write(app / "storage" / "a")
    write(app / "data" / "x.json")
    source = files(app, "storage", "data/x.json")
    content = dumped(source, tmp_path / "scratch")
    report = source.load([content], load_request(tmp_path / "scratch", str(tmp_path / "new")))
    assert tree_of(tmp_path / "new") == tree_of(app)
    assert (report.undo, report.safety_copies) == ("", ())
    with pytest.raises(RestoreRefused, match="storage"):
        source.load([content], load_request(tmp_path / "scratch", str(tmp_path / "new")))
    # A folder that leads there may hold other things, an empty one may be the place itself.
    (tmp_path / "third" / "storage").mkdir(parents=True)
    write(tmp_path / "third" / "data" / "y.json")
    source.load([content], load_request(tmp_path / "scratch", str(tmp_path / "third")))
    assert set(tree_of(tmp_path / "third")) == {"storage/a", "data/x.json", "data/y.json"}


def test_what_is_left_out(tmp_path: Path) -> None:
    app = tmp_path / "app"
    for name in ("s/a", "s/a.tmp", "s/cache/big", "s/.holdfast/lock", "s/.holdfast-new-1/x", "s/backups/b", "s/no/x"):
        write(app / name)
    write(app / "s/cache/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n")
    os.mkfifo(app / "s" / "fifo")
    source = files(app, "s", exclude=("*.tmp", "/s/no"), exclude_caches=True, skip=(app / "s" / "backups",))
    content = dumped(source, tmp_path / "scratch")
    assert set(content.paths) == {b"", b"s", b"s/a", b"s/cache", b"s/cache/CACHEDIR.TAG", b"s/fifo"}
    assert source.estimate_bytes() is not None


def test_our_own_places_stay_where_they_are_when_what_holds_them_is_restored(tmp_path: Path) -> None:
    app = tmp_path / "app"
    write(app / "data" / "a", "old")
    write(app / "data" / "deep" / "b", "old")
    source = files(app, "data", skip=(app / "data" / "deep" / "backups",))
    content = dumped(source, tmp_path / "scratch")
    write(app / "data" / "deep" / "backups" / "precious")
    write(app / "data" / "a", "new")
    write(app / "data" / "deep" / "b", "new")
    write(app / "data" / "added", "new")
    inode = (app / "data" / "deep" / "backups").stat().st_ino
    report = source.load([content], load_request(tmp_path / "scratch"))
    kept = Path(report.safety_copies[0])
    assert (app / "data" / "deep" / "backups").stat().st_ino == inode
    assert tree_of(kept) == {"a": "new", "added": "new", "deep/b": "new"}
    assert (app / "data/a").read_text() == (app / "data/deep/b").read_text() == "old"
    assert not (app / "data" / "added").exists()


def test_missing_paths(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing):
        files(tmp_path, "gone").preflight()
    content = dumped(files(tmp_path, "gone", missing="warn"), tmp_path / "scratch")
    assert [problem.code for problem in content.component.problems] == ["missing"]
    content = dumped(files(tmp_path, "gone", missing="ignore"), tmp_path / "scratch")
    assert content.component.problems == ()


def test_a_configured_link_is_followed_and_stays(tmp_path: Path) -> None:
    write(tmp_path / "disk" / "a", "old")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "storage").symlink_to("../disk")
    source = files(tmp_path / "app", "storage")
    content = dumped(source, tmp_path / "scratch")
    assert content.paths == [b"", b"storage", b"storage/a"]
    write(tmp_path / "disk" / "a", "new")
    source.load([content], load_request(tmp_path / "scratch"))
    assert (tmp_path / "app" / "storage").is_symlink()
    assert (tmp_path / "app" / "storage" / "a").read_text() == "old"


# --- trouble while reading ----------------------------------------------------------------------


def grow(path: Path) -> None:
    with path.open("a") as file:
        file.write("more")


def cut(path: Path) -> None:
    os.truncate(path, 1)


def become_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


def become_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def become_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("size", [10, 3_000_000])
@pytest.mark.parametrize("trouble", [Path.unlink, grow, cut, become_link, become_fifo, become_folder])
def test_a_file_that_changes_before_it_is_opened_is_named(
    tmp_path: Path, size: int, trouble: Callable[[Path], None]
) -> None:
    path = tmp_path / "s" / "file"
    write(path, "x" * size)
    with files(tmp_path, "s").dump(dump_request(tmp_path / "scratch")) as dump:
        for entry in dump.entries(Form.NATIVE):
            if entry.open is not None:
                trouble(path)
                with pytest.raises(SourceError):
                    entry.open()


@pytest.mark.parametrize("trouble", [grow, cut])
def test_a_file_that_changes_while_it_is_read_is_named(tmp_path: Path, trouble: Callable[[Path], None]) -> None:
    path = tmp_path / "s" / "file"
    write(path, "x" * 3_000_000)
    with files(tmp_path, "s").dump(dump_request(tmp_path / "scratch")) as dump:
        for entry in dump.entries(Form.NATIVE):
            if entry.open is not None:
                reader = entry.open()
                reader.read(1 << 20)
                trouble(path)
                with pytest.raises(SourceError):
                    read_all(reader)


def test_a_folder_that_is_swapped_for_a_link_leads_nowhere(tmp_path: Path) -> None:
    write(tmp_path / "s" / "dir" / "inner" / "file", "ours")
    write(tmp_path / "outside" / "file", "secret")
    with files(tmp_path, "s").dump(dump_request(tmp_path / "scratch")) as dump:
        seen = []
        for entry in dump.entries(Form.NATIVE):
            seen.append(entry.path)
            if entry.path == b"s/dir":
                subprocess.run(["rm", "-rf", tmp_path / "s" / "dir" / "inner"], check=True)
                (tmp_path / "s" / "dir" / "inner").symlink_to(tmp_path / "outside")
    assert b"s/dir/inner/file" not in seen


# --- hostile and broken content -----------------------------------------------------------------


def hostile(content: DumpedContent, *extra: Entry) -> DumpedContent:
    component = replace(content.component, content_sha256="", file_count=0)
    entries = [content.entry(path) for path in content.paths]
    return DumpedContent(component, [*entries, *extra], {**content.contents, **{e.path: b"evil" for e in extra}})


def evil(path: bytes, kind: NodeType = NodeType.FILE, target: bytes = b"") -> Entry:
    node = Node(name=os.path.basename(path), type=kind, linktarget=target, size=4, mode=0o644)
    return Entry(path=path, node=node, open=(lambda: None) if kind is NodeType.FILE else None)  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize(
    "extra",
    [
        [evil(b"s/../../escaped")],
        [evil(b"s//escaped")],
        [evil(b"/escaped")],
        [evil(b"../escaped")],
        [evil(b"escaped")],
        [evil(b"s/link", NodeType.SYMLINK, b"../../outside"), evil(b"s/link/escaped")],
        [evil(b"s/a/through-a-file")],
        [evil(b"s/a")],
        [evil(b"s/.")],
        [evil(b"s/nul\0byte")],
    ],
)
def test_hostile_entries_are_refused_and_nothing_changes(tmp_path: Path, extra: list[Entry]) -> None:
    base = tmp_path / "app"
    write(base / "s" / "a", "old")
    (tmp_path / "outside").mkdir()
    source = files(base, "s")
    content = dumped(source, tmp_path / "scratch")
    write(base / "s" / "a", "new")
    with pytest.raises(HoldfastError):
        source.load([hostile(content, *extra)], load_request(tmp_path / "scratch"))
    assert tree_of(base) == {"s/a": "new"}
    assert not [path for path in tmp_path.rglob("*") if path.name == "escaped"]


def test_changed_content_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "s" / "a", "old")
    source = files(tmp_path, "s")
    content = dumped(source, tmp_path / "scratch")
    content.contents[b"s/a"] = b"odd"
    write(tmp_path / "s" / "a", "new")
    with pytest.raises(DamageError):
        source.load([content], load_request(tmp_path / "scratch"))
    assert (tmp_path / "s" / "a").read_text() == "new"
    assert sorted(os.listdir(tmp_path)) == ["s", "scratch"]


def test_leftovers_of_an_interrupted_restore(tmp_path: Path) -> None:
    write(tmp_path / "s" / "a", "old")
    source = files(tmp_path, "s")
    content = dumped(source, tmp_path / "scratch")
    (place,) = places_in_place(source.tops(), (), frozenset(), "storage", in_place=False)
    write(place.staging / "s" / "half")
    write(place.swapping / "s" / "maybe the only copy")
    report = source.load([content], load_request(tmp_path / "scratch"))
    assert [problem.code for problem in report.problems] == ["interrupted-restore"]
    assert "maybe the only copy" in "".join(tree_of(tmp_path))
    assert not place.staging.exists()
    assert not place.swapping.exists()


def test_config_files_are_replaced_one_by_one(tmp_path: Path) -> None:
    write(tmp_path / ".env", "A=1")
    write(tmp_path / "data" / "station.json", "{}")
    options = ConfigFilesOptions(paths=(".env", "data/station.json", "data/gone.json"))
    source = ConfigFiles("config", options, tmp_path)
    source.preflight()
    content = dumped(source, tmp_path / "scratch")
    assert [problem.code for problem in content.component.problems] == ["missing-accepted"]
    assert [path for path in content.paths if path in content.contents] == [b".env", b"data/station.json"]
    write(tmp_path / ".env", "A=2")
    write(tmp_path / "data" / "gone.json", "new")
    (tmp_path / "data" / "station.json").unlink()
    report = source.load([content], load_request(tmp_path / "scratch"))
    assert report.safety_copies == (f"{tmp_path}/.env.before-restore-{STAMP}",)
    assert {problem.code for problem in report.problems} == {"not-in-backup"}
    found = tree_of(tmp_path)
    assert (found[".env"], found["data/station.json"], found["data/gone.json"]) == ("A=1", "{}", "new")
    with pytest.raises(SourceMissing):
        ConfigFiles("config", ConfigFilesOptions(paths=("x",), missing="fail"), tmp_path).preflight()


def test_a_docker_volume_keeps_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "engine" / "_data"
    write(folder / "a", "old")
    program = tmp_path / "bin" / "docker"
    write(program, f'#!/bin/sh\n[ "$6" = media ] && echo {folder} || exit 1\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    source = DockerVolume("media", DockerVolumeOptions(volume="media"), tmp_path)
    content = dumped(source, tmp_path / "scratch")
    assert content.paths == [b"", b"media", b"media/a"]
    write(folder / "a", "new")
    write(folder / "added", "new")
    inode = folder.stat().st_ino
    report = source.load([content], load_request(tmp_path / "scratch"))
    assert folder.stat().st_ino == inode
    assert sorted(os.listdir(folder)) == [f".holdfast-before-restore-{STAMP}", "a"]
    assert (folder / "a").read_text() == "old"
    assert tree_of(Path(report.safety_copies[0])) == {"a": "new", "added": "new"}
    assert dumped(source, tmp_path / "scratch").paths == [b"", b"media", b"media/a"]
    with pytest.raises(SourceMissing):
        DockerVolume("other", DockerVolumeOptions(volume="other"), tmp_path).preflight()
