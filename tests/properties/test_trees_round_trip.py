"""Whatever tree there is: it comes back from a backup as it was."""

from __future__ import annotations

import os
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from holdfast.backends.local import LocalBackend
from holdfast.protocols import Backend
from holdfast.repository.backup.report import BackupOptions, BackupReport
from holdfast.repository.backup.run import backup
from holdfast.repository.index import Index
from holdfast.repository.locks import RepositoryLock, acquire
from holdfast.repository.repository import Repository
from holdfast.repository.restore.report import RestoreOptions
from holdfast.repository.restore.run import restore_snapshot
from holdfast.testing.fake_clock import FakeClock
from holdfast.testing.zoo import differences, fingerprint
from properties.tree_strategies import TREES, Tree, make_tree
from repository_kit import new_repository

SLACK_BYTES = 6 * 2 * 64 * 1024
"""Zeros are left out in steps of 64 KiB, so that at each end of up to six holes one such step may be written."""


def bring_back(backend: Backend | None, tree: Tree, base: Path, *, sparse: bool, version: int) -> None:
    """Makes the tree, backs it up, restores it and compares."""
    source, target = base / "source", base / "target"
    source.mkdir()
    make_tree(os.fsencode(source), tree)
    before = fingerprint(str(source))
    event(f"entries: {len(before) // 5 * 5}")
    repository = new_repository(backend, version=version, clock=FakeClock())
    with closing(repository), acquire(repository, False) as lock, Index(repository) as index:
        report = back_up(repository, index, lock, source)
        assert report.snapshot is not None
        options = RestoreOptions(verify=True, sparse=sparse)
        assert not restore_snapshot(repository, index, report.snapshot, target, options).problems
        again = back_up(repository, index, lock, source)
    back = str(target) + str(source)
    assert not differences(before, fingerprint(back))
    assert not differences(before, fingerprint(str(source)))
    assert again.files_new == again.files_changed == again.data_blobs == 0
    assert again.files_unmodified == report.files_new
    if sparse:
        assert_no_fatter(os.fsencode(source), os.fsencode(back), before)


def back_up(repository: Repository, index: Index, lock: RepositoryLock, source: Path) -> BackupReport:
    report = backup(repository, index, lock, [source], BackupOptions())
    assert not report.problems
    return report


def assert_no_fatter(source: bytes, back: bytes, files: dict[bytes, dict[str, object]]) -> None:
    """No file takes more of the disk than it did."""
    for name in files:
        was, now = os.lstat(source + b"/" + name), os.lstat(back + b"/" + name)
        assert now.st_blocks * 512 <= was.st_blocks * 512 + SLACK_BYTES, name


def in_memory(tree: Tree, sparse: bool, version: int) -> None:
    with tempfile.TemporaryDirectory() as base:
        bring_back(None, tree, Path(base), sparse=sparse, version=version)


def on_disk(tree: Tree, sparse: bool) -> None:
    with tempfile.TemporaryDirectory() as base:
        backend = LocalBackend(os.path.join(base, "repository"))
        bring_back(backend, tree, Path(base), sparse=sparse, version=2)


VERSIONS = st.sampled_from([2, 2, 1])


@settings(max_examples=40)
@given(TREES, st.booleans(), VERSIONS)
def test_any_tree_comes_back_from_memory(tree: Tree, sparse: bool, version: int) -> None:
    in_memory(tree, sparse, version)


@settings(max_examples=15)
@given(TREES, st.booleans())
def test_any_tree_comes_back_from_disk(tree: Tree, sparse: bool) -> None:
    on_disk(tree, sparse)


@pytest.mark.deep
@settings(max_examples=3000)
@given(TREES, st.booleans(), VERSIONS)
def test_very_many_trees_come_back_from_memory(tree: Tree, sparse: bool, version: int) -> None:
    in_memory(tree, sparse, version)


@pytest.mark.deep
@settings(max_examples=500)
@given(TREES, st.booleans())
def test_very_many_trees_come_back_from_disk(tree: Tree, sparse: bool) -> None:
    on_disk(tree, sparse)
