"""What a restore takes, by path."""

from __future__ import annotations

from holdfast.policy.patterns import Excludes, Includes
from holdfast.repository.restore.report import RestoreOptions


class Selection:
    """Decides about paths as the snapshot has them, below the subfolder that is restored.

    Attributes:
        everything: whether there are no patterns at all, so that nobody needs to ask.
    """

    def __init__(self, options: RestoreOptions) -> None:
        self._includes = Includes(options.includes, options.insensitive_includes)
        self._excludes = Excludes(options.excludes, options.insensitive_excludes)
        self.everything = not self._includes and not self._excludes

    def takes(self, path: bytes, *, is_dir: bool) -> bool:
        """Whether the item itself is restored."""
        return self._includes.select(path, is_dir) and self._excludes.select(path, is_dir)

    def descends(self, path: bytes) -> bool:
        """Whether something below a directory may be restored."""
        return self._includes.may_contain(path) and self._excludes.may_contain(path)
