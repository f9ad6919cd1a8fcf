"""Deleting trees without following links."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.repository.restore.removal import remove_tree


def remove(folder: Path, name: bytes) -> int:
    fd = os.open(folder, os.O_PATH)
    try:
        return remove_tree(fd, name)
    finally:
        os.close(fd)


def test_files_links_and_trees_go_and_link_targets_stay(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_bytes(b"x")
    top = tmp_path / "top"
    (top / "a" / "b").mkdir(parents=True)
    (top / "a" / "b" / "f").write_bytes(b"x")
    (top / "a" / "link").symlink_to(kept)
    (top / "c").mkdir()
    os.mkfifo(top / "fifo")
    assert remove(tmp_path, b"top") == 7
    (tmp_path / "link").symlink_to(kept)
    assert remove(tmp_path, b"link") == 1
    assert (kept / "file").read_bytes() == b"x"
    assert os.listdir(tmp_path) == ["kept"]


def test_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        remove(tmp_path, b"gone")


def test_very_deep_trees_need_few_descriptors(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_PATH)
    for _ in range(1500):
        os.mkdir(b"d", dir_fd=fd)
        deeper = os.open(b"d", os.O_PATH, dir_fd=fd)
        os.close(fd)
        fd = deeper
    os.close(fd)
    assert remove(tmp_path, b"d") == 1500
    assert os.listdir(tmp_path) == []
