"""Reading backups: as they were stored, with few requests, and loudly where something is damaged."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from msgspec.structs import replace

from holdfast.errors import DamageError
from holdfast.model.backup import StoredBackup
from holdfast.model.component import Problem
from holdfast.model.event import Event, Progress, ignore
from holdfast.protocols import FileKind
from holdfast.protocols.content import Entry
from holdfast.targets.repository import RepositoryTarget
from holdfast.testing.faulty_backend import Fault, FaultyBackend, Operation, Rule
from holdfast.testing.target_content import (
    NOON,
    Made,
    database,
    directory,
    file,
    give,
    make_backup,
    manifest_for,
    read_back,
    small_tree,
    tree,
)
from unit.targets.repository.target_kit import Places, faulty

MANY = 3000


@pytest.fixture
def many(rng: random.Random) -> Made:
    items = [directory(b"d"), *[file(b"d/%05d" % number, rng.randbytes(1000)) for number in range(MANY)]]
    return tree(items)


def stored_in(places: Places, *made: Made) -> StoredBackup:
    target = places.target()
    target.prepare()
    try:
        return make_backup(target, made)
    finally:
        target.close()


def content_of(entry: Entry) -> bytes:
    assert entry.open is not None
    reader = entry.open()
    try:
        return b"".join(iter(lambda: reader.read(700), b""))
    finally:
        reader.close()


def test_small_files_do_not_cost_a_request_each(places: Places, many: Made) -> None:
    stored = stored_in(places, many)
    storages: list[FaultyBackend] = []
    target = places.target(opener=faulty(storages), cache=False)
    content = target.content(stored, "storage")
    storages[-1].calls.clear()
    assert [one.content for one in read_back(content)] == [item.content for item in many.items]
    assert storages[-1].count(Operation.LOAD) < MANY / 50
    target.close()


def test_what_is_not_opened_is_not_fetched(places: Places, many: Made) -> None:
    stored = stored_in(places, many)
    storages: list[FaultyBackend] = []
    target = places.target(opener=faulty(storages), cache=False)
    content = target.content(stored, "storage")
    storages[-1].calls.clear()
    assert sum(1 for _ in content.entries()) == MANY + 2
    assert storages[-1].count(Operation.LOAD) <= 4
    target.close()


def test_a_file_is_read_in_any_pieces_and_dropped_at_any_point(places: Places, rng: random.Random) -> None:
    content = rng.randbytes(9_000_000)
    stored = stored_in(places, database(content))
    target = places.target()
    for size in (1 << 16, 1 << 20, 10 << 20, -1):
        (entry,) = target.content(stored, "database").entries()
        assert entry.open is not None
        reader = entry.open()
        pieces: list[bytes] = []
        while piece := reader.read(size):
            assert size < 0 or len(piece) <= size
            pieces.append(piece)
        assert b"".join(pieces) == content
    (entry,) = target.content(stored, "database").entries()
    assert entry.open is not None
    reader = entry.open()
    assert reader.read(10) == content[:10]
    reader.close()
    assert reader.read(10) == b""
    target.close()


@pytest.mark.parametrize("paths", [[b"/"], [b""], [b"storage/"], [b"/storage/images/"], [b"storage", b"storage/a.txt"]])
def test_paths_may_have_slashes_at_their_ends(places: Places, paths: list[bytes]) -> None:
    stored = stored_in(places, small_tree())
    target = places.target()
    found = [one.path for one in read_back(target.content(stored, "storage"), paths)]
    assert found[:2] == [b"", b"storage"]
    assert b"storage/images/1.bin" in found
    target.close()


# --- damage ------------------------------------------------------------------------------------------


def damage(places: Places, position: float) -> None:
    """Flips a bit in the largest pack."""
    path = max(
        (one for one in (places.repository / "data").rglob("*") if one.is_file()), key=lambda p: p.stat().st_size
    )
    content = bytearray(path.read_bytes())
    content[int(len(content) * position)] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)


def verified(places: Places, stored: StoredBackup, events: list[Event] | None = None) -> list[Problem]:
    target = places.target()
    try:
        return target.verify(stored, ignore if events is None else events.append)
    finally:
        target.close()


def test_one_damaged_file_is_named_and_the_others_are_read(places: Places, many: Made) -> None:
    stored = stored_in(places, many)
    damage(places, 0.5)
    target = places.target()
    broken: list[bytes] = []
    for entry, item in zip(target.content(stored, "storage").entries(), many.items, strict=True):
        if entry.open is None:
            continue
        try:
            assert content_of(entry) == item.content
        except DamageError:
            broken.append(entry.path)
    target.close()
    assert len(broken) == 1
    problems = verified(places, stored)
    assert [(one.code, one.subject) for one in problems] == [("file-damaged", f"storage/{broken[0].decode()}")]


def test_damage_in_a_stream_ends_it_with_an_error(places: Places, rng: random.Random) -> None:
    stored = stored_in(places, database(rng.randbytes(12_000_000)))
    damage(places, 0.7)
    target = places.target()
    (entry,) = target.content(stored, "database").entries()
    with pytest.raises(DamageError):
        content_of(entry)
    target.close()
    problems = verified(places, stored)
    assert {one.code for one in problems} == {"file-damaged"}


def test_a_damaged_header_of_a_pack_is_found(places: Places, many: Made) -> None:
    stored = stored_in(places, many)
    damage(places, 0.9999)
    assert [one.code for one in verified(places, stored)] == ["pack-damaged"]


def test_a_copy_on_this_machine_hides_no_damage(places: Places) -> None:
    stored = stored_in(places, small_tree())
    target = places.target()
    assert read_back(target.content(stored, "storage"))
    target.close()
    (index,) = (places.repository / "index").iterdir()
    index.unlink()
    assert [one.code for one in verified(places, stored)] == ["snapshot-damaged"]


def test_counts_and_digests_are_held_to_the_manifest(places: Places, rng: random.Random) -> None:
    """A component whose numbers were wrong from the beginning, as a faulty source would make it."""
    made = [small_tree(), database(rng.randbytes(2_000_000))]
    target = places.target()
    target.prepare()
    manifest = manifest_for(NOON, made)
    writer = target.begin(manifest)
    done = {one.component.name: give(writer.component(one.component), one) for one in made}
    done["storage"] = replace(done["storage"], file_count=9)
    done["database"] = replace(done["database"], content_sha256="0" * 64)
    stored = writer.commit(replace(manifest, components=done))
    target.close()
    assert [one.code for one in verified(places, stored)] == ["count-differs", "digest-differs"]


def test_verify_tells_how_far_it_is(places: Places, many: Made) -> None:
    stored = stored_in(places, many, database(bytes(3_000_000)))
    events: list[Event] = []
    assert verified(places, stored, events) == []
    told = [event for event in events if isinstance(event, Progress)]
    assert told[-1].bytes_done == told[-1].bytes_total == MANY * 1000 + 3_000_000


def test_a_flaky_connection_is_tried_again_blob_by_blob(places: Places, many: Made) -> None:
    stored = stored_in(places, many)
    storages: list[FaultyBackend] = []
    target = places.target(opener=faulty(storages), cache=False)
    content = target.content(stored, "storage")
    storages[-1].rules.append(Rule(Operation.LOAD, Fault.FLIP, FileKind.PACK, first=3, times=3, amount=12345))
    assert [one.content for one in read_back(content)] == [item.content for item in many.items]
    target.close()


def test_the_folder_of_the_state_is_private(places: Places) -> None:
    stored = stored_in(places, small_tree())
    target: RepositoryTarget = places.target()
    target.mark(target.backups()[0], target.backups()[0].marks)
    assert stored.location
    folders: list[Path] = [path for path in places.state.rglob("*") if path.is_dir()]
    assert folders
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}
    target.close()
