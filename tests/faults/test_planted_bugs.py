"""The suite is only worth something if it turns red: every planted bug must be found, and nothing without one."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec
import pytest

from faults import planted_bugs as bugs
from faults.crash_workloads import Stage, Workload, another_backup, forget_and_prune, init_and_first_backup
from faults.machine import FOLDER, Machine
from faults.recovery import crash_at_random
from holdfast.format.index import encode_index
from holdfast.model.blob import BlobType
from holdfast.model.pack import Pack
from holdfast.protocols import FileKind
from holdfast.repository.index import Index
from holdfast.testing.oracles import Violation, require_loud_damage
from holdfast.testing.sim_filesystem import SimFileSystem

POINTS = 300
Bug = Callable[[], AbstractContextManager[None]]
Damage = Callable[[Machine], None]


@pytest.mark.parametrize("file_system", [bugs.NoFileSync, bugs.NoFolderSync])
@pytest.mark.parametrize("workload", [another_backup, init_and_first_backup], ids=lambda one: one.__name__)
def test_a_missing_fsync_is_found(
    tmp_path: Path, rng: random.Random, file_system: type[SimFileSystem], workload: Workload
) -> None:
    stage = Stage(tmp_path, rng, file_system=file_system)
    recording = stage.record(workload)
    with pytest.raises(Violation):
        crash_at_random(recording, rng, POINTS, stage.source)


@pytest.mark.parametrize("bug", [bugs.rename_before_sync, bugs.snapshot_before_index, bugs.snapshot_before_packs])
def test_a_wrong_order_is_found(tmp_path: Path, rng: random.Random, bug: Bug) -> None:
    stage = Stage(tmp_path, rng)
    with bug():
        recording = stage.record(another_backup)
    with pytest.raises(Violation):
        crash_at_random(recording, rng, POINTS, stage.source)


@pytest.mark.parametrize(
    "bug",
    [bugs.packs_deleted_before_new_index, bugs.old_index_deleted_before_new_index, bugs.removals_never_settled],
)
def test_a_prune_in_the_wrong_order_is_found(tmp_path: Path, rng: random.Random, bug: Bug) -> None:
    stage = Stage(tmp_path, rng)
    with bug():
        recording = stage.record(forget_and_prune)
    with pytest.raises(Violation):
        crash_at_random(recording, rng, POINTS, stage.source)


def test_an_ignored_short_write_is_found(tmp_path: Path, rng: random.Random) -> None:
    stage = Stage(tmp_path, rng, file_system=bugs.ShortWrites)
    with bugs.short_writes_ignored(), pytest.raises(Violation):
        crash_at_random(stage.record(another_backup), rng, POINTS, stage.source)


def test_short_writes_are_no_problem_when_they_are_not_ignored(tmp_path: Path, rng: random.Random) -> None:
    stage = Stage(tmp_path, rng, file_system=bugs.ShortWrites)
    crash_at_random(stage.record(another_backup), rng, 20, stage.source)


# --- damage ------------------------------------------------------------------------------------------


def every_flip_of_the_config(machine: Machine) -> None:
    file = machine.files.disk.file(machine.files.disk.number_of(f"{FOLDER}/config"))
    content = file.content
    config = machine.open(machine.backend()).config
    for bit in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        file.content = bytes(flipped)
        assert require_loud_damage(machine.backend(), machine.promise, machine.known, config)


def snapshots_swapped(machine: Machine) -> None:
    disk = machine.files.disk
    folder = disk.folder(disk.number_of(f"{FOLDER}/snapshots"))
    one, other = (disk.file(number) for number in folder.names.values())
    one.content, other.content = other.content, one.content
    config = machine.open(machine.backend()).config
    assert require_loud_damage(machine.backend(), machine.promise, machine.known, config)


def blobs_swapped(machine: Machine) -> None:
    """An index file, properly sealed, that takes one data blob for another."""
    repository = machine.open(machine.backend())
    with Index(repository, persistent=False) as index:
        index.sync()
        packs = list(index.packs())
        [one, other, *_] = sorted({blob.id for pack in packs for blob in pack.blobs if blob.type is BlobType.DATA})
        for name in index.index_ids():
            repository.remove(FileKind.INDEX, name)
    swap = {one: other, other: one}
    forged = [
        Pack(pack.id, tuple(msgspec.structs.replace(blob, id=swap.get(blob.id, blob.id)) for blob in pack.blobs))
        for pack in packs
    ]
    repository.save_unpacked(FileKind.INDEX, encode_index(forged))
    assert require_loud_damage(machine.backend(), machine.promise, machine.known, repository.config)


CHECKS = [
    (bugs.mac_not_checked, every_flip_of_the_config),
    (bugs.name_hash_not_checked, snapshots_swapped),
    (bugs.content_hash_not_checked, blobs_swapped),
]


@pytest.mark.parametrize(("bug", "damage"), CHECKS)
def test_a_check_left_out_is_found(tmp_path: Path, rng: random.Random, bug: Bug, damage: Damage) -> None:
    stage = Stage(tmp_path, rng)
    with bug(), pytest.raises(Violation):
        damage(stage.machine())


@pytest.mark.parametrize("damage", [damage for _, damage in CHECKS])
def test_the_same_damage_is_loud_without_the_bug(tmp_path: Path, rng: random.Random, damage: Damage) -> None:
    damage(Stage(tmp_path, rng).machine())
