"""Which notices a run that has ended raises: pure, from the run, the runs before it and a few facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from holdfast.model.notice import Notice
from holdfast.model.run import Run

DAMAGED_EXIT = 4
"""Exit status of everything that found stored bytes damaged."""

REFUSALS = frozenset({"backup-held", "last-good-backup", "retention-refused", "still-needed"})
_REMOVING = frozenset({"rotate", "cleanup", "delete"})
_LEAST_CHANGE_BYTES = 1 << 20


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Retention removed nothing in a target, and why: an English sentence."""

    target: str
    reason: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known after a run besides the run itself.

    Attributes:
        free_bytes: by target; None where nobody can tell.
        newest_bytes: by target, what the newest backup takes there.
        refusals: of retention.
    """

    free_bytes: dict[str, int | None] = {}
    newest_bytes: dict[str, int] = {}
    refusals: tuple[Refusal, ...] = ()


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """When a change is worth telling.

    Attributes:
        low_space_bytes: less free than this is little.
        space_factor: so is less than so many times the newest backup.
        change_factor: a backup so many times smaller or larger than the usual one has shrunk or grown.
        compared: with how many backups before it; fewer than three say nothing about what is usual.
    """

    low_space_bytes: int = 0
    space_factor: float = 2.0
    change_factor: float = 2.0
    compared: int = 5


def notices_of(run: Run, previous: Sequence[Run], facts: Facts, limits: Limits | None = None) -> list[Notice]:
    """The notices, the most important first.

    Args:
        run: has ended.
        previous: runs of the same application that ended before, newest first.
        facts: about targets and retention.
        limits: when a change is worth telling.
    """
    raise NotImplementedError


def started(run: Run) -> Notice | None:
    """What a run that begins raises; only backups tell of it."""
    raise NotImplementedError


def facts_of(report: Mapping[str, object], free_bytes: Mapping[str, int | None]) -> Facts:
    """The facts in the plain document of a report on a backup or on retention."""
    raise NotImplementedError
