"""Which notices a run raises, from the run, those before it and a few facts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from holdfast.model.notice import Occasion
from holdfast.model.run import Run, RunError, RunState, Trigger
from holdfast.notifiers.occasions import Facts, Limits, Refusal, downloaded, facts_of, notices_of, started

AT = datetime(2026, 5, 1, 2, 0, tzinfo=UTC)
MIB = 1 << 20
NOTHING = Facts()


def _run(state: RunState = RunState.SUCCEEDED, **fields: object) -> Run:
    run = Run(
        run_id=f"{abs(hash(tuple(map(str, fields.items())))):032x}"[:32],
        app="shop",
        operation="create",
        trigger=Trigger.SCHEDULE,
        state=state,
        created_at=AT,
        started_at=AT,
        finished_at=AT + timedelta(minutes=2),
        type="full",
        policy="nightly",
        content_bytes=100 * MIB,
    )
    return msgspec.structs.replace(run, **fields)


def _earlier(count: int, state: RunState = RunState.SUCCEEDED, **fields: object) -> list[Run]:
    return [_run(state, run_id=f"{number:032x}", **fields) for number in range(1, count + 1)]


def _occasions(run: Run, previous: list[Run] | None = None, facts: Facts = NOTHING) -> list[Occasion]:
    return [notice.occasion for notice in notices_of(run, previous or [], facts)]


def _error(code: str = "dump-failed", exit_code: int = 1) -> RunError:
    return RunError(code=code, message="it broke", hint="mend it", exit_code=exit_code, context={"source": "db"})


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (_run(), [Occasion.SUCCESS]),
        (_run(RunState.PARTIAL, error=_error("backup-partial", 3)), [Occasion.WARNING]),
        (_run(RunState.FAILED, error=_error()), [Occasion.FAILURE]),
        (_run(RunState.FAILED, error=_error("backup-damaged", 4)), [Occasion.DAMAGE]),
        (_run(RunState.FAILED, error=_error("retention-refused", 2)), [Occasion.REFUSED]),
        (_run(RunState.LOST), [Occasion.FAILURE]),
        (_run(RunState.CANCELLED), []),
        (_run(RunState.MISSED), []),
        (_run(RunState.FAILED), [Occasion.FAILURE]),
        (_run(operation="restore"), [Occasion.RESTORED]),
        (_run(RunState.FAILED, operation="restore", error=_error()), [Occasion.FAILURE]),
        (_run(RunState.PARTIAL, operation="restore", error=_error()), [Occasion.FAILURE]),
        (_run(operation="export"), [Occasion.RESTORED]),
        (_run(operation="verify"), []),
        (_run(RunState.FAILED, operation="verify", error=_error("damage-found", 4)), [Occasion.DAMAGE]),
        (_run(RunState.FAILED, operation="drill", error=_error()), [Occasion.DRILL_FAILED]),
        (_run(RunState.FAILED, operation="delete", error=_error("backup-held", 2)), [Occasion.REFUSED]),
        (_run(operation="rotate"), []),
    ],
)
def test_outcome(run: Run, expected: list[Occasion]) -> None:
    assert _occasions(run) == expected


@pytest.mark.parametrize("operation", ["create", "restore", "verify", "rotate", "cleanup", "delete", "export", "drill"])
@pytest.mark.parametrize("state", [RunState.FAILED, RunState.LOST, RunState.PARTIAL])
def test_nothing_that_went_wrong_is_silent(state: RunState, operation: str) -> None:
    (notice, *_more) = notices_of(_run(state, operation=operation), [], NOTHING)
    assert notice.occasion not in (Occasion.SUCCESS, Occasion.RECOVERED)


def test_notice_carries_the_error_and_the_run() -> None:
    (notice,) = notices_of(_run(RunState.FAILED, error=_error(), attempt=2, actor="token:1"), [], NOTHING)
    assert (notice.code, notice.message, notice.hint, notice.context) == (
        "dump-failed", "it broke", "mend it", {"source": "db"},
    )  # fmt: skip
    assert notice.values["policy"] == "nightly"
    assert notice.values["attempt"] == "2"
    assert notice.values["actor"] == "token:1"
    assert notice.values["duration_s"] == "120.0"


def test_failure_after_the_backup_does_not_say_there_is_none() -> None:
    (notice,) = notices_of(_run(RunState.FAILED, backup_id="backup_2026_05_01_02_00_00", error=_error()), [], NOTHING)
    assert notice.values["kind"] == "after"


@pytest.mark.parametrize("before", [RunState.FAILED, RunState.PARTIAL, RunState.LOST, RunState.MISSED])
def test_first_success_after_something_else_is_a_recovery(before: RunState) -> None:
    assert Occasion.RECOVERED in _occasions(_run(trigger=Trigger.COMMAND), _earlier(1, before))
    # Of what the scheduler planned, the scheduler tells, together with what did not run at all.
    assert Occasion.RECOVERED not in _occasions(_run(), _earlier(1, before))


def test_recovery_is_told_once_and_for_the_policy_that_failed() -> None:
    asked = _run(trigger=Trigger.COMMAND)
    assert Occasion.RECOVERED not in _occasions(asked, [*_earlier(1), *_earlier(1, RunState.FAILED)])
    assert Occasion.RECOVERED not in _occasions(asked, _earlier(1, RunState.FAILED, policy="hourly"))
    assert Occasion.RECOVERED not in _occasions(asked, _earlier(1, RunState.FAILED, operation="verify"))
    assert Occasion.RECOVERED not in _occasions(
        _run(RunState.PARTIAL, trigger=Trigger.COMMAND), _earlier(1, RunState.FAILED)
    )
    assert Occasion.RECOVERED in _occasions(asked, [*_earlier(1, RunState.CANCELLED), *_earlier(1, RunState.FAILED)])


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (49 * MIB, [Occasion.SHRUNK]),
        (51 * MIB, []),
        (199 * MIB, []),
        (201 * MIB, [Occasion.GROWN]),
        (0, [Occasion.SHRUNK]),
    ],
)
def test_sudden_change_is_told(size: int, expected: list[Occasion]) -> None:
    assert _occasions(_run(content_bytes=size), _earlier(5))[1:] == expected


def test_change_is_against_the_median_of_the_last_five_alike() -> None:
    newest = [*_earlier(3), *_earlier(2, content_bytes=1), *_earlier(9, content_bytes=900 * MIB)]
    assert _occasions(_run(), newest) == [Occasion.SUCCESS]
    assert _occasions(_run(content_bytes=1), _earlier(2)) == [Occasion.SUCCESS]
    assert _occasions(_run(content_bytes=1, type="incremental"), _earlier(5, type="incremental")) == [Occasion.SUCCESS]
    assert _occasions(_run(content_bytes=1), _earlier(5, type="database")) == [Occasion.SUCCESS]
    assert _occasions(_run(content_bytes=10), _earlier(5, content_bytes=1000)) == [Occasion.SUCCESS]


@pytest.mark.parametrize(
    ("free", "limit", "told"),
    [(19, 0, True), (20, 0, False), (20, 21, True), (None, 21, False)],
)
def test_low_space_is_less_than_two_more_or_than_the_limit(free: int | None, limit: int, told: bool) -> None:
    facts = Facts(free_bytes={"local": free}, newest_bytes={"local": 10})
    notices = notices_of(_run(), [], facts, Limits(low_space_bytes=limit))
    assert (Occasion.LOW_SPACE in [notice.occasion for notice in notices]) is told


def test_refusal_of_retention_is_told_with_its_target() -> None:
    facts = Facts(refusals=(Refusal(target="local", reason="the clock is wrong"),))
    success, refused = notices_of(_run(), [], facts)
    assert success.occasion is Occasion.SUCCESS
    assert (refused.values["target"], refused.values["reason"]) == ("local", "the clock is wrong")


def test_facts_of_a_report() -> None:
    report: dict[str, object] = {
        "copies": [
            {"target": "local", "stored": {"manifest": {"total_size": 7}}},
            {"target": "off", "stored": None, "error": {"code": "target"}},
            "garbage",
        ],
        "retention": [
            {"target": "local", "plan": {"refused": "no rule says what to keep"}},
            {"target": "off", "plan": {"refused": "the newest backup lies in the future"}},
            {"target": "far", "plan": None, "error": {"code": "backup-held", "message": "it is held"}},
            {"target": "gone", "error": {"code": "backend-unavailable", "message": "no"}},
        ],
    }
    facts = facts_of(report, {"local": 5})
    assert (facts.newest_bytes, facts.free_bytes) == ({"local": 7}, {"local": 5})
    assert [(each.target, each.reason) for each in facts.refusals] == [
        ("off", "the newest backup lies in the future"),
        ("far", "it is held"),
    ]
    assert facts_of({"copies": 3, "retention": {"a": 1}}, {}) == Facts()


def test_restores_and_downloads_say_who() -> None:
    (restored,) = notices_of(_run(operation="restore", actor="token:abc", request={"to": "/srv"}), [], NOTHING)
    assert (restored.values["actor"], restored.values["destination"]) == ("token:abc", "/srv")
    notice = downloaded("shop", AT, "backup_1", actor="token:abc", address="192.0.2.7")
    assert (notice.occasion, notice.values["kind"], notice.values["address"]) == (
        Occasion.RESTORED, "download", "192.0.2.7",
    )  # fmt: skip


def test_only_backups_tell_of_their_start() -> None:
    begun = started(_run(RunState.RUNNING))
    assert begun is not None
    assert begun.occasion is Occasion.STARTED
    assert started(_run(RunState.RUNNING, operation="verify")) is None


def test_dry_run_is_no_backup() -> None:
    assert _occasions(_run(request={"dry_run": True})) == []
    assert started(_run(RunState.RUNNING, request={"dry_run": True})) is None
