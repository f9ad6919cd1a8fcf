"""Doctor names everything at once, each with a next step."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from holdfast.errors import BackendError, ToolMissing
from holdfast.model.event import ignore
from holdfast.operations.context import Hooks
from holdfast.operations.doctor import examine
from holdfast.operations.doctor_report import Finding
from holdfast.operations.journal import FOLDER, JournalRecord
from holdfast.operations.lock import run_lock
from holdfast.operations.requests import RestoreRequest, VerifyRequest
from holdfast.operations.restore import plan_restore, run_restore
from holdfast.operations.verify import verify_backups
from holdfast.policy.backup_retention import KeepRules
from holdfast.testing.fake_target import FakeTarget
from unit.operations.app import App, failing


def bad(app: App) -> list[Finding]:
    return [finding for finding in examine(app.context).findings if finding.level in ("warning", "error")]


def codes(app: App) -> set[str]:
    return {finding.code for finding in bad(app)}


@pytest.fixture
def healthy(make_app: Callable[..., App]) -> App:
    """Nothing to complain about."""
    targets = [FakeTarget("local"), FakeTarget("far", url="s3://bucket")]
    app = make_app(targets=targets, keep=KeepRules(last=7))
    app.create()
    return app


def test_a_healthy_application(healthy: App) -> None:
    report = examine(healthy.context)
    assert report.healthy
    assert bad(healthy) == []
    assert "bytes" not in str(report)
    assert {"target local", "target far", "source database"} <= {finding.subject for finding in report.findings}


def test_every_part_is_looked_at_whatever_the_others_are_like(healthy: App) -> None:
    def missing() -> ToolMissing:
        return ToolMissing(source="database", tool="pg_dump", package="postgresql-client")

    healthy.sources["database"].step = failing("preflight", missing)
    healthy.targets["local"].step = failing("backups", lambda: BackendError(url="/x", object="y", reason="no disk"))
    found = bad(healthy)
    assert [finding.subject for finding in found] == ["source database", "target local"]
    assert "apt-get install postgresql-client" in found[0].hint
    assert all(finding.hint for finding in found)
    assert not examine(healthy.context).healthy


def test_a_target_that_cannot_be_written_to(healthy: App) -> None:
    healthy.targets["far"].step = failing("prepare", lambda: BackendError(url="/x", object="y", reason="read-only"))
    assert codes(healthy) == {"backend"}


def test_no_room_for_the_next_backup(healthy: App) -> None:
    healthy.targets["local"].free = 1000
    found = bad(healthy)
    assert [finding.code for finding in found] == ["not-enough-space"]
    assert "Clean up space" in found[0].hint


def test_permissions_of_state_and_log(healthy: App) -> None:
    healthy.context.state_dir.chmod(0o755)
    healthy.log.chmod(0o644)
    assert codes(healthy) == {"state-dir", "log"}
    assert {finding.hint.split()[1] for finding in bad(healthy)} == {"chmod"}


def test_damaged_and_unverified_backups(healthy: App) -> None:
    healthy.targets["far"].damage(healthy.ids("far")[0], "storage")
    verify_backups(msgspec.structs.replace(healthy.context, listener=ignore), VerifyRequest())
    healthy.clock.advance(30 * 86400)
    assert codes(healthy) == {"backup-damaged", "not-verified"}


def test_no_backup_no_rule_no_copy_elsewhere(app: App) -> None:
    assert codes(app) == {"no-backup", "no-copy-elsewhere"}
    assert "no-retention" in {finding.code for finding in examine(app.context).findings}


@pytest.mark.parametrize("year", [1970, 2023])
def test_a_clock_that_is_wrong(healthy: App, year: int) -> None:
    healthy.clock.set_wall(int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * 10**9)
    assert "clock" in codes(healthy)


def test_a_hook_whose_program_is_missing(make_app: Callable[..., App], tmp_path: Path) -> None:
    script = tmp_path / "stop.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o700)
    hooks = Hooks(before_restore=("./stop.sh now", "true", "no-such-program x", "'"), directory=tmp_path)
    app = make_app(hooks=hooks)
    found = [finding.subject for finding in bad(app) if finding.code == "hook-failed"]
    assert found == ["hook no-such-program x", "hook '"]


def test_a_restore_that_was_ended_in_the_middle(healthy: App) -> None:
    folder = healthy.context.state_dir / FOLDER
    folder.mkdir(mode=0o700)
    record = JournalRecord(
        stamp="20240101_120000", backup_id="b", target="local", started_at=healthy.context.now(), components=()
    )
    (folder / "20240101_120000.json").write_bytes(msgspec.json.encode(record))
    (folder / "garbage.json").write_bytes(b"{")
    assert codes(healthy) == {"restore-unfinished", "journal"}


@pytest.mark.parametrize(("only", "told"), [((), False), (("storage",), True)])
def test_restoring_again_settles_a_restore_that_was_ended_in_the_middle(
    healthy: App, only: tuple[str, ...], told: bool
) -> None:
    plan = plan_restore(healthy.context, RestoreRequest())
    journal = Path(run_restore(healthy.context, plan).journal)
    record = msgspec.json.decode(journal.read_bytes(), type=JournalRecord)
    journal.write_bytes(msgspec.json.encode(msgspec.structs.replace(record, finished_at=None)))
    assert "restore-unfinished" in codes(healthy)
    healthy.clock.advance(60)
    run_restore(healthy.context, plan_restore(healthy.context, RestoreRequest(only=only)))
    assert ("restore-unfinished" in codes(healthy)) is told


def test_leftovers_and_a_run_at_work_are_notes(healthy: App) -> None:
    (healthy.context.state_dir / "scratch" / "left").write_text("x")
    assert "leftovers" in {finding.code for finding in examine(healthy.context).findings}
    assert "leftovers" not in {finding.code for finding in examine(healthy.context).findings}, "they were removed"
    with run_lock(healthy.context):
        report = examine(healthy.context)
    assert report.healthy
    assert "app-busy" in {finding.code for finding in report.findings}
