"""restic's commands for looking at things, on a repository of ours; and filters, which both must understand alike."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from compat.engine import back_up, make_repository, session
from compat.reference import FOUND, Restic
from compat.tools import OURS, Theirs, restored
from holdfast.model.instant import Instant
from holdfast.model.snapshot import Snapshot
from holdfast.policy.selection import SnapshotFilter, parse_tags, resolve
from holdfast.repository.snapshots import load_snapshots
from holdfast.testing.zoo import differences, fingerprint

WITH_REPAIR = [version for version in FOUND if not version.startswith(("0.14", "0.15"))]
DAY_NS = 86_400 * 10**9
NOW_NS = 1_780_000_000 * 10**9


class Library(NamedTuple):
    """Three snapshots of one folder, and one of another."""

    repo: Path
    source: Path
    other: Path
    snapshots: tuple[str, ...]


def back_up_as(repo: Path, source: Path, number: int, **options: Any) -> str:
    time = Instant(ns=NOW_NS + number * DAY_NS + 5, offset_s=0)
    snapshot = back_up(repo, source, time=time, **options)
    assert snapshot.id is not None
    return snapshot.id.hex()


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Made by us; tests leave it as it is."""
    base = tmp_path_factory.mktemp("library")
    repo, source, other = base / "repository", base / "source", base / "other"
    (source / "sub" / "سلام").mkdir(parents=True)
    other.mkdir()
    (source / "first").write_bytes(b"first" * 1000)
    (source / "sub" / "inner file").write_bytes(os.urandom(700_000) + bytes(1_000_000))
    (source / "sub" / "سلام" / "دنیا").write_bytes(b"text\n")
    (source / "tab\tname").write_bytes(b"")
    (source / "link").symlink_to("first")
    make_repository(repo)
    snapshots = [back_up_as(repo, source, 0, hostname="here", tags=("a",))]
    (source / "second").write_bytes(b"second")
    (source / "first").write_bytes(b"now something else")
    snapshots.append(back_up_as(repo, source, 1, hostname="here", tags=("a", "b")))
    (source / "link").unlink()
    snapshots.append(back_up_as(repo, source, 2, hostname="there", tags=("b", "with,comma")))
    (other / "file").write_bytes(b"other")
    snapshots.append(back_up_as(repo, other, 3, hostname="there"))
    return Library(repo, source, other, tuple(snapshots))


def paths_below(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*")} | {str(folder)}


def test_ls_and_find(restic: Restic, library: Library) -> None:
    repo, source, _, snapshots = library
    listed = restic.documents("ls", snapshots[2], repo=repo)
    assert listed[0]["id"] == snapshots[2]
    nodes = {node["path"]: node for node in listed[1:]}
    assert paths_below(source) <= nodes.keys()
    assert nodes[str(source / "first")]["size"] == 18
    below = restic.documents("ls", snapshots[2], source / "sub", repo=repo)
    assert str(source / "sub" / "inner file") in {node["path"] for node in below[1:]}
    (found,) = restic.documents("find", "*ner fi*", "--snapshot", snapshots[2], repo=repo)
    assert [match["path"] for match in found[0]["matches"]] == [str(source / "sub" / "inner file")]
    (everywhere,) = restic.documents("find", "link", repo=repo)
    assert {hit["snapshot"] for hit in everywhere} == set(snapshots[:2])


def test_diff(restic: Restic, library: Library) -> None:
    repo, source, _, snapshots = library
    lines = restic.run("diff", snapshots[0], snapshots[1], repo=repo).stdout.decode().splitlines()
    changes = {line[5:]: line[0] for line in lines if line[5:].startswith("/")}
    assert changes == {str(source / "first"): "M", str(source / "second"): "+"}
    lines = restic.run("diff", snapshots[1], snapshots[2], repo=repo).stdout.decode().splitlines()
    assert {line[5:]: line[0] for line in lines if line[5:].startswith("/")} == {str(source / "link"): "-"}


def test_dump_of_a_file_and_of_a_folder(restic: Restic, library: Library) -> None:
    repo, source, _, snapshots = library
    inner = source / "sub" / "inner file"
    assert restic.run("dump", snapshots[0], inner, repo=repo).stdout == inner.read_bytes()
    assert restic.run("dump", snapshots[0], source / "first", repo=repo).stdout == b"first" * 1000
    archive = restic.run("dump", snapshots[2], source / "sub", repo=repo).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        files = {member.name: member for member in tar.getmembers()}
        member = next(member for name, member in files.items() if name.endswith("inner file"))
        stream = tar.extractfile(member)
        assert stream is not None
        assert hashlib.sha256(stream.read()).digest() == hashlib.sha256(inner.read_bytes()).digest()
        assert any(name.endswith("sub/سلام/دنیا") for name in files)


def test_stats(restic: Restic, library: Library) -> None:
    repo, source, _, snapshots = library
    files = [path for path in source.rglob("*") if path.is_file()]
    (by_content,) = restic.documents("stats", snapshots[2], repo=repo)
    assert by_content["total_size"] == sum(path.stat().st_size for path in files)
    (raw,) = restic.documents("stats", "--mode", "raw-data", repo=repo)
    with session(repo, exclusive=False) as (_, index, _lock):
        stored = [blob for pack in index.packs() for blob in pack.blobs]
    assert raw["total_blob_count"] == len(stored)
    # COMPAT(restic): from 0.15 on it counts a blob as it lies there; before, without the 32 bytes of its seal.
    assert raw["total_size"] in (sum(blob.length for blob in stored), sum(blob.length - 32 for blob in stored))


def test_cat_and_list(restic: Restic, library: Library) -> None:
    repo, _, _, snapshots = library
    assert json.loads(restic.run("cat", "snapshot", snapshots[1], repo=repo).stdout)["tags"] == ["a", "b"]
    assert json.loads(restic.run("cat", "config", repo=repo).stdout)["version"] == 2
    for kind in ("packs", "index", "snapshots", "keys"):
        listed = restic.run("list", kind, repo=repo).stdout.split()
        folder = repo / ("data" if kind == "packs" else kind)
        stored = {path.name.encode() for path in folder.rglob("*") if path.is_file()}
        assert set(listed) == stored
    with session(repo, exclusive=False) as (_, index, _lock):
        blobs = {blob.id.hex() for pack in index.packs() for blob in pack.blobs}
    listed = restic.run("list", "blobs", repo=repo).stdout.split()
    assert blobs == {word.decode() for word in listed if len(word) == 64}


def test_a_part_is_restored(restic: Restic, library: Library, tmp_path: Path) -> None:
    repo, source, _, snapshots = library
    restic.run("restore", snapshots[2], "--include", source / "sub" / "inner file", "--target", tmp_path, repo=repo)
    restored_files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in restored_files] == [(source / "sub" / "inner file").read_bytes()]
    if restic.at_least("0.17"):
        restic.run("restore", f"{snapshots[2]}:{source}/sub", "--target", tmp_path / "part", repo=repo)
        assert not differences(fingerprint(str(source / "sub")), fingerprint(str(tmp_path / "part")))


FILTERS: list[dict[str, list[str]]] = [
    {},
    {"host": ["here"]},
    {"host": ["here", "there"]},
    {"host": ["nowhere"]},
    {"tag": ["a"]},
    {"tag": ["a,b"]},
    {"tag": ["a", "b"]},
    {"tag": [""]},
    {"tag": ["nothing"]},
    {"path": ["SOURCE"]},
    {"path": ["OTHER"]},
    {"path": ["SOURCE", "OTHER"]},
    {"host": ["there"], "tag": ["b"], "path": ["SOURCE"]},
]


@pytest.mark.parametrize("wanted", FILTERS, ids=str)
def test_filters_choose_the_same(newest_restic: Restic, library: Library, wanted: dict[str, list[str]]) -> None:
    places = {"SOURCE": str(library.source), "OTHER": str(library.other)}
    named = {name: [places.get(value, value) for value in values] for name, values in wanted.items()}
    options = [f"--{name}={value}" for name, values in named.items() for value in values]
    (theirs,) = newest_restic.documents("snapshots", *options, repo=library.repo)
    chosen = SnapshotFilter(
        hosts=tuple(named.get("host", ())),
        tags=tuple(parse_tags(text) for text in named.get("tag", ())),
        paths=tuple(named.get("path", ())),
    )
    everything = our_snapshots(library.repo)
    ours = chosen.choose(everything)
    assert {snapshot.id.hex() for snapshot in ours if snapshot.id} == {one["id"] for one in theirs}
    if not ours:
        return
    newest = newest_restic.documents("ls", "latest", *options, repo=library.repo)[0]["id"]
    assert newest == (resolve("latest", everything, chosen).id or b"").hex()


def our_snapshots(repo: Path) -> list[Snapshot]:
    with session(repo, exclusive=False) as (repository, _, _lock):
        return load_snapshots(repository)


def test_snapshots_tell_who_and_when(restic: Restic, library: Library) -> None:
    (theirs,) = restic.documents("snapshots", repo=library.repo)
    by_name = {one["id"]: one for one in theirs}
    assert set(by_name) == set(library.snapshots)
    second = by_name[library.snapshots[1]]
    assert second["hostname"] == "here"
    assert second["username"] == "root" or os.geteuid()
    assert second["tags"] == ["a", "b"]
    assert second["paths"] == [str(library.source)]
    assert second["parent"] == library.snapshots[0]
    assert second["time"].startswith("2026-05-29T")
    if restic.at_least("0.17"):
        assert second["summary"]["files_changed"] == 1
        assert second["program_version"].startswith("holdfast ")


def test_tags_of_either_are_seen_by_the_other(restic: Restic, tmp_path: Path) -> None:
    repo, source = tmp_path / "repository", tmp_path / "source"
    source.mkdir()
    (source / "file").write_bytes(b"content")
    make_repository(repo)
    first = back_up_as(repo, source, 0, tags=("ours",))
    restic.run("tag", "--add", "theirs", "--remove", "ours", first, repo=repo)
    (retagged,) = our_snapshots(repo)
    assert retagged.tags == ("theirs",)
    assert retagged.original is not None
    assert retagged.original.hex() == first
    assert retagged.id is not None
    assert not differences(fingerprint(str(source)), restored(OURS, repo, retagged.id.hex(), source))


@pytest.mark.parametrize("restic", WITH_REPAIR, indirect=True)
def test_restic_repairs_what_was_lost_of_ours(restic: Restic, tmp_path: Path) -> None:
    """Half of the data is gone: restic salvages the rest, and we restore it."""
    repo, source = tmp_path / "repository", tmp_path / "source"
    source.mkdir()
    (source / "lost").write_bytes(os.urandom(50_000))
    make_repository(repo)
    back_up(repo, source)
    (source / "kept").write_bytes(os.urandom(60_000))
    back_up(repo, source)
    for pack in (repo / "data").rglob("*"):
        if pack.is_file() and 50_000 < pack.stat().st_size < 60_000:
            pack.unlink()
    restic.run("repair", "index", repo=repo)
    restic.run("repair", "snapshots", "--forget", repo=repo)
    restic.run("check", "--read-data", repo=repo)
    OURS.check(repo)
    newest = our_snapshots(repo)[-1]
    assert newest.original is not None
    assert newest.id is not None
    files = restored(OURS, repo, newest.id.hex(), source)
    # COMPAT(restic): a file that lost all of its content stays as an empty one of the same name.
    assert files[b"kept"] == fingerprint(str(source))[b"kept"]
    assert files[b"lost"]["size"] == 0


def test_we_read_snapshots_with_all_that_restic_tells(restic: Restic, tmp_path: Path) -> None:
    repo, source = tmp_path / "repository", tmp_path / "source"
    source.mkdir()
    (source / "file <&>").write_bytes(b"content")
    (source / "left out").write_bytes(b"content")
    Theirs(restic).init(repo)
    options = ["--tag", "x,y", "--tag", "z", "--host", "elsewhere", "--time", "2026-01-31 23:59:00"]
    restic.run("backup", source, "--exclude", "left *", *options, repo=repo)
    (snapshot,) = our_snapshots(repo)
    assert snapshot.tags == ("x", "y", "z")
    assert snapshot.hostname == "elsewhere"
    assert snapshot.paths == (str(source),)
    assert snapshot.excludes == ("left *",)
    assert snapshot.time.at().isoformat(sep=" ") == "2026-01-31 23:59:00+00:00"
    assert (snapshot.summary is not None) == restic.at_least("0.17")
