"""Sentences with values, wherever a run may bring them: kept as the English that they are."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from holdfast.archive import record
from holdfast.catalog import open_catalog
from holdfast.cli.output import to_json
from holdfast.errors import BackupDamaged, Phrase, TargetsFailed
from holdfast.model.backup import BackupType, Manifest, Marks, Outcome, StoredBackup
from holdfast.model.component import Component, Form, Problem, Role, Shape
from holdfast.model.run import Run, RunState, Trigger
from holdfast.notifiers.occasions import Limits, facts_of, notices_of
from holdfast.operations.journal import Journal, JournalEntry, JournalRecord
from holdfast.operations.reports import CopyReport, CreateReport, RetentionResult
from holdfast.service.recording import failed, reported
from holdfast.targets.repository_marks import LocalMarks
from holdfast.testing.fake_clock import FakeClock

SAID = "folder a/b: it has 3 files"
NOW = FakeClock().now().at()


def phrase() -> Phrase:
    inner = Phrase("it has {count} files", {"count": 3})
    return Phrase("{subject}: {reason}", {"subject": Phrase("folder {path}", {"path": Path("a/b")}), "reason": inner})


def manifest() -> Manifest:
    problem = Problem(code="odd", subject=phrase(), detail=phrase())
    component = Component(
        name="files",
        kind="files",
        role=Role.STORAGE,
        form=Form.NATIVE,
        shape=Shape.TREE,
        file_name="files.tar",
        original=phrase(),
        facts={"said": phrase()},
        problems=(problem,),
    )
    return Manifest(
        backup_id="backup_2026_11_21_10_00_00",
        app="shop",
        type=BackupType.FULL,
        created_at=NOW,
        finished_at=NOW,
        components={"files": component},
    )


def report() -> CreateReport:
    made = manifest()
    stored = StoredBackup(
        target="local", manifest=made, location=phrase(), marks=Marks(damage=phrase(), damaged_at=NOW)
    )
    error = BackupDamaged(backup=made.backup_id, target="local", reason=phrase())
    return CreateReport(
        backup_id=made.backup_id,
        type=made.type,
        outcome=Outcome.PARTIAL,
        copies=(CopyReport(target="local", stored=stored, error=error),),
        components=tuple(made.components.values()),
        problems=(Problem(code="odd", subject=phrase(), detail=phrase()),),
        retention=(RetentionResult(target="local", skipped=phrase(), error=error),),
        failure=TargetsFailed(backup=made.backup_id, reason=error.phrase),
    )


def run() -> Run:
    return Run(
        run_id="0" * 32,
        app="shop",
        operation="create",
        trigger=Trigger.COMMAND,
        state=RunState.RUNNING,
        created_at=NOW,
    )


def exact(value: object) -> bool:
    """Whether all texts are texts and nothing more."""
    if isinstance(value, dict):
        return all(exact(key) and exact(one) for key, one in value.items())
    if isinstance(value, list | tuple):
        return all(exact(one) for one in value)
    return not isinstance(value, str) or type(value) is str


def test_a_run_is_written_down_read_again_and_told() -> None:
    with open_catalog("sqlite://", clock=FakeClock(), key=bytes(32)) as catalog:
        begun = run()
        assert catalog.runs.add(begun)
        ended = reported(begun, report(), NOW)
        assert exact(msgspec.to_builtins(ended))
        catalog.runs.save(ended)
        found = catalog.runs.get(begun.run_id)
        assert found is not None
        assert found.error is not None
        assert SAID in json.dumps(found.report)
        assert found.error == ended.error
        for notice in notices_of(found, [], facts_of(found.report, {}), Limits()):
            assert exact(msgspec.to_builtins(notice))
        broken = failed(begun, BackupDamaged(backup="b", target="t", reason=phrase()), NOW)
        catalog.runs.save(broken)
        again = catalog.runs.get(begun.run_id)
        assert again is not None
        assert again.error is not None
        assert SAID in again.error.message
        catalog.settings.put("said", {"here": phrase()})
        assert catalog.settings.get("said") == {"here": SAID}
        catalog.audit.append(NOW, "me", "backup.create", subject=phrase(), detail={"a": phrase()})
        assert catalog.audit.verify().whole


def test_what_lies_beside_a_backup_says_it_in_english(tmp_path: Path) -> None:
    written = record.encode({"note": phrase()}, manifest(), ())
    assert json.loads(written)["note"] == SAID
    read = record.decode(written)
    assert read.manifest is not None
    assert read.manifest.components["files"].problems[0].detail == SAID
    marks = LocalMarks(tmp_path / "marks")
    marks.write("backup", Marks(damage=phrase(), damaged_at=NOW))
    assert next((tmp_path / "marks").iterdir()).read_text().count(SAID) == 1
    entry = JournalEntry(source="files", state="failed", destination=phrase(), error=phrase(), undo=phrase())
    journal = Journal(
        tmp_path / "state",
        JournalRecord(stamp="s", backup_id="b", target=phrase(), started_at=NOW, components=(entry,), failure=phrase()),
    )
    assert journal.path.read_text().count(SAID) == 5


def test_json_of_the_command_line_says_it_in_english() -> None:
    assert json.loads(to_json(report().problems)) == [{"code": "odd", "subject": SAID, "detail": SAID}]
