"""What a check is asked and what it answers."""

from __future__ import annotations

import msgspec

from holdfast.model.ids import PackId, SnapshotId
from holdfast.repository.check.subset import Subset


class CheckOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How thoroughly to check.

    Attributes:
        read_data: read every pack and open every blob in it.
        subset: read only these packs; implies reading.
        find_hurt: name the snapshots and files that damage hurts.
    """

    read_data: bool = False
    subset: Subset | None = None
    find_hurt: bool = True


class Hurt(msgspec.Struct, frozen=True, gc=False):
    """A file or directory of a snapshot that cannot be restored as it was."""

    snapshot: SnapshotId
    path: bytes


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong, or worth knowing.

    Attributes:
        code: stable and English, such as `pack-damaged`.
        object: what it is about: a stored file, a tree or a blob.
        detail: what is wrong with it.
        hurts: some of the files that cannot be restored because of it, from the newest snapshots.
    """

    code: str
    object: str
    detail: str
    hurts: tuple[Hurt, ...] = ()


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found.

    Attributes:
        errors: damage. Every broken pack is listed; of other kinds at most 1000 each.
        hints: oddities that are no damage and that prune or repair tidy up.
        notes: things that are fine and may surprise, such as packs that an interrupted backup left.
        problems: how many errors there are, those not listed included.
        damaged_packs: packs that are missing, damaged or of the wrong size.
        hurt_snapshots: snapshots that cannot be restored whole.
        suggestions: what helps: `repair-index`, `repair-packs`, `repair-snapshots`, `remove-key`, `prune`.
        snapshots, trees, packs: how many there are; trees count once, however often they are used.
        packs_read, blobs_read, bytes_read: what was read and opened; bytes are those of whole packs.
    """

    errors: tuple[Finding, ...]
    hints: tuple[Finding, ...]
    notes: tuple[Finding, ...]
    problems: int
    damaged_packs: tuple[PackId, ...]
    hurt_snapshots: tuple[SnapshotId, ...]
    suggestions: tuple[str, ...]
    snapshots: int
    trees: int
    packs: int
    packs_read: int
    blobs_read: int
    bytes_read: int
    duration_s: float

    @property
    def whole(self) -> bool:
        """Whether there is no damage."""
        return not self.problems
