"""A backup: one reading, every target by itself, and no success that is none."""

from __future__ import annotations

import threading
from collections.abc import Callable

import msgspec
import pytest

from holdfast.errors import (
    BackendError,
    BackupDamaged,
    BackupPartial,
    HookFailed,
    InternalError,
    Interrupted,
    NotEnoughSpace,
    OutOfSpace,
    SourceError,
    TargetsFailed,
)
from holdfast.model.backup import BackupType, Outcome
from holdfast.model.component import Form, Role
from holdfast.operations.context import Hooks
from holdfast.operations.lanes import QUEUE_BYTES
from holdfast.policy.backup_retention import KeepRules
from holdfast.testing.fake_source import FakeSource, unreadable
from holdfast.testing.fake_target import FakeTarget
from unit.operations.app import App, database, failing, storage, tables

TARGET_STEPS = ["prepare", "free", "backups", "begin", "component", "wants", "write", "end", "finish", "commit"]


def broken() -> BackendError:
    return BackendError(url="/fake", object="something", reason="told to fail")


def test_a_backup_is_whole_in_every_target(app: App) -> None:
    report = app.create()
    assert report.failure is None
    assert report.backup_id == "backup_2024_01_01_13_00_00"
    assert [copy.target for copy in report.copies] == ["local", "offsite"]
    for target in app.targets.values():
        assert target.files(report.backup_id, "database") == app.sources["database"].files
        assert target.files(report.backup_id, "storage") == app.sources["storage"].files
        stored = target.backups()[0]
        assert stored.manifest.components["database"].rows == {"users": 40}
        assert len(stored.manifest.components["storage"].content_sha256) == 64
        assert stored.marks.verified_at is not None
        assert len(target.threads) == 1
    assert report.content_bytes == sum(len(d) for s in app.sources.values() for d in s.files.values())
    assert "Backup completed successfully: backup_2024_01_01_13_00_00" in app.log.read_text()
    assert app.log.stat().st_mode & 0o777 == 0o600


def test_each_source_is_read_once_for_all_targets_of_a_form(make_app: Callable[..., App]) -> None:
    readings: list[str] = []
    source = FakeSource("storage", {"a": b"a" * 10, "b": b"b" * 500_000}, step=readings.append)
    targets = [FakeTarget("one"), FakeTarget("two"), FakeTarget("text", form=Form.SQL)]
    app = make_app(sources=[source], targets=targets)
    assert app.create().failure is None
    assert [step for step in readings if step.startswith("entries")] == ["entries:native", "entries:sql"]
    assert readings.count("dump") == 1
    assert app.targets["text"].backups()[0].manifest.components["storage"].form is Form.SQL


def test_ids_are_free_in_every_target_at_once(app: App) -> None:
    first = app.create(targets=("offsite",))
    app.clock.advance(-3600)
    second = app.create()
    assert second.backup_id == f"{first.backup_id}_2"


@pytest.mark.parametrize("step", TARGET_STEPS)
@pytest.mark.parametrize("bad", ["local", "offsite"])
def test_a_target_that_fails_leaves_the_other_one_whole(app: App, step: str, bad: str) -> None:
    app.targets[bad].step = failing(step, broken)
    report = app.create()
    good = {"local": "offsite", "offsite": "local"}[bad]
    assert isinstance(report.failure, TargetsFailed)
    assert report.failure.exit_code == 3
    assert bad in str(report.failure)
    copies = {copy.target: copy for copy in report.copies}
    assert isinstance(copies[bad].error, BackendError)
    assert copies[bad].stored is None
    assert copies[good].error is None
    assert app.targets[good].files(report.backup_id, "storage") == app.sources["storage"].files
    assert app.targets[good].backups()[0].marks.verified_at is not None
    app.targets[bad].step = lambda _: None
    assert app.ids(bad) == []
    assert "Backup completed" not in app.log.read_text()
    assert "ERROR" in app.log.read_text()


@pytest.mark.parametrize("step", [*TARGET_STEPS, "begin:storage", "write:storage"])
def test_when_every_target_fails_the_first_error_is_raised(app: App, step: str) -> None:
    for target in app.targets.values():
        target.step = failing(step, broken)
    with pytest.raises(BackendError):
        app.create()
    for target in app.targets.values():
        target.step = lambda _: None
        assert target.backups() == []


class Panic(BaseException):
    """What a library written in Rust raises where it gives up."""


@pytest.mark.parametrize("defect", [KeyError, Panic])
@pytest.mark.parametrize("step", ["write", "commit", "prepare"])
def test_a_defect_in_one_target_concerns_no_other(app: App, defect: type[BaseException], step: str) -> None:
    app.targets["local"].step = failing(step, lambda: defect("defect"))
    report = app.create()
    assert isinstance(report.failure, TargetsFailed)
    assert isinstance(report.copies[0].error, InternalError)
    assert app.ids("offsite") == [report.backup_id]


@pytest.mark.parametrize("make", [database, storage, tables], ids=["file", "tree", "files"])
@pytest.mark.parametrize("step", ["preflight", "estimate", "dump", "entries", "entry", "end", "component"])
def test_a_source_that_fails_commits_nothing_anywhere(
    make_app: Callable[..., App], make: Callable[[], FakeSource], step: str
) -> None:
    source = make()
    source.step = failing(step, lambda: unreadable("it"))
    app = make_app(sources=[FakeSource("config", {"a": b"1"}), source])
    with pytest.raises(SourceError):
        app.create()
    assert app.ids("local") == app.ids("offsite") == []
    assert "ERROR - Backup failed" in app.log.read_text()


@pytest.mark.parametrize("make", [database, tables], ids=["file", "files"])
@pytest.mark.parametrize("step", ["open", "read"])
def test_half_a_database_is_worth_nothing(
    make_app: Callable[..., App], make: Callable[[], FakeSource], step: str
) -> None:
    source = make()
    source.step = failing(step, lambda: unreadable("it"), after=1 if step == "read" else 0)
    app = make_app(sources=[source])
    with pytest.raises(SourceError):
        app.create()
    assert app.ids("local") == app.ids("offsite") == []


@pytest.mark.parametrize("step", ["open:film", "read:film", "open:media/07", "read:media/07"])
def test_a_file_of_a_tree_that_cannot_be_read_makes_the_backup_partial(app: App, step: str) -> None:
    app.sources["storage"].step = failing(step, lambda: unreadable("it"), after=1 if "film" in step[:9] else 0)
    if step.startswith("open"):
        app.sources["storage"].step = failing(step, lambda: unreadable("it"))
    app.create(retention=False)
    report = app.create(keep=KeepRules(last=1))
    assert report.outcome is Outcome.PARTIAL
    assert isinstance(report.failure, BackupPartial)
    assert report.failure.exit_code == 3
    component = app.targets["local"].backups()[0].manifest.components["storage"]
    assert component.content_sha256 == ""
    assert component.file_count == 20
    assert [result.removed for result in report.retention] == [(), ()]
    assert app.targets["local"].backups()[0].manifest.outcome is Outcome.PARTIAL


def test_a_file_that_grows_is_a_problem_and_not_a_longer_file(make_app: Callable[..., App]) -> None:
    source = FakeSource("storage", {"a": b"1" * 200_000})
    app = make_app(sources=[source])
    dumped = source.files["a"]

    class Growing(bytes):
        def __len__(self) -> int:
            return 100_000

    source.files["a"] = Growing(dumped)
    report = app.create()
    assert report.outcome is Outcome.PARTIAL


def test_content_that_nobody_wants_is_not_read(make_app: Callable[..., App]) -> None:
    read: list[str] = []
    source = FakeSource("storage", {"a": b"1" * 10, "b": b"2" * 10}, step=read.append)
    app = make_app(sources=[source], targets=[FakeTarget("repo", kind="repository")])
    app.create()
    app.targets["repo"].not_wanted = {b"a"}
    read.clear()
    report = app.create()
    assert "open:b" in read
    assert "open:a" not in read
    assert report.components[0].content_sha256 == ""
    assert app.targets["repo"].files(report.backup_id, "storage") == source.files


def test_content_is_read_when_one_of_two_wants_it(make_app: Callable[..., App]) -> None:
    app = make_app(sources=[storage()], targets=[FakeTarget("repo", kind="repository"), FakeTarget("archive")])
    app.create()
    app.targets["repo"].not_wanted = {b"film.mp4", b"media/03.jpg"}
    report = app.create()
    assert report.failure is None
    assert len(report.components[0].content_sha256) == 64
    for target in app.targets.values():
        assert target.files(report.backup_id, "storage") == app.sources["storage"].files


def test_a_full_target_does_not_stop_the_other_one(app: App) -> None:
    app.targets["local"].capacity_bytes = 1_000_000
    report = app.create()
    assert isinstance(report.copies[0].error, OutOfSpace)
    assert app.ids("offsite") == [report.backup_id]


def test_what_will_not_fit_is_refused_before_anything_is_read(app: App) -> None:
    opened: list[str] = []
    app.sources["storage"].step = opened.append
    for target in app.targets.values():
        target.free = 1000
    with pytest.raises(NotEnoughSpace) as caught:
        app.create()
    assert str(caught.value).startswith("Not enough disk space for backup: 4.2 MiB needed, 1000 B available in target")
    assert "dump" not in opened


@pytest.mark.parametrize("kind", ["scratch", "sqlite"])
def test_temporary_files_need_room_too(app: App, kind: str) -> None:
    class Large(FakeSource):
        def estimate_bytes(self) -> int:
            return 1 << 60 if kind == "sqlite" else 0

    class Copied(Large):
        def scratch_bytes(self) -> int:
            return 1 << 60

    source = (Large if kind == "sqlite" else Copied)("database", {"a": b"1"}, role=Role.DATABASE)
    source.kind = kind
    app.context = msgspec.structs.replace(app.context, sources={"database": source})
    with pytest.raises(NotEnoughSpace, match="temporary files"):
        app.create()
    with pytest.raises(NotEnoughSpace, match="temporary files"):
        app.create(dry_run=True)


def test_one_target_without_room_is_left_out(app: App) -> None:
    app.targets["offsite"].free = 1000
    report = app.create()
    assert isinstance(report.copies[1].error, NotEnoughSpace)
    assert app.ids("local") == [report.backup_id]


def test_a_hung_target_is_given_up_and_holds_up_nobody(make_app: Callable[..., App]) -> None:
    app = make_app(stall_s=0.3)
    release = threading.Event()
    entered = threading.Event()

    def hang(step: str) -> None:
        if step == "write:storage":
            entered.set()
            release.wait(60)

    app.targets["local"].step = hang
    report = app.create()
    assert entered.is_set()
    release.set()
    assert isinstance(report.failure, TargetsFailed)
    assert "did nothing for" in str(report.copies[0].error)
    assert app.ids("offsite") == [report.backup_id]
    for thread in threading.enumerate():
        if thread.name == "target local":
            thread.join(10)
    assert app.ids("local") == []


def test_a_slow_target_bounds_what_waits_for_it(make_app: Callable[..., App]) -> None:
    gate = threading.Event()
    given = [0]

    def source_step(step: str) -> None:
        if step.startswith("read"):
            given[0] += 1 << 16
            if given[0] > 2 * QUEUE_BYTES:
                gate.set()

    peaks: list[int] = []

    def measuring(step: str) -> None:
        if step == "write:storage" and not peaks:
            gate.wait(1.0)
            peaks.append(given[0])

    source = FakeSource("storage", {"big": bytes(3 * QUEUE_BYTES)}, step=source_step)
    app = make_app(sources=[source], targets=[FakeTarget("slow", step=measuring)], verify_after=False)
    assert app.create().failure is None
    assert peaks[0] <= QUEUE_BYTES + (4 << 20)


@pytest.mark.parametrize("where", ["source", "target"])
def test_a_cancelled_run_commits_nothing_and_leaves_no_thread(app: App, where: str) -> None:
    steps = {
        "source": ["preflight", "dump", "entries", "entry", "open", "read", "end", "component"],
        "target": ["prepare", "begin", "component", "write", "finish"],
    }[where]
    for step in steps:

        def cancelling(name: str, step: str = step) -> None:
            if name.startswith(step):
                app.context.cancel.cancel()

        cancelled = app.sources["storage"] if where == "source" else app.targets["offsite"]
        cancelled.step = cancelling
        with pytest.raises(Interrupted):
            app.create()
        cancelled.step = lambda _: None
        assert app.ids("local") == app.ids("offsite") == [], step
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("target")]
        app.context = msgspec.structs.replace(app.context, cancel=type(app.context.cancel)())
    assert "interrupted" in app.log.read_text()
    assert app.create().failure is None


def test_what_reads_back_wrong_is_marked_and_told(app: App) -> None:
    target = app.targets["local"]

    def rot(step: str) -> None:
        if step == "verify":
            target.damage(next(iter(target.contents)), "storage")

    target.step = rot
    report = app.create(keep=KeepRules(last=1))
    assert isinstance(report.failure, TargetsFailed)
    assert isinstance(report.copies[0].error, BackupDamaged)
    assert target.backups()[0].marks.damaged_at is not None
    assert all(result.skipped for result in report.retention)


def test_retention_follows_success_alone(app: App) -> None:
    rules = KeepRules(last=2)
    first = app.create(keep=rules)
    app.create(keep=rules)
    app.targets["offsite"].step = failing("commit", broken)
    app.create(keep=rules)
    assert first.backup_id in app.ids("local")
    app.targets["offsite"].step = lambda _: None
    report = app.create(keep=rules)
    assert [len(result.removed) for result in report.retention] == [2, 1]
    assert len(app.ids("local")) == len(app.ids("offsite")) == 2


def test_an_application_that_shrank_loses_no_backup(app: App) -> None:
    for _ in range(3):
        assert not app.create(keep=KeepRules(last=2)).failure
    app.sources["storage"].files = {"media/01.jpg": b"x"}
    for _ in range(2):
        report = app.create(keep=KeepRules(last=2))
        assert report.failure is None
        assert "shrunk" in {problem.code for problem in report.problems}
        assert all("smaller" in result.skipped for result in report.retention)
    assert len(app.ids("local")) == 4
    assert app.log.read_text().count("WARNING - storage: 1 files where a recent backup has") == 2


def test_retention_that_fails_is_told_and_the_backup_stays(app: App) -> None:
    app.create()
    app.targets["local"].step = failing("remove", broken)
    report = app.create(keep=KeepRules(last=1))
    assert isinstance(report.failure, BackendError)
    assert report.backup_id in app.ids("local")
    assert report.copies[0].error is None


def test_types_choose_sources(app: App) -> None:
    report = app.create(type=BackupType.DATABASE)
    assert [component.name for component in report.components] == ["database"]
    assert set(app.targets["local"].contents[report.backup_id]) == {"database"}


def test_hooks_run_around_the_backup(make_app: Callable[..., App], tmp_path) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    hooks = Hooks(before_backup=("touch before",), after_backup=("rm before", "touch 'after it'"), directory=tmp_path)
    app = make_app(hooks=hooks)
    app.sources["storage"].step = lambda step: (tmp_path / "before").stat() and None
    assert app.create().failure is None
    assert (tmp_path / "after it").exists()
    assert not (tmp_path / "before").exists()


def test_a_failing_hook_before_stops_the_backup_and_those_after_run(make_app: Callable[..., App], tmp_path) -> None:
    app = make_app(hooks=Hooks(before_backup=("false",), after_backup=("touch back",), directory=tmp_path))
    with pytest.raises(HookFailed):
        app.create()
    assert (tmp_path / "back").exists()
    assert app.ids() == []


def test_a_failing_hook_after_is_told(make_app: Callable[..., App], tmp_path) -> None:
    app = make_app(hooks=Hooks(after_backup=("false", "touch back"), directory=tmp_path))
    report = app.create()
    assert isinstance(report.failure, HookFailed)
    assert (tmp_path / "back").exists()
    assert app.ids() == [report.backup_id]


def test_a_dry_run_writes_nothing(app: App) -> None:
    steps: list[str] = []
    app.targets["local"].step = steps.append
    report = app.create(dry_run=True)
    assert report.dry_run
    assert report.estimated_bytes > 3_000_000
    assert set(steps) <= {"backups", "free"}
    assert not app.context.state_dir.exists()
