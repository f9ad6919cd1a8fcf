"""A handful of configuration files."""

from __future__ import annotations

from pathlib import Path

from holdfast.model.component import Role
from holdfast.policy.patterns import Excludes
from holdfast.sources.files_options import ConfigFilesOptions
from holdfast.sources.trees.source import TreeSource
from holdfast.sources.trees.tops import Top, tops_of
from holdfast.sources.trees.walk import Limits

__all__ = ["ConfigFiles", "ConfigFilesOptions"]


class ConfigFiles(TreeSource):
    """A source of kind `config`: each file is replaced on its own, with a safety copy of its own.

    Args:
        name: the operator's name for it.
        base_dir: what relative paths start from.
    """

    kind = "config"
    role = Role.CONFIG

    def __init__(self, name: str, options: ConfigFilesOptions, base_dir: Path) -> None:
        super().__init__(name, base_dir, Limits(Excludes()), missing=options.missing, accepted=True)
        self._paths = options.paths

    def tops(self) -> list[Top]:
        """Where the files are."""
        return tops_of(self._paths, self._base_dir)
