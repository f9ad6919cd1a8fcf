"""Removing snapshots: a plan made by a pure function, then its execution.

Forgetting deletes snapshot files only. The data they alone referred to stays until `prune`.

A snapshot dated more than a day ahead is set aside: it stays, it takes no other's place in the policy, and nothing is
measured back from it. Whoever can only add files to a repository could otherwise make a policy drop every genuine
snapshot by adding some from the future.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from holdfast.errors import RetentionRefused
from holdfast.model.event import Listener, Warned, ignore
from holdfast.model.ids import SnapshotId, short
from holdfast.model.instant import Instant
from holdfast.model.snapshot import Snapshot
from holdfast.policy import retention
from holdfast.policy.calendar import DAY_NS
from holdfast.policy.grouping import HOST_AND_PATHS, GroupBy, GroupKey, group
from holdfast.policy.retention import KeepPolicy, Kept
from holdfast.policy.selection import EVERYTHING, SnapshotFilter
from holdfast.protocols import FileKind
from holdfast.repository.locks import RepositoryLock
from holdfast.repository.removal import RemovalFailure, remove_files
from holdfast.repository.repository import Repository
from holdfast.runtime.cancel import CancelToken

PLAUSIBLE_AHEAD_NS = DAY_NS
"""How far a clock may be ahead of ours before a snapshot of its is set aside."""

FROM_THE_FUTURE = "dated in the future"


class ForgetOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy is applied to, and how.

    Attributes:
        policy: the rules.
        chosen: which snapshots are looked at; no other is removed.
        group_by: the policy is applied to each group of its own.
        unsafe_allow_remove_all: let an empty policy, or one that keeps nothing, remove all of a group.
    """

    policy: KeepPolicy
    chosen: SnapshotFilter = EVERYTHING
    group_by: GroupBy = HOST_AND_PATHS
    unsafe_allow_remove_all: bool = False


class ForgetGroup(msgspec.Struct, frozen=True, kw_only=True):
    """The decision for one group, newest first."""

    key: GroupKey
    keep: tuple[Kept, ...]
    remove: tuple[Snapshot, ...]


class ForgetPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be removed, and what stays for which reasons.

    Attributes:
        groups: in the order of their keys.
        future: snapshots that were set aside because of their date; they stay.
    """

    groups: tuple[ForgetGroup, ...]
    future: tuple[Snapshot, ...] = ()

    @property
    def remove(self) -> tuple[Snapshot, ...]:
        """Everything that goes."""
        return tuple(snapshot for group in self.groups for snapshot in group.remove)


class ForgetReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a run removed, and which snapshot files could not be deleted."""

    removed: tuple[SnapshotId, ...]
    failed: tuple[RemovalFailure, ...] = ()


def plan_by_policy(snapshots: Iterable[Snapshot], options: ForgetOptions, *, now: Instant) -> ForgetPlan:
    """Applies a retention policy to each group of the chosen snapshots.

    Args:
        snapshots: all that there are.
        options: the policy and what it is about.
        now: the present.

    Raises:
        RetentionRefused: the policy is empty or would remove all of a group, and that was not allowed; or it was
            allowed without saying for which snapshots.
    """
    allow = options.unsafe_allow_remove_all
    if allow and options.policy.empty and options.chosen == EVERYTHING:
        # SAFETY: restic asks for the same: nobody empties a repository with a single switch.
        raise RetentionRefused(reason="removing all snapshots needs a filter by host, tag or path")
    if options.policy.empty and not allow:
        raise RetentionRefused(reason="the policy keeps nothing")
    groups = group(options.chosen.choose(snapshots), options.group_by)
    planned = [_plan_group(key, members, options, now) for key, members in groups.items()]
    future = tuple(one for members in groups.values() for one in members if _is_ahead(one, now))
    return ForgetPlan(groups=tuple(planned), future=future)


def _plan_group(key: GroupKey, members: Sequence[Snapshot], options: ForgetOptions, now: Instant) -> ForgetGroup:
    ahead = [Kept(one, (FROM_THE_FUTURE,)) for one in members if _is_ahead(one, now)]
    plausible = [one for one in members if not _is_ahead(one, now)]
    plan = retention.apply(plausible, options.policy, now=now, allow_remove_all=options.unsafe_allow_remove_all)
    return ForgetGroup(key=key, keep=(*ahead, *plan.keep), remove=plan.remove)


def _is_ahead(snapshot: Snapshot, now: Instant) -> bool:
    return snapshot.time.ns > now.ns + PLAUSIBLE_AHEAD_NS


def plan_by_name(snapshots: Iterable[Snapshot]) -> ForgetPlan:
    """A plan that removes exactly these snapshots, each once, whatever any policy says."""
    distinct = {snapshot.id: snapshot for snapshot in snapshots}
    return ForgetPlan(groups=(ForgetGroup(key=GroupKey(), keep=(), remove=tuple(distinct.values())),))


def forget(
    repository: Repository,
    lock: RepositoryLock,
    plan: ForgetPlan,
    *,
    listener: Listener = ignore,
    cancel: CancelToken | None = None,
) -> ForgetReport:
    """Carries a plan out: deletes the snapshot files it names and nothing else.

    Args:
        lock: held exclusively; looked after before each deletion.
        listener: told about progress, snapshots set aside and files that cannot be deleted.

    Raises:
        LockLost, Interrupted: stopped; some of the snapshots may be gone by then.
    """
    for snapshot in plan.future:
        subject = f"snapshot {short(snapshot.id or b'')}"
        listener(Warned(code="snapshot-from-the-future", subject=subject, detail=snapshot.time.at().isoformat(sep=" ")))
    names = [snapshot.id for snapshot in plan.remove if snapshot.id is not None]
    done = remove_files(repository, lock, FileKind.SNAPSHOT, names, listener=listener, cancel=cancel)
    return ForgetReport(removed=tuple(map(SnapshotId, done.removed)), failed=done.failed)
