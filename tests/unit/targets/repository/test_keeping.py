"""Listing, marking and removing backups in a repository that others use as well."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from holdfast import repository
from holdfast.backends.local import LocalBackend
from holdfast.errors import (
    BackendUnavailable,
    BackupNotFound,
    ObjectExists,
    ObjectNotFound,
    RemovalIncomplete,
    RepositoryLocked,
    TargetError,
)
from holdfast.model.backup import Marks, StoredBackup
from holdfast.model.event import ignore
from holdfast.model.snapshot import Snapshot
from holdfast.protocols import FileKind
from holdfast.repository.check.report import CheckOptions
from holdfast.repository.check.run import check
from holdfast.repository.index import Index
from holdfast.repository.locks import acquire
from holdfast.repository.opening import open_repository
from holdfast.repository.repository import Repository
from holdfast.repository.snapshots import load_snapshots, save_snapshot
from holdfast.targets.repository import RepositoryTarget
from holdfast.targets.repository_marks import hold_of, with_hold
from holdfast.testing.faulty_backend import Fault, FaultyBackend, Operation, Rule
from holdfast.testing.target_content import NOON, Made, database, give, make_backup, manifest_for, read_back, small_tree
from snapshot_kit import store_snapshot
from unit.targets.repository.target_kit import PASSWORD, Places, faulty

HOLD = Marks(hold_reason="court case 7, do not touch", held_at=datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC))


@pytest.fixture
def target(places: Places) -> RepositoryTarget:
    opened = places.target()
    opened.prepare()
    return opened


def engine(places: Places) -> Repository:
    """The same repository without any target."""
    return open_repository(LocalBackend(str(places.repository)), PASSWORD.encode())


def snapshots(places: Places) -> list[Snapshot]:
    opened = engine(places)
    try:
        return load_snapshots(opened)
    finally:
        opened.close()


def whole(places: Places) -> bool:
    opened = engine(places)
    try:
        return check(opened, None, CheckOptions(read_data=True)).whole
    finally:
        opened.close()


def make_as(target: RepositoryTarget, app: str, made: list[Made]) -> StoredBackup:
    """A backup of another application than the usual one."""
    manifest = replace(manifest_for(NOON, made), app=app)
    writer = target.begin(manifest)
    done = {one.component.name: give(writer.component(one.component), one) for one in made}
    return writer.commit(replace(manifest, components=done))


# --- listing -----------------------------------------------------------------------------------------


def test_snapshots_of_others_are_ignored_and_survive(places: Places, target: RepositoryTarget) -> None:
    mine = make_backup(target, [database(b"mine")])
    other = places.target(app="other", name="theirs")
    other.prepare()
    with pytest.raises(TargetError):
        make_backup(other, [database(b"mine")])
    theirs = make_as(other, "other", [database(b"theirs")])
    foreign = engine(places)
    with Index(foreign, private=True) as index:
        index.sync()
        for tags in [(), ("app:app",), ("app:app", "id:nonsense"), ("app:app", "id:backup_2020_01_01_00_00_00")]:
            store_snapshot(foreign, index, {"file": b"content", "tags": repr(tags).encode()}, tags=tags)
    foreign.close()
    assert [one.backup_id for one in target.backups()] == [mine.backup_id]
    target.remove([mine])
    assert target.backups() == []
    assert len(snapshots(places)) == 5
    assert other.verify(theirs, ignore) == []
    assert whole(places)
    target.close()
    other.close()


def test_a_snapshot_with_the_manifest_of_another_backup_is_none(places: Places, target: RepositoryTarget) -> None:
    stored = make_backup(target, [database(b"1")])
    opened = engine(places)
    (snapshot,) = load_snapshots(opened)
    save_snapshot(opened, replace(snapshot, tags=("app:app", "id:backup_2030_01_01_00_00_00", "type:full")))
    opened.close()
    assert [one.backup_id for one in target.backups()] == [stored.backup_id]
    target.close()


def test_two_backups_never_share_an_id(places: Places, target: RepositoryTarget) -> None:
    """Two machines back up the same application in the same second."""
    elsewhere = Places(places.base / "elsewhere").target(url=str(places.repository))
    manifest = manifest_for(NOON, [database(b"2")])
    late = elsewhere.begin(manifest)
    component = give(late.component(database(b"2").component), database(b"2"))
    first = make_as(target, "app", [database(b"1")])
    with pytest.raises(ObjectExists):
        late.commit(replace(manifest, components={"database": component}))
    late.abort()
    with pytest.raises(ObjectExists):
        elsewhere.begin(manifest)
    assert [one.content for one in read_back(target.content(first, "database"))] == [b"1"]
    elsewhere.close()
    target.close()


def test_snapshots_that_claim_one_id_are_not_removed_together(places: Places, target: RepositoryTarget) -> None:
    first = make_backup(target, [database(b"1")])
    second = make_backup(target, [database(b"2")])
    opened = engine(places)
    for one in load_snapshots(opened):
        if f"id:{second.backup_id}" in one.tags:
            save_snapshot(opened, replace(one, tags=("app:app", f"id:{first.backup_id}")))
    opened.close()
    target.remove([first])
    assert [one.backup_id for one in target.backups()] == [second.backup_id]
    assert len(snapshots(places)) == 2
    assert target.verify(second, ignore) == []
    target.close()


def test_manifests_are_read_once(places: Places, target: RepositoryTarget) -> None:
    for hours in range(3):
        make_backup(target, [database(b"%d" % hours)], moment=NOON + timedelta(hours=hours))
    listed = target.backups()
    target.close()
    assert len(list((places.state / "manifests" / "offsite").iterdir())) == 3
    storages: list[FaultyBackend] = []
    again = places.target(opener=faulty(storages))
    assert again.backups() == listed
    assert not [handle for _, handle in storages[0].calls if handle.kind in (FileKind.PACK, FileKind.INDEX)]
    again.remove([listed[0]])
    again.backups()
    assert len(list((places.state / "manifests" / "offsite").iterdir())) == 2
    again.close()


def test_a_snapshot_that_goes_while_it_is_listed_is_not_damaged(places: Places, target: RepositoryTarget) -> None:
    make_backup(target, [database(b"1")])
    (going,) = (places.repository / "snapshots").iterdir()
    second = make_backup(target, [database(b"2")], moment=NOON + timedelta(hours=1))
    target.close()
    storages: list[FaultyBackend] = []
    again = places.target(opener=faulty(storages), cache=False)
    again.prepare()

    def vanishing(url: str, name: str) -> ObjectNotFound:
        going.unlink(missing_ok=True)
        return ObjectNotFound(url=url, object=name)

    fault = Rule(Operation.LOAD, Fault.FAIL, kind=FileKind.SNAPSHOT, name=going.name, error=vanishing)
    storages[0].rules.append(fault)
    assert [one.backup_id for one in again.backups()] == [second.backup_id]
    assert fault.hits
    assert again.problems == []
    again.close()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"backup_id": "x"}', b"\xff"])
def test_a_damaged_cache_is_read_anew(places: Places, target: RepositoryTarget, content: bytes) -> None:
    stored = make_backup(target, [database(b"1")])
    target.backups()
    (cached,) = (places.state / "manifests" / "offsite").iterdir()
    assert cached.stat().st_mode & 0o777 == 0o600
    cached.write_bytes(content)
    assert [one.manifest for one in target.backups()] == [stored.manifest]
    target.close()


def test_a_storage_that_does_not_answer_is_no_empty_list(places: Places, target: RepositoryTarget) -> None:
    make_backup(target, [database(b"1")])
    target.close()
    shutil.rmtree(places.state)
    storages: list[FaultyBackend] = []
    again = places.target(opener=faulty(storages), cache=False)
    for rule in (Rule(Operation.LIST, Fault.FAIL), Rule(Operation.LOAD, Fault.FAIL, FileKind.PACK)):
        again.close()
        storages.clear()
        with pytest.raises(BackendUnavailable):
            _list_with(again, storages, rule)
    again.close()


def _list_with(target: RepositoryTarget, storages: list[FaultyBackend], rule: Rule) -> None:
    target.free_bytes()
    target.prepare()
    storages[-1].rules.append(rule)
    target.backups()


def test_a_backup_made_elsewhere_meanwhile_is_seen_and_read(places: Places, target: RepositoryTarget) -> None:
    make_backup(target, [database(b"1")])
    target.content(target.backups()[0], "database")
    elsewhere = Places(places.base / "elsewhere")
    other = elsewhere.target(url=str(places.repository))
    make_backup(other, [database(b"2" * 3000)], moment=NOON + timedelta(hours=1))
    other.close()
    newest = target.backups()[0]
    assert [one.content for one in read_back(target.content(newest, "database"))] == [b"2" * 3000]
    assert target.verify(newest, ignore) == []
    target.close()


# --- marks -------------------------------------------------------------------------------------------


def test_holds_travel_with_the_repository_and_the_rest_stays_here(places: Places, target: RepositoryTarget) -> None:
    stored = make_backup(target, [database(b"1")])
    moment = datetime(2025, 1, 1, tzinfo=UTC)
    target.mark(stored, replace(HOLD, verified_at=moment))
    target.close()
    elsewhere = Places(places.base / "elsewhere").target(url=str(places.repository))
    assert [one.marks for one in elsewhere.backups()] == [HOLD]
    elsewhere.close()
    (snapshot,) = snapshots(places)
    assert "hold:court%20case%207%2C%20do%20not%20touch" in snapshot.tags
    assert snapshot.original is not None


def test_marking_what_is_already_so_changes_nothing_there(places: Places, target: RepositoryTarget) -> None:
    stored = make_backup(target, [database(b"1")])
    (before,) = snapshots(places)
    target.mark(stored, Marks(verified_at=NOON))
    target.mark(stored, Marks(damaged_at=NOON, damage="gone"))
    assert snapshots(places) == [before]
    target.mark(stored, Marks())
    assert not list((places.state / "marks" / "offsite").iterdir())
    target.close()


@pytest.mark.parametrize("reason", ["x", "a,b", "100%", "  ", "ü\n\0", "hold:hold:", "held-at:1"])
def test_any_reason_survives_being_a_tag(reason: str) -> None:
    tags = with_hold(("app:a", "hold:former", "held-at:2020-01-01T00:00:00+00:00"), Marks(hold_reason=reason))
    assert hold_of(tags) == Marks(hold_reason=reason)
    assert "," not in "".join(tags)
    assert with_hold(tags, Marks()) == ("app:a",)
    assert hold_of(("hold:",)).held
    assert hold_of(("held-at:2020-01-01T00:00:00+00:00",)) == Marks()
    assert hold_of(("hold:x", "held-at:nonsense")) == Marks(hold_reason="x")


def test_an_interrupted_change_of_tags_leaves_the_hold_in_force(places: Places, target: RepositoryTarget) -> None:
    """The new snapshot is stored before the old one is deleted: for a moment there are two of the same backup."""
    stored = make_backup(target, [database(b"1")])
    opened = engine(places)
    (plain,) = load_snapshots(opened)
    save_snapshot(opened, replace(plain, tags=with_hold(plain.tags, HOLD)))
    opened.close()
    (found,) = target.backups()
    assert found.marks == HOLD
    assert [one.content for one in read_back(target.content(found, "database"))] == [b"1"]
    target.mark(stored, Marks())
    assert target.backups()[0].marks == Marks()
    assert len(snapshots(places)) == 1
    target.mark(stored, HOLD)
    target.remove([stored])
    assert snapshots(places) == []
    target.close()


def test_a_backup_that_is_gone_cannot_be_marked_or_read(target: RepositoryTarget) -> None:
    stored = make_backup(target, [database(b"1")])
    target.remove([stored])
    for call in (
        lambda: target.mark(stored, HOLD),
        lambda: target.content(stored, "database"),
        lambda: target.verify(stored, ignore),
    ):
        with pytest.raises(BackupNotFound):
            call()
    target.close()


# --- removing ----------------------------------------------------------------------------------------


def test_removing_gives_space_back_and_keeps_what_is_shared(places: Places, target: RepositoryTarget) -> None:
    shared = small_tree()
    first = make_backup(target, [shared, database(bytes(range(256)) * 40_000)])
    second = make_backup(target, [shared], moment=NOON + timedelta(hours=1))
    before = _size(places.repository)
    target.remove([first])
    assert _size(places.repository) < before
    assert target.verify(second, ignore) == []
    assert whole(places)
    target.remove([second])
    assert not [path for path in (places.repository / "data").rglob("*") if path.is_file()]
    target.close()


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_removing_waits_for_whoever_reads(places: Places, target: RepositoryTarget) -> None:
    stored = make_backup(target, [database(b"1")])
    target.close()
    with repository.open(str(places.repository), PASSWORD), pytest.raises(RepositoryLocked):
        places.target(retry_lock=0.0).remove([stored])
    assert len(target.backups()) == 1
    target.close()


def test_reading_keeps_others_from_removing(places: Places, target: RepositoryTarget) -> None:
    stored = make_backup(target, [database(b"1")])
    entries = target.content(stored, "database").entries()
    opened = engine(places)
    with pytest.raises(RepositoryLocked):
        acquire(opened, True)
    opened.close()
    assert len(list(entries)) == 1
    target.close()


def test_a_snapshot_that_cannot_be_deleted_is_told(places: Places, target: RepositoryTarget) -> None:
    stored = make_backup(target, [database(b"1")])
    target.close()
    storages: list[FaultyBackend] = []
    again = places.target(opener=faulty(storages))
    again.prepare()
    storages[-1].rules.append(Rule(Operation.REMOVE, Fault.FAIL, FileKind.SNAPSHOT))
    with pytest.raises(RemovalIncomplete):
        again.remove([stored])
    assert [one.backup_id for one in again.backups()] == [stored.backup_id]
    assert again.verify(stored, ignore) == []
    again.close()
