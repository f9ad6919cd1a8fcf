"""A look at a folder that ends, however large it is."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

MAX_ENTRIES = 50_000
MAX_DEPTH = 7

# What belongs to tools, can be made again, or is itself a backup.
SKIPPED = frozenset(
    {
        ".git", ".hg", ".svn", "node_modules", "bower_components", "vendor", "__pycache__", "site-packages", ".venv",
        "venv", "env", ".tox", ".nox", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".cache", "cache", ".idea",
        ".vscode", "dist", "build", "target", "backups", "backup", ".holdfast", "tmp", "lost+found", ".hypothesis",
    }
)  # fmt: skip


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a folder.

    Attributes:
        root: absolute.
        files: regular files, links left out, in the order of names.
        folders: folders, links left out.
        unreadable: folders that could not be read.
        cut: whether there is more than was looked at.
    """

    root: Path
    files: list[Path]
    folders: list[Path]
    unreadable: list[Path]
    cut: bool

    def has(self, name: str) -> bool:
        """Whether a file of this path is directly below the root."""
        return (self.root / name).is_file()


def look_at(root: Path) -> Tree:
    """Walks over a folder, level by level, without following links."""
    tree = _Collected()
    level = [root]
    for _depth in range(MAX_DEPTH):
        level = [below for folder in level for below in tree.look_into(folder)]
        if not level or tree.cut:
            break
    else:
        tree.cut = bool(level)
    return Tree(root=root, files=tree.files, folders=tree.folders, unreadable=tree.unreadable, cut=tree.cut)


class _Collected:
    def __init__(self) -> None:
        self.files: list[Path] = []
        self.folders: list[Path] = []
        self.unreadable: list[Path] = []
        self.cut = False
        self._seen = 0

    def look_into(self, folder: Path) -> list[Path]:
        """Notes what is in a folder; returns the folders in it that are worth a look."""
        below: list[Path] = []
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            self.unreadable.append(folder)
            return []
        for entry in entries:
            self._seen += 1
            if self._seen > MAX_ENTRIES:
                self.cut = True
                return below
            path = Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in SKIPPED and not (path / "pyvenv.cfg").exists():
                    self.folders.append(path)
                    below.append(path)
            elif entry.is_file(follow_symlinks=False):
                self.files.append(path)
        return below
