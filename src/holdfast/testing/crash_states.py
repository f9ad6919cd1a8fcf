"""Every state a crash may leave on a disk, from the log of what a program did.

A log is cut after some step. What was synchronised by then is certain; for the rest, all of these are allowed, in
any combination:

- content written since the file's last fsync is there, is missing, ends at a sector, or is zeros from a sector on;
- any subset of the changes to names that no fsync of their folder has covered, whatever their order was. So a
  rename may last while the content of the file does not, and a removal while an earlier rename does not.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

from holdfast.testing.sim_disk import ROOT, File, Folder, SimDisk, Step

SECTOR_BYTES = 512
_UNITS_AT_MOST = 8
_CONTENTS_AT_MOST = 64


class CrashState(NamedTuple):
    """A disk as it is found after the restart, and in words what happened to it."""

    disk: SimDisk
    how: str


class FileState(NamedTuple):
    """One way the content of a file may have come out."""

    label: str
    content: bytes
    mode: int


def replay(base: SimDisk, log: Iterable[Step]) -> SimDisk:
    """The disk after some steps, with what was pending then still pending."""
    disk = base.copy()
    for step in log:
        disk.apply(step)
    return disk


def settled(disk: SimDisk) -> SimDisk:
    """The disk after an orderly shutdown: everything seen is durable. Also the state a killed process leaves."""
    return _build(disk, [True] * len(disk.pending), {})


def random_state(disk: SimDisk, rng: random.Random) -> CrashState:
    """One state a power cut may leave, the extremes (everything lost, nothing lost) more often than by chance."""
    bias = rng.choice((0.0, 1.0, 0.5, 0.8, rng.random()))
    kept = [rng.random() < bias for _ in disk.pending]
    chosen: dict[int, FileState] = {}
    for number in _unsynced(disk, _names_after(disk, kept)):
        chosen[number] = rng.choice(_file_states(disk.file(number), rng))
    return CrashState(_build(disk, kept, chosen), _describe(disk, kept, chosen))


def every_state(disk: SimDisk) -> Iterator[CrashState]:
    """All states a power cut may leave, each once.

    Empty folders are taken for alike: of those that wait for their names to last, none, one or all do. Where more
    than 8 changes of names are pending at once, as when many packs are deleted, only none, all, each one alone
    and each one missing are built; and content takes at most 64 forms per file.
    """
    seen: set[bytes] = set()
    for kept in _every_choice(disk):
        numbers = _unsynced(disk, _names_after(disk, kept))
        options = [_file_states(disk.file(number), None)[:_CONTENTS_AT_MOST] for number in numbers]
        for states in itertools.product(*options):
            chosen = dict(zip(numbers, states, strict=True))
            state = CrashState(_build(disk, kept, chosen), _describe(disk, kept, chosen))
            key = fingerprint(state.disk)
            if key not in seen:
                seen.add(key)
                yield state


def fingerprint(disk: SimDisk) -> bytes:
    """A digest of all paths and contents that a program sees."""
    digest = sha256()
    for path in sorted(disk.paths()):
        node = disk.nodes[disk.number_of(path)]
        content = node.content if isinstance(node, File) else b""
        digest.update(f"{path}\0{isinstance(node, File)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.digest()


# --- choosing ----------------------------------------------------------------------------------------


def _every_choice(disk: SimDisk) -> Iterator[list[bool]]:
    units = _units(disk)
    if len(units) > _UNITS_AT_MOST:
        choices: Iterable[tuple[int, ...]] = _few_choices(len(units))
    else:
        choices = itertools.product(*(range(3 if len(unit) > 1 else 2) for unit in units))
    for choice in choices:
        kept = [False] * len(disk.pending)
        for unit, part in zip(units, choice, strict=True):
            # 0: none of the unit lasts, 1: all of it, 2: only its first.
            for position in unit[: (0, len(unit), 1)[part]]:
                kept[position] = True
        yield kept


def _few_choices(count: int) -> Iterator[tuple[int, ...]]:
    yield (0,) * count
    yield (1,) * count
    for lone in range(count):
        yield tuple(int(position == lone) for position in range(count))
        yield tuple(int(position != lone) for position in range(count))


def _units(disk: SimDisk) -> list[list[int]]:
    """Pending changes that are decided together: new empty folders of one folder, and else each by itself."""
    alike: dict[int, list[int]] = {}
    units: list[list[int]] = []
    for position, change in enumerate(disk.pending):
        made = disk.nodes.get(change.number)
        if isinstance(made, Folder) and not made.names and not change.removes:
            if change.folder not in alike:
                units.append(alike.setdefault(change.folder, []))
            alike[change.folder].append(position)
        else:
            units.append([position])
    return units


def _file_states(file: File, rng: random.Random | None) -> list[FileState]:
    """How a file with unsynchronised content may come out; with randomness, a mixture of sectors too."""
    sure, content = file.durable_bytes, file.content
    sectors = range((sure // SECTOR_BYTES + 1) * SECTOR_BYTES, len(content), SECTOR_BYTES)
    states = [
        FileState("nothing of it", content[:sure], file.durable_mode),
        FileState("all of it", content, file.mode),
        FileState("zeros", content[:sure] + bytes(len(content) - sure), file.durable_mode),
    ]
    for end in sectors:
        states.append(FileState(f"{end} bytes of it", content[:end], file.durable_mode))
        states.append(FileState(f"zeros from {end} on", content[:end] + bytes(len(content) - end), file.mode))
    if rng is not None and sectors:
        mixed = bytearray(content)
        lost = [start for start in (sure, *sectors) if rng.random() < 0.5]
        for start in lost:
            end = min(len(content), (start // SECTOR_BYTES + 1) * SECTOR_BYTES)
            mixed[start:end] = bytes(end - start)
        states.append(FileState(f"zeros in {len(lost)} sectors", bytes(mixed), file.mode))
    return states


# --- building ----------------------------------------------------------------------------------------


def _names_after(disk: SimDisk, kept: Sequence[bool]) -> dict[int, dict[str, int]]:
    names = {number: dict(node.durable) for number, node in disk.nodes.items() if isinstance(node, Folder)}
    for change, lasts in zip(disk.pending, kept, strict=True):
        if lasts:
            change.apply(names[change.folder])
    return names


def _reachable(names: dict[int, dict[str, int]]) -> list[int]:
    found = [ROOT]
    for number in found:
        found += names.get(number, {}).values()
    return list(dict.fromkeys(found))


def _unsynced(disk: SimDisk, names: dict[int, dict[str, int]]) -> list[int]:
    """Files that still have a name and content that is not sure to last."""
    found: list[int] = []
    for number in _reachable(names):
        node = disk.nodes[number]
        if isinstance(node, File) and node.durable_bytes < len(node.content):
            found.append(number)
    return found


def _build(disk: SimDisk, kept: Sequence[bool], chosen: dict[int, FileState]) -> SimDisk:
    names = _names_after(disk, kept)
    built = SimDisk()
    built.newest = disk.newest
    for number in _reachable(names):
        node = disk.nodes[number]
        if isinstance(node, Folder):
            folder = built.nodes[number] = Folder()
            folder.names, folder.durable = names[number], dict(names[number])
        else:
            built.nodes[number] = _built_file(node, chosen.get(number))
    return built


def _built_file(file: File, state: FileState | None) -> File:
    twin = file.copy()
    if state is not None:
        twin.content, twin.mode = state.content, state.mode
    twin.durable_bytes, twin.durable_mode, twin.lost = len(twin.content), twin.mode, False
    return twin


def _describe(disk: SimDisk, kept: Sequence[bool], chosen: dict[int, FileState]) -> str:
    words: list[str] = []
    for change, lasts in zip(disk.pending, kept, strict=True):
        text = " ".join(filter(None, [change.removes and f"-{change.removes}", change.adds and f"+{change.adds}"]))
        words.append(f"{'kept' if lasts else 'lost'} {text}")
    if len(words) > 2 * _UNITS_AT_MOST:
        words = [f"{sum(kept)} of {len(kept)} changes of names kept"]
    words += [f"inode {number}: {state.label}" for number, state in chosen.items()]
    return "; ".join(words) or "nothing was pending"
