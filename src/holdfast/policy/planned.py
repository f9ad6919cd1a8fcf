"""A policy as the scheduler sees it: what is to be done, when, and what then."""

from __future__ import annotations

import msgspec

from holdfast.model.backup import BackupType
from holdfast.policy.backup_retention import KeepRules
from holdfast.policy.schedule import Schedule, schedule_of


class PlannedPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """A policy with everything that decides about its runs.

    Attributes:
        schedule: as `holdfast.policy.cron` reads it.
        timezone: on whose clock, a name of the IANA database.
        sources, targets: names; empty for all.
        keep: the rules for its targets; None leaves those of the targets.
        jitter_s: its runs start later by a fixed part of this, which differs between hosts.
        retries: how often a run that failed is repeated.
        retry_delay_s: wait before the first repetition; doubled each further time.
        timeout_s: a run that takes longer is ended.
        enabled: whether the schedule counts.
    """

    name: str
    schedule: str
    timezone: str = "UTC"
    type: BackupType = BackupType.FULL
    sources: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    keep: KeepRules | None = None
    jitter_s: float = 0
    retries: int = 0
    retry_delay_s: float = 300
    timeout_s: float = 86_400
    enabled: bool = True

    @property
    def due(self) -> Schedule:
        """When it is due.

        Raises:
            ValueError: its schedule is none.
        """
        return schedule_of(self.schedule, self.timezone)
