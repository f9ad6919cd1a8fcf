"""What commands of an application print, from reports made by hand."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from holdfast.cli import app_output
from holdfast.cli.output import Printer
from holdfast.cli.restore_output import print_plan, print_report
from holdfast.errors import BackendUnavailable, RestoreMismatch
from holdfast.model.backup import BackupType, Manifest, Marks, Outcome, StoredBackup
from holdfast.model.component import Component, Form, Problem, Role, Shape
from holdfast.operations.reports import (
    CopyReport,
    ListedBackup,
    PlannedComponent,
    RestoredComponent,
    RestorePlan,
    RestoreReport,
)
from holdfast.policy.backup_retention import BackupRetentionPlan, Decision
from holdfast.protocols.source import LoadPlan, LoadReport

AT = datetime(2026, 1, 31, 21, 30, tzinfo=UTC)
ID = "backup_2026_01_31_21_30_00"


def component(name: str = "database") -> Component:
    return Component(
        name=name, kind="sqlite", role=Role.DATABASE, form=Form.NATIVE, shape=Shape.FILE, file_name="app.db"
    )


def stored(target: str = "local", marks: Marks | None = None, outcome: Outcome = Outcome.COMPLETE) -> StoredBackup:
    manifest = Manifest(
        backup_id=ID, app="shop", type=BackupType.FULL, created_at=AT, finished_at=AT,
        components={"database": component()}, outcome=outcome, total_size=2048,
    )  # fmt: skip
    return StoredBackup(target=target, manifest=manifest, location="/b/full.json", marks=marks or Marks())


class Paper(Printer):
    """Prints where a test can read it."""

    def __init__(self, *, quiet: bool = False, verbose: int = 0) -> None:
        super().__init__(out=io.StringIO(), err=io.StringIO(), quiet=quiet, verbose=verbose)

    @property
    def text(self) -> str:
        assert isinstance(self.out, io.StringIO)
        return self.out.getvalue()

    @property
    def warnings(self) -> str:
        assert isinstance(self.err, io.StringIO)
        return self.err.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "-"), (0, "0s"), (59.9, "59s"), (3600, "1h"), (273_600 + 61, "3d 4h"), (-5, "0s")]
)
def test_ages(seconds: float | None, text: str) -> None:
    assert app_output.age(seconds) == text


def test_a_line_for_each_backup() -> None:
    paper = Paper()
    copies = (stored(), stored("offsite", Marks(hold_reason="audit", verified_at=AT)))
    listed = ListedBackup(backup_id=ID, type=BackupType.FULL, created_at=AT, outcome=Outcome.COMPLETE, copies=copies)
    app_output.print_backups(paper, [listed], ZoneInfo("Europe/Istanbul"))
    line = paper.text.splitlines()[2]
    assert line.split("  ") == [ID, "2026-02-01 00:30:00", "full", "2.000 KiB", "local, offsite", "held, verified"]
    assert paper.text.endswith("1 backup\n")


def test_damage_is_said_instead_of_verified() -> None:
    marks = Marks(verified_at=AT, damaged_at=AT, damage="a checksum")
    assert app_output.state([stored(marks=marks, outcome=Outcome.PARTIAL)]) == "damaged, partial"


def test_targets_that_failed() -> None:
    paper = Paper(quiet=True)
    error = BackendUnavailable(url="s3://b", object="x", reason="timeout")
    app_output.warn_copies(paper, [CopyReport(target="local", stored=stored()), CopyReport(target="far", error=error)])
    assert paper.warnings.startswith("Warning: target far: storage s3://b is not reachable for x: timeout. Check")
    assert paper.warnings.count("\n") == 1


def test_retention_says_why() -> None:
    paper = Paper()
    plan = BackupRetentionPlan(
        keep=(Decision(backup_id=ID, reasons=("last 1 of 1",)),),
        remove=(Decision(backup_id="backup_2026_01_30_21_30_00", reasons=("no rule keeps it (age: 1 days)",)),),
    )
    app_output.print_retention(paper, "local", plan, dry_run=True)
    lines = paper.text.splitlines()
    assert lines[0] == "Target local:"
    assert [line.split()[1] for line in lines[3:5]] == ["keep", "remove"]
    assert lines[-1] == "1 backup would be removed."


def test_a_plan_names_what_is_replaced_and_where_it_stays() -> None:
    paper = Paper(verbose=1)
    load = LoadPlan(
        destination="/app/app.db", replaces=("/app/app.db",), safety_copies=("/app/app.db.before-restore-1",)
    )
    planned = PlannedComponent(
        source="database", role=Role.DATABASE, chain=("a", "b"), component=component(), load=load
    )
    plan = RestorePlan(
        request=None, backup=stored(), others=(), components=(planned,), before=("systemctl stop app",),
        after=("systemctl start app",), needed_bytes={"/app": 4096},
    )  # fmt: skip
    print_plan(paper, plan, UTC)
    assert paper.text.splitlines() == [
        f"Backup {ID} (full, 2026-01-31 21:30:00) from target local:",
        "  database -> /app/app.db",
        "    from a, b",
        "    replaces /app/app.db",
        "    which stays as /app/app.db.before-restore-1",
        "Needed at /app: 4.000 KiB",
        "Before: systemctl stop app",
        "After: systemctl start app",
    ]


def test_a_restore_that_failed_tells_how_to_undo_what_was_done() -> None:
    paper = Paper()
    undo = "mv a.before-restore-1 a"
    done = LoadReport(destination="a", safety_copies=("a.before-restore-1",), undo=undo, rows={"users": 5})
    failure = RestoreMismatch(destination="b", reason="3 rows are missing")
    report = RestoreReport(
        backup_id=ID, target="local", not_reached=("config",), failure=failure,
        components=(
            RestoredComponent(source="database", load=done),
            RestoredComponent(source="storage", error=failure),
        ),
        problems=(Problem(code="hook-failed", subject="after", detail="exit status 1"),),
    )  # fmt: skip
    print_report(paper, report)
    assert paper.text.splitlines() == [
        "database: 1 table, 5 rows",
        "database: what was there is kept as a.before-restore-1",
        "database: to undo: mv a.before-restore-1 a",
    ]
    assert "Warning: storage: b does not hold what the backup holds: 3 rows are missing." in paper.warnings
    assert "Warning: config was not reached" in paper.warnings
    assert "Warning: after: exit status 1" in paper.warnings
