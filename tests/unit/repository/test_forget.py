"""Removing snapshots by policy and by name."""

from __future__ import annotations

import pytest

from holdfast.backends.memory import MemoryBackend
from holdfast.errors import AccessDenied, Interrupted, LockLost, RetentionRefused
from holdfast.model.event import Event, Progress, Warned
from holdfast.model.ids import BlobId
from holdfast.model.instant import Instant
from holdfast.model.snapshot import Snapshot
from holdfast.policy.grouping import GroupBy
from holdfast.policy.retention import KeepPolicy
from holdfast.policy.selection import SnapshotFilter
from holdfast.protocols import FileKind, Handle
from holdfast.repository.forget import FROM_THE_FUTURE, ForgetOptions, forget, plan_by_name, plan_by_policy
from holdfast.repository.locks import acquire
from holdfast.repository.repository import Repository
from holdfast.repository.snapshots import load_snapshots, save_snapshot
from holdfast.runtime.cancel import CancelToken
from holdfast.testing.fake_clock import FakeClock
from repository_kit import new_repository

DAY_NS = 86400 * 10**9
NOW = FakeClock().now()


def snapshot(days_old: float, *, host: str = "host", path: str = "/data", tags: tuple[str, ...] = ()) -> Snapshot:
    time = Instant(ns=NOW.ns - round(days_old * DAY_NS))
    return Snapshot(time=time, tree=BlobId(bytes(31) + b"\x01"), paths=(path,), hostname=host, tags=tags)


def stored(repository: Repository, *snapshots: Snapshot) -> list[Snapshot]:
    return [save_snapshot(repository, one) for one in snapshots]


def keep_last(count: int, **options: object) -> ForgetOptions:
    return ForgetOptions(policy=KeepPolicy(last=count), **options)  # type: ignore[arg-type]


def test_policy_is_applied_to_each_group() -> None:
    snapshots = [snapshot(age, host=host) for age in (1, 2, 3) for host in ("a", "b")]
    plan = plan_by_policy(snapshots, keep_last(2), now=NOW)
    assert [group.key.hostname for group in plan.groups] == ["a", "b"]
    assert {one.time.ns for one in plan.remove} == {NOW.ns - 3 * DAY_NS}
    assert [kept.reasons for kept in plan.groups[0].keep] == [("last snapshot",), ("last snapshot",)]


def test_only_chosen_snapshots_are_looked_at() -> None:
    snapshots = [snapshot(age, host=host) for age in (1, 2) for host in ("a", "b")]
    plan = plan_by_policy(snapshots, keep_last(1, chosen=SnapshotFilter(hosts=("b",))), now=NOW)
    assert [one.hostname for one in plan.remove] == ["b"]


def test_everything_may_be_one_group() -> None:
    plan = plan_by_policy([snapshot(1, host="a"), snapshot(2, host="b")], keep_last(1, group_by=GroupBy()), now=NOW)
    assert [one.hostname for one in plan.remove] == ["b"]


def test_empty_policy_is_refused_even_without_snapshots() -> None:
    with pytest.raises(RetentionRefused):
        plan_by_policy([], ForgetOptions(policy=KeepPolicy()), now=NOW)


def test_policy_that_keeps_nothing_of_a_group_is_refused() -> None:
    options = ForgetOptions(policy=KeepPolicy(tags=(("keep",),)))
    with pytest.raises(RetentionRefused):
        plan_by_policy([snapshot(1, host="a", tags=("keep",)), snapshot(1, host="b")], options, now=NOW)


def test_all_of_a_group_goes_only_when_filtered_and_insisted_on() -> None:
    snapshots = [snapshot(1, host="a"), snapshot(1, host="b")]
    unfiltered = ForgetOptions(policy=KeepPolicy(), unsafe_allow_remove_all=True)
    with pytest.raises(RetentionRefused, match="filter"):
        plan_by_policy(snapshots, unfiltered, now=NOW)
    filtered = ForgetOptions(policy=KeepPolicy(), unsafe_allow_remove_all=True, chosen=SnapshotFilter(hosts=("a",)))
    assert [one.hostname for one in plan_by_policy(snapshots, filtered, now=NOW).remove] == ["a"]


def test_snapshots_from_the_future_take_nobodys_place() -> None:
    genuine = [snapshot(age) for age in (1, 2, 3)]
    forged = [snapshot(-age) for age in (2, 400, 36500)]
    plan = plan_by_policy([*genuine, *forged], keep_last(3), now=NOW)
    assert plan.remove == ()
    assert set(plan.future) == set(forged)
    assert {kept.snapshot for kept in plan.groups[0].keep if kept.reasons == (FROM_THE_FUTURE,)} == set(forged)


def test_only_future_snapshots_left_of_a_group_is_refused() -> None:
    options = ForgetOptions(policy=KeepPolicy(tags=(("keep",),)))
    with pytest.raises(RetentionRefused):
        plan_by_policy([snapshot(1), snapshot(-30, tags=("keep",))], options, now=NOW)


def test_a_clock_a_little_ahead_is_no_future() -> None:
    plan = plan_by_policy([snapshot(-0.9), snapshot(1)], keep_last(1), now=NOW)
    assert [one.time.ns for one in plan.remove] == [NOW.ns - DAY_NS]
    assert plan.future == ()


def test_a_clock_far_behind_removes_nothing() -> None:
    behind = Instant(ns=NOW.ns - 3650 * DAY_NS)
    plan = plan_by_policy([snapshot(age) for age in range(10)], keep_last(1), now=behind)
    assert plan.remove == ()


def test_plan_is_carried_out_and_nothing_else(repository: Repository) -> None:
    stored(repository, *(snapshot(age) for age in range(5)))
    plan = plan_by_policy(load_snapshots(repository), keep_last(2), now=NOW)
    events: list[Event] = []
    with acquire(repository, True) as lock:
        report = forget(repository, lock, plan, listener=events.append)
    assert set(report.removed) == {one.id for one in plan.remove}
    assert report.failed == ()
    assert [round((NOW.ns - one.time.ns) / DAY_NS) for one in load_snapshots(repository)] == [1, 0]
    last = [event for event in events if isinstance(event, Progress)][-1]
    assert (last.items_done, last.items_total) == (3, 3)


def test_snapshots_are_removed_by_name(repository: Repository) -> None:
    first, second = stored(repository, snapshot(1), snapshot(2))
    with acquire(repository, True) as lock:
        report = forget(repository, lock, plan_by_name([first, first]))
    assert report.removed == (first.id,)
    assert [one.id for one in load_snapshots(repository)] == [second.id]


def test_future_snapshots_are_reported(repository: Repository) -> None:
    stored(repository, snapshot(1), snapshot(-100))
    events: list[Event] = []
    with acquire(repository, True) as lock:
        forget(
            repository,
            lock,
            plan_by_policy(load_snapshots(repository), keep_last(1), now=NOW),
            listener=events.append,
        )
    assert [event.code for event in events if isinstance(event, Warned)] == ["snapshot-from-the-future"]


def test_shared_lock_is_not_enough(repository: Repository) -> None:
    plan = plan_by_name(stored(repository, snapshot(1)))
    with acquire(repository, False) as lock, pytest.raises(ValueError, match="exclusive"):
        forget(repository, lock, plan)
    assert len(load_snapshots(repository)) == 1


def test_nothing_is_deleted_once_the_lock_is_lost(repository: Repository) -> None:
    plan = plan_by_name(stored(repository, snapshot(1), snapshot(2)))
    with acquire(repository, True) as lock:
        lock.release()
        with pytest.raises(LockLost):
            forget(repository, lock, plan)
    assert len(load_snapshots(repository)) == 2


def test_cancelled_before_the_first_deletion(repository: Repository) -> None:
    plan = plan_by_name(stored(repository, snapshot(1)))
    token = CancelToken()
    token.cancel()
    with acquire(repository, True) as lock, pytest.raises(Interrupted):
        forget(repository, lock, plan, cancel=token)
    assert len(load_snapshots(repository)) == 1


class AppendOnly(MemoryBackend):
    """Refuses to delete anything but locks, as an append-only server does."""

    def remove(self, handle: Handle) -> None:
        if handle.kind is not FileKind.LOCK:
            raise AccessDenied(url=self.url, object=str(handle), reason="append-only")
        super().remove(handle)


def test_what_cannot_be_deleted_is_reported(clock: FakeClock) -> None:
    repository = new_repository(AppendOnly("test"), clock=clock)
    (one,) = stored(repository, snapshot(1))
    with acquire(repository, True) as lock:
        report = forget(repository, lock, plan_by_name([one]))
    assert report.removed == ()
    assert [(failure.name, failure.code) for failure in report.failed] == [(one.id, "access-denied")]


def test_what_somebody_else_deleted_is_no_failure(repository: Repository) -> None:
    (one,) = stored(repository, snapshot(1))
    assert one.id is not None
    repository.remove(FileKind.SNAPSHOT, one.id)
    with acquire(repository, True) as lock:
        assert forget(repository, lock, plan_by_name([one])).removed == (one.id,)
