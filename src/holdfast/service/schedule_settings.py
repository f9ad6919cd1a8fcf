"""The schedule that an admin panel sets, and what the scheduler makes of it and of the configuration."""

from __future__ import annotations

from typing import Any

import msgspec

from holdfast.app.planned import planned_policies
from holdfast.catalog.settings import Settings
from holdfast.config.model import Config
from holdfast.model.backup import BackupType
from holdfast.operations.requests import CreateRequest
from holdfast.policy.backup_retention import KeepRules
from holdfast.policy.planned import PlannedPolicy
from holdfast.runtime.clock import Clock

KEY = "schedule"
INCREMENTAL_WANTED = "schedule:incremental-wanted"
FULL, INCREMENTAL, COMPONENT = "api-full", "api-incremental", "api-"


class PanelSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """What a panel set: frequencies are `hourly`, `daily`, `weekly` or `monthly`; `components` have their own.

    This is what is read, with `enabled` false, while nobody has set anything.
    """

    full_backup_frequency: str = "weekly"
    incremental_backup_frequency: str = "daily"
    retention_days: int = 30
    enabled: bool = False
    components: dict[str, str] = {}


class ScheduleSettings:
    """Policies of the configuration, and those of the panel beside them.

    Args:
        settings: where the panel's schedule is kept.
        config: of the application.
    """

    def __init__(self, settings: Settings, config: Config, clock: Clock) -> None:
        self._settings = settings
        self._config = config
        self._clock = clock

    def get(self) -> dict[str, Any]:
        """The panel's schedule as a document, with the moments at which its runs are due next."""
        now = self._clock.now().at()
        due = {name: policy.due.next_after(now) for name, policy in self._panel().items() if policy.enabled}
        found: dict[str, Any] = msgspec.to_builtins(self._kept())
        return {**found, "next_runs": {name: at.strftime("%Y-%m-%dT%H:%M:%SZ") for name, at in due.items()}}

    def put(self, schedule: PanelSchedule) -> dict[str, Any]:
        """Keeps the panel's schedule; returns what `get` does."""
        self._settings.put(KEY, msgspec.to_builtins(schedule))
        return self.get()

    def policies(self) -> dict[str, PlannedPolicy]:
        """All policies with a schedule, by name."""
        return {**self._panel(), **planned_policies(self._config)}

    def keeps_state(self) -> bool:
        """Whether backups keep what incremental ones compare with, although the configuration does not say so."""
        if self._config.app.keep_state is not None:
            return False
        return self._kept().enabled or self._settings.get(INCREMENTAL_WANTED) is not None

    def expect_incremental(self) -> None:
        """Somebody asks for incremental backups: from now on there is something that they can build on."""
        if self._settings.get(INCREMENTAL_WANTED) is None:
            self._settings.put(INCREMENTAL_WANTED, True)

    def _kept(self) -> PanelSchedule:
        kept = self._settings.get(KEY)
        return PanelSchedule() if kept is None else msgspec.convert(kept, PanelSchedule)

    def _panel(self) -> dict[str, PlannedPolicy]:
        kept = self._kept()
        keep = KeepRules(days=kept.retention_days)
        zone = self._config.app.timezone

        def planned(name: str, frequency: str, kind: BackupType, sources: tuple[str, ...] = ()) -> PlannedPolicy:
            return PlannedPolicy(
                name=name,
                schedule=frequency,
                timezone=zone,
                type=kind,
                sources=sources,
                keep=keep,
                retries=2,
                enabled=kept.enabled,
            )

        policies = [
            planned(FULL, kept.full_backup_frequency, BackupType.FULL),
            planned(INCREMENTAL, kept.incremental_backup_frequency, BackupType.INCREMENTAL),
            *(
                planned(f"{COMPONENT}{name}", frequency, BackupType.FULL, (name,))
                for name, frequency in kept.components.items()
                if name in self._config.sources
            ),
        ]
        return {policy.name: policy for policy in policies}


def create_request(policy: PlannedPolicy) -> dict[str, object]:
    """What is asked of `create` for a run of a policy, as a plain document."""
    request = CreateRequest(
        type=policy.type,
        sources=policy.sources,
        targets=policy.targets,
        keep=policy.keep,
        fallback=True,
        label=policy.name,
    )
    document: dict[str, object] = msgspec.to_builtins(request)
    return document
