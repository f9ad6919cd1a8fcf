"""Making backups: what is read, what is stored, and what is not listed."""

from __future__ import annotations

import io
import random
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import sha256

import msgspec
import pytest
from msgspec.structs import replace

from holdfast.errors import BackendUnavailable, DamageError, FormatError, TargetError
from holdfast.model.backup import Manifest
from holdfast.model.component import Component, Form, Role
from holdfast.model.event import ignore
from holdfast.model.node import NodeType
from holdfast.protocols import FileKind
from holdfast.protocols.content import ContentReader, Entry
from holdfast.protocols.target import ComponentWriter
from holdfast.targets.repository import RepositoryTarget
from holdfast.testing.faulty_backend import Fault, FaultyBackend, Operation, Rule
from holdfast.testing.target_content import (
    NOON,
    Made,
    database,
    directory,
    file,
    give,
    make_backup,
    manifest_for,
    read_back,
    small_tree,
    tree,
)
from unit.targets.repository.target_kit import PASSWORD, Places, faulty


@pytest.fixture
def target(places: Places) -> Iterator[RepositoryTarget]:
    opened = places.target()
    opened.prepare()
    yield opened
    opened.close()


# --- unchanged files ---------------------------------------------------------------------------------


class Opens:
    """Entries of files as a source gives them, which counts how often one is opened."""

    def __init__(self) -> None:
        self.opened: list[bytes] = []

    def entries(self, made: Made) -> Iterator[Entry]:
        for number, item in enumerate(made.items, 1):
            node = replace(item.node, inode=number, ctime_ns=item.node.mtime_ns, device_id=1)
            opener = self._opener(item.path, item.content) if node.type is NodeType.FILE else None
            yield Entry(path=item.path, node=node, open=opener)

    def _opener(self, path: bytes, content: bytes) -> Callable[[], ContentReader]:
        def opening() -> ContentReader:
            self.opened.append(path)
            return io.BytesIO(content)

        return opening

    def give(self, writer: ComponentWriter, made: Made) -> Component:
        """Reads only what the writer wants, as a run into repositories alone does."""
        count = total = 0
        for entry in self.entries(made):
            wanted = entry.open is not None and writer.wants(entry)
            writer.begin(entry)
            if wanted and entry.open is not None:
                content = entry.open().read()
                writer.write(content)
                writer.end(sha256(content).digest(), len(content))
            if entry.node.type is NodeType.FILE:
                count, total = count + 1, total + entry.node.size
        writer.finish()
        return replace(made.component, file_count=count, content_bytes=total)


def back_up(target: RepositoryTarget, made: Made, hours: int) -> list[bytes]:
    """A backup of one tree; which files it opened."""
    opens = Opens()
    manifest = manifest_for(NOON + timedelta(hours=hours), [made])
    writer = target.begin(manifest)
    component = opens.give(writer.component(made.component), made)
    stored = writer.commit(replace(manifest, components={component.name: component}))
    assert target.verify(stored, ignore) == []
    assert [one.content for one in read_back(target.content(stored, component.name))] == [i.content for i in made.items]
    return opens.opened


def test_unchanged_files_are_not_opened_again(target: RepositoryTarget) -> None:
    made = small_tree()
    files = [item.path for item in made.items if item.node.type is NodeType.FILE]
    assert back_up(target, made, 0) == files
    assert back_up(target, made, 1) == []
    assert 0 < target.backups()[0].manifest.total_size < 5000 < target.backups()[1].manifest.total_size
    items = [item.but(mtime_ns=1) if item.path == files[1] else item for item in made.items]
    assert back_up(target, made._replace(items=items), 2) == [files[1]]


def test_the_newest_backup_that_has_the_component_counts(target: RepositoryTarget) -> None:
    made = small_tree()
    assert back_up(target, made, 0)
    make_backup(target, [database(b"only")], moment=NOON + timedelta(hours=1))
    assert back_up(target, made, 2) == []


def test_content_that_another_target_wanted_is_stored_as_it_was_read(target: RepositoryTarget) -> None:
    """The fan-out may give content that is not needed here; then it, and not what was known, is in the backup."""
    made = small_tree()
    back_up(target, made, 0)
    other = made._replace(items=[i._replace(content=b"FIRST") if i.content == b"first" else i for i in made.items])
    manifest = manifest_for(NOON + timedelta(hours=1), [other])
    writer = target.begin(manifest)
    component = _give_everything(writer.component(other.component), other)
    stored = writer.commit(replace(manifest, components={component.name: component}))
    found = {one.path: one.content for one in read_back(target.content(stored, "storage"))}
    assert found[b"storage/a.txt"] == b"FIRST"


def _give_everything(writer: ComponentWriter, made: Made) -> Component:
    count = total = 0
    for entry in Opens().entries(made):
        if entry.open is not None:
            writer.wants(entry)
        writer.begin(entry)
        if entry.open is not None:
            content = entry.open().read()
            writer.write(content)
            writer.end(sha256(content).digest(), len(content))
            count, total = count + 1, total + len(content)
    writer.finish()
    return replace(made.component, file_count=count, content_bytes=total)


def test_wants_may_run_ahead_in_another_thread(target: RepositoryTarget, rng: random.Random) -> None:
    items = [directory(b"d"), *[file(b"d/%04d" % number, rng.randbytes(50)) for number in range(400)]]
    made = tree(items)
    back_up(target, made, 0)
    manifest = manifest_for(NOON + timedelta(hours=1), [made])
    writer = target.begin(manifest)
    component = writer.component(made.component)
    entries = list(Opens().entries(made))
    answers: list[bool] = []
    ahead = threading.Thread(target=lambda: answers.extend(component.wants(e) for e in entries if e.open))
    ahead.start()
    ahead.join()
    assert not any(answers)
    for entry in entries:
        component.begin(entry)
    component.finish()
    done = replace(made.component, file_count=400, content_bytes=20_000)
    stored = writer.commit(replace(manifest, components={"storage": done}))
    assert target.verify(stored, ignore) == []


# --- what is stored ----------------------------------------------------------------------------------


def test_the_manifest_in_the_snapshot_is_private_and_readable(target: RepositoryTarget, places: Places) -> None:
    from holdfast import repository

    stored = make_backup(target, [database(b"1"), small_tree()])
    with repository.open(str(places.repository), PASSWORD) as opened:
        (snapshot,) = opened.snapshots()
        assert set(snapshot.tags) == {"app:app", f"id:{stored.backup_id}", "type:full"}
        assert snapshot.paths == ("/app",)
        assert snapshot.time.at() == NOON
        assert snapshot.id is not None
        assert snapshot.id.hex().startswith(stored.location)
        names = [item.path for item in opened.entries(snapshot, recursive=False)]
        assert names == ["/database", "/manifest.json", "/storage"]
        assert opened.node(snapshot, "/manifest.json").mode & 0o777 == 0o600
        with opened.open_file(snapshot, "/manifest.json") as stream:
            assert msgspec.json.decode(stream.read(), type=Manifest) == stored.manifest


def test_two_targets_at_once(places: Places, rng: random.Random) -> None:
    """In two repositories, and two in one."""
    targets = [
        places.target(name="one"),
        places.target(name="two", url="second"),
        places.target(name="three", app="other"),
    ]
    made = [database(rng.randbytes(2_000_000)), small_tree()]
    failures: list[BaseException] = []

    def run(one: RepositoryTarget, app: str) -> None:
        try:
            one.prepare()
            manifest = replace(manifest_for(NOON, made), app=app)
            writer = one.begin(manifest)
            done = {m.component.name: give(writer.component(m.component), m) for m in made}
            stored = writer.commit(replace(manifest, components=done))
            assert one.verify(stored, ignore) == []
        except BaseException as error:
            failures.append(error)
            raise

    apps = ("app", "app", "other")
    threads = [threading.Thread(target=run, args=pair) for pair in zip(targets, apps, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert [len(one.backups()) for one in targets] == [1, 1, 1]
    for one in targets:
        one.close()


@pytest.mark.parametrize(
    ("forms", "chosen"),
    [
        ((Form.NATIVE, Form.SQL, Form.CHANGES), Form.NATIVE),
        ((Form.SQL, Form.NATIVE, Form.CHANGES), Form.NATIVE),
        ((Form.CHANGES, Form.TABLES), Form.TABLES),
        ((Form.SQL, Form.CHANGES), Form.SQL),
    ],
)
def test_the_form_that_deduplicates_best(target: RepositoryTarget, forms: tuple[Form, ...], chosen: Form) -> None:
    assert target.form_for(forms, Role.DATABASE) is chosen
    assert target.kind == "repository"


# --- what is refused ---------------------------------------------------------------------------------


def test_a_component_that_was_not_finished_is_not_committed(target: RepositoryTarget) -> None:
    made = small_tree()
    manifest = manifest_for(NOON, [made])
    writer = target.begin(manifest)
    with pytest.raises(TargetError, match="never given"):
        writer.commit(manifest)
    writer.component(made.component)
    with pytest.raises(TargetError, match="not completed"):
        writer.commit(manifest)
    writer.abort()
    assert target.backups() == []


@pytest.mark.parametrize("name", ["manifest.json", "storage"])
def test_a_component_whose_name_is_taken(target: RepositoryTarget, name: str) -> None:
    writer = target.begin(manifest_for(NOON, []))
    writer.component(small_tree().component)
    with pytest.raises(FormatError):
        writer.component(replace(small_tree().component, name=name))
    writer.abort()


@pytest.mark.parametrize(
    "rule",
    [
        Rule(Operation.LOAD, Fault.FAIL, FileKind.SNAPSHOT),
        Rule(Operation.LOAD, Fault.FLIP, FileKind.SNAPSHOT),
        Rule(Operation.SAVE, Fault.DROP, FileKind.SNAPSHOT),
        Rule(Operation.SAVE, Fault.DROP, FileKind.PACK, times=1),
        Rule(Operation.SAVE, Fault.TRUNCATE, FileKind.PACK, times=1),
        Rule(Operation.SAVE, Fault.FAIL, FileKind.INDEX),
        Rule(Operation.LIST, Fault.BREAK_OFF, FileKind.PACK, amount=0),
    ],
    ids=lambda rule: f"{rule.operation}-{rule.fault}-{rule.kind}",
)
def test_what_cannot_be_proved_is_not_listed(places: Places, rule: Rule) -> None:
    storages: list[FaultyBackend] = []
    target = places.target(opener=faulty(storages), cache=False)
    target.prepare()
    made = [database(b"1" * 5000), small_tree()]
    manifest = manifest_for(NOON, made)
    writer = target.begin(manifest)
    done = {one.component.name: give(writer.component(one.component), one) for one in made}
    storages[-1].rules.append(rule)
    with pytest.raises(TargetError):
        writer.commit(replace(manifest, components=done))
    writer.abort()
    assert rule.hits
    target.close()
    assert places.target().backups() == []


def test_a_storage_that_goes_away_is_no_damage(places: Places) -> None:
    assert not issubclass(BackendUnavailable, DamageError)
    target = places.target()
    target.prepare()
    writer = target.begin(manifest_for(NOON, []))
    writer.abort()
    assert make_backup(target, [database(b"after an abort")]).manifest.total_size
    target.close()
