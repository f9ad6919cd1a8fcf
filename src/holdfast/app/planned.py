"""The policies of a configuration as the scheduler takes them."""

from __future__ import annotations

from holdfast.app.building import union
from holdfast.config.model import Config, Policy
from holdfast.policy.planned import PlannedPolicy


def planned_policies(config: Config) -> dict[str, PlannedPolicy]:
    """All policies that have a schedule, by name."""
    return {name: _planned(name, policy, config) for name, policy in config.policies.items() if policy.schedule}


def _planned(name: str, policy: Policy, config: Config) -> PlannedPolicy:
    return PlannedPolicy(
        name=name,
        schedule=policy.schedule or "",
        timezone=config.app.timezone,
        type=policy.type,
        sources=policy.sources,
        targets=policy.targets,
        keep=None if policy.keep is None else union([policy.keep]),
        jitter_s=policy.jitter_s,
        retries=policy.retries,
        retry_delay_s=policy.retry_delay_s,
        timeout_s=policy.timeout_s,
        enabled=policy.enabled,
    )
