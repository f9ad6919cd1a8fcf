from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from holdfast.errors import FormatError
from holdfast.format import mode
from holdfast.model.node import NodeType

# Values restic writes.
VALUES = [
    (stat.S_IFREG | 0o644, 420, NodeType.FILE),
    (stat.S_IFDIR | 0o755, 2147484141, NodeType.DIR),
    (stat.S_IFDIR | 0o1777, 2148532735, NodeType.DIR),
    (stat.S_IFDIR | 0o2750, 2151678440, NodeType.DIR),
    (stat.S_IFREG | 0o4755, 8389101, NodeType.FILE),
    (stat.S_IFLNK | 0o777, 134218239, NodeType.SYMLINK),
    (stat.S_IFIFO | 0o644, 33554852, NodeType.FIFO),
    (stat.S_IFCHR | 0o640, 69206432, NodeType.CHAR_DEVICE),
    (stat.S_IFBLK | 0o660, 67109296, NodeType.BLOCK_DEVICE),
    (stat.S_IFSOCK | 0o755, 16777216 | 0o755, NodeType.SOCKET),
]


@pytest.mark.parametrize(("st_mode", "go_mode", "kind"), VALUES)
def test_known_values(st_mode: int, go_mode: int, kind: NodeType) -> None:
    assert mode.from_stat(st_mode) == go_mode
    assert mode.node_type(st_mode) is kind
    assert mode.to_permissions(go_mode) == stat.S_IMODE(st_mode)
    assert mode.from_permissions(kind, stat.S_IMODE(st_mode)) == go_mode


def test_all_permissions_survive() -> None:
    for permissions in range(0o10000):
        assert mode.to_permissions(mode.from_stat(stat.S_IFREG | permissions)) == permissions


def test_real_files(tmp_path: Path) -> None:
    (tmp_path / "f").touch(0o600)
    (tmp_path / "l").symlink_to("f")
    os.mkfifo(tmp_path / "p")
    found = {name: mode.node_type((tmp_path / name).lstat().st_mode) for name in ("f", "l", "p", ".")}
    assert found == {"f": NodeType.FILE, "l": NodeType.SYMLINK, "p": NodeType.FIFO, ".": NodeType.DIR}


def test_unknown_kind_is_refused() -> None:
    for call in (mode.from_stat, mode.node_type):
        with pytest.raises(FormatError):
            call(0o030644)
