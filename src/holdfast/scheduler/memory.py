"""What the scheduler remembers about a policy besides its runs."""

from __future__ import annotations

from datetime import datetime

import msgspec

from holdfast.policy.planned import PlannedPolicy


class PolicyMemory(msgspec.Struct, frozen=True, kw_only=True):
    """Kept in the catalog for each policy.

    Attributes:
        schedule, timezone: as they were when `since` began.
        since: only what is due later counts: the policy was new then, or its schedule another one.
        judged: up to which due time it is decided whether a run began in time.
        trouble: the newest due time at which something went wrong and nobody has heard of a recovery yet.
    """

    schedule: str
    timezone: str
    since: datetime
    judged: datetime
    trouble: datetime | None = None


def begun(policy: PlannedPolicy, now: datetime) -> PolicyMemory:
    """What is remembered about a policy that is new."""
    return PolicyMemory(schedule=policy.schedule, timezone=policy.timezone, since=now, judged=now)


def followed(memory: PolicyMemory | None, policy: PlannedPolicy, now: datetime) -> PolicyMemory:
    """What counts now: as remembered, or from now on if the policy is new or its schedule has changed.

    A beginning that lies ahead of us was written by a clock that was wrong.
    """
    if memory is None:
        return begun(policy, now)
    if (memory.schedule, memory.timezone) == (policy.schedule, policy.timezone) and memory.since <= now:
        return memory
    return msgspec.structs.replace(begun(policy, now), trouble=memory.trouble)


def memory_key(app: str, policy: str) -> str:
    """The name under which it is kept."""
    return f"scheduler:{app}:{policy}"


def read_memory(document: object) -> PolicyMemory | None:
    """Reads what was kept; None if it was never kept or is of another form."""
    try:
        return msgspec.convert(document, PolicyMemory)
    except msgspec.ValidationError:
        return None
