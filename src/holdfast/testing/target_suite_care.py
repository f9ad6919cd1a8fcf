"""The part of the conformance suite of targets about marks, removal and damage."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from holdfast.model.backup import Marks
from holdfast.model.event import ignore
from holdfast.protocols.target import Target
from holdfast.testing.target_compare import identifiers, noticed
from holdfast.testing.target_content import (
    NOON,
    database,
    flipped,
    make_backup,
    small_tree,
    tables,
)

_TABLES = {"comments": b'{"table": "comments", "rows": []}', "users": b'{"table": "users", "rows": [1]}'}


class CareTests:
    """What happens to a backup after it was made."""

    def damageable(self, root: Path) -> Sequence[Path]:
        """Files of which each bit counts."""
        return sorted(path for path in root.rglob("*") if path.is_file() and ".holdfast" not in path.parts)

    # --- marks, removal ---

    def test_marks(self, target: Target, reopen: Callable[[], Target]) -> None:
        stored = make_backup(target, [database(b"1")])
        other = make_backup(target, [database(b"2")], moment=NOON + timedelta(days=1))
        assert stored.marks == Marks()
        moment = datetime(2024, 2, 3, 4, 5, 6, tzinfo=UTC)
        marks = Marks(hold_reason="before the move, 100% / ü", held_at=moment, verified_at=moment)
        target.mark(stored, marks)
        again = reopen()
        by_id = {backup.backup_id: backup for backup in again.backups()}
        assert by_id[stored.backup_id].marks == marks
        assert by_id[other.backup_id].marks == Marks()
        again.mark(by_id[stored.backup_id], Marks(damaged_at=moment, damage="a bit"))
        assert {backup.marks.damage for backup in again.backups()} == {"", "a bit"}
        assert {backup.marks.held for backup in again.backups()} == {False}
        assert again.verify(by_id[stored.backup_id], ignore) == []
        again.close()

    def test_removal(self, target: Target, reopen: Callable[[], Target]) -> None:
        stored = [
            make_backup(target, [database(b"%d" % n), small_tree()], moment=NOON + n * timedelta(1)) for n in range(4)
        ]
        target.mark(stored[1], Marks(hold_reason="x", held_at=NOON))
        target.remove([stored[1], stored[3]])
        assert identifiers(target) == identifiers(reopen()) == [stored[2].backup_id, stored[0].backup_id]
        for backup in (stored[0], stored[2]):
            assert target.verify(backup, ignore) == []
        target.remove([])
        target.remove([stored[0], stored[2]])
        assert identifiers(target) == []
        again = make_backup(target, [database(b"again")], moment=NOON + timedelta(days=1))
        assert again.marks == target.backups()[0].marks == Marks()

    # --- damage ---

    def test_verify_finds_nothing_in_what_is_whole(self, target: Target) -> None:
        made = [database(b"SQLite format 3\0" + bytes(3000)), tables(_TABLES), small_tree()]
        assert target.verify(make_backup(target, made), ignore) == []

    def test_verify_finds_every_flipped_bit(
        self, target: Target, reopen: Callable[[], Target], root: Path | None, rng: random.Random
    ) -> None:
        stored = make_backup(target, [database(rng.randbytes(3000)), tables(_TABLES), small_tree()])
        for path in self.damageable(root) if root is not None else ():
            size = path.stat().st_size
            for position in sorted({0, size // 2, size - 1, rng.randrange(size)}) if size else ():
                for _ in flipped(path, position):
                    assert noticed(reopen, stored), f"byte {position} of {path.name}"
        assert target.verify(stored, ignore) == []

    def test_verify_finds_what_is_cut_or_gone(
        self, target: Target, reopen: Callable[[], Target], root: Path | None
    ) -> None:
        stored = make_backup(target, [database(bytes(3000)), tables(_TABLES), small_tree()])
        for path in self.damageable(root) if root is not None else ():
            content = path.read_bytes()
            path.chmod(0o600)
            path.write_bytes(content[:-1])
            assert noticed(reopen, stored), f"{path.name} is cut"
            path.unlink()
            assert noticed(reopen, stored), f"{path.name} is gone"
            path.write_bytes(content)
        assert target.verify(stored, ignore) == []
