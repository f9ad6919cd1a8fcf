"""Folders and files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from holdfast.model.component import Role
from holdfast.policy.patterns import Excludes
from holdfast.sources.files_options import FilesOptions
from holdfast.sources.trees.source import TreeSource
from holdfast.sources.trees.tops import Top, real_paths, tops_of
from holdfast.sources.trees.walk import Limits

__all__ = ["Files", "FilesOptions"]


class Files(TreeSource):
    """A source of kind `files`.

    Args:
        name: the operator's name for it.
        base_dir: what relative paths start from.
        skip: places of our own that are never backed up, even if they lie inside.
    """

    kind = "files"
    role = Role.STORAGE

    def __init__(self, name: str, options: FilesOptions, base_dir: Path, skip: Iterable[Path] = ()) -> None:
        limits = Limits(
            excludes=Excludes(map(os.fsencode, options.exclude)),
            caches=options.exclude_caches,
            one_file_system=options.one_file_system,
            skip=real_paths(skip),
        )
        super().__init__(name, base_dir, limits, missing=options.missing)
        self._paths = options.paths

    def tops(self) -> list[Top]:
        """Where the configured paths are."""
        return tops_of(self._paths, self._base_dir)
