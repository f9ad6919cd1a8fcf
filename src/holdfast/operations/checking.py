"""What a look at a stored backup proves, and what is noted of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from holdfast.errors import Phrase, joined
from holdfast.model.backup import Marks, StoredBackup
from holdfast.model.component import Problem
from holdfast.protocols.target import MayNotOpen, Target

_SHOWN = 3


def looks_inside(target: Target, backup: StoredBackup) -> bool:
    """Whether the target's `verify` reads the content of a backup, and not only the files' checksums."""
    return not isinstance(target, MayNotOpen) or target.opens(backup)


def noted(marks: Marks, problems: Sequence[Problem], now: datetime, *, opened: bool) -> Marks:
    """The marks of a backup after it was read.

    INVARIANT: a backup whose content nobody looked at is never called verified. Checksums that are right leave what is
    known of the content as it is: it was seen to be whole, or damaged, or it was never seen.

    Args:
        marks: as they were.
        problems: what is wrong.
        opened: whether the content was read.
    """
    if problems:
        return msgspec.structs.replace(
            marks, verified_at=None, checked_at=None, damaged_at=now, damage=damage_of(problems)
        )
    if opened:
        # What reads back right is whole, whatever was noted before: a disk or cable may have been put right.
        return msgspec.structs.replace(marks, verified_at=now, checked_at=None, damaged_at=None, damage="")
    return msgspec.structs.replace(marks, checked_at=now)


def damage_of(problems: Sequence[Problem]) -> str:
    """The first of some problems in one line."""
    return joined("; ", [_told(problem) for problem in problems[:_SHOWN]])


def _told(problem: Problem) -> Phrase:
    return Phrase("{subject}: {detail}", {"subject": problem.subject, "detail": problem.detail or problem.code})
