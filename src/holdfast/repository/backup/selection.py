"""What a backup leaves out."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from holdfast.policy.patterns import Excludes
from holdfast.repository.backup.report import BackupOptions

_MARKER_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Selection:
    """Decides about every item of a walk, by path, by size, by file system and by marker files."""

    def __init__(self, options: BackupOptions, targets: Sequence[bytes] = ()) -> None:
        self._excludes = Excludes(map(os.fsencode, options.excludes), map(os.fsencode, options.insensitive_excludes))
        self._has_excludes = bool(self._excludes)
        self._larger_than = options.exclude_larger_than
        self._markers = [_marker(text) for text in options.exclude_if_present]
        self._marked_parents: dict[bytes, bool] = {}
        self._devices: set[int] | None = None
        if options.one_file_system:
            # Of what was asked for, and not of what `.` or `/` holds: a mount point there is still another one.
            self._devices = {os.lstat(target).st_dev for target in targets if os.path.lexists(target)}

    @property
    def trivial(self) -> bool:
        """Whether nothing is ever left out by path or size."""
        return not self._has_excludes and not self._larger_than and self._devices is None

    def takes_target(self, path: bytes, status: os.stat_result) -> bool:
        """COMPAT(restic): what was asked for by name, or lies in a folder that was, is left out like anything else."""
        if self._markers:
            parent, name = os.path.split(os.path.abspath(path))
            if parent not in self._marked_parents:
                present = [marker for marker, _ in self._markers if os.path.lexists(os.path.join(parent, marker))]
                self._marked_parents[parent] = self.marked(present, parent)
            if self._marked_parents[parent] and name not in self.marker_names():
                return False
        return self.takes(path, status)

    def takes(self, path: bytes, status: os.stat_result) -> bool:
        """Whether an item is backed up.

        A mount point is kept as an empty directory when other file systems are left out.
        """
        if self._larger_than and stat.S_ISREG(status.st_mode) and status.st_size > self._larger_than:
            return False
        if not self._has_excludes:
            return True
        # COMPAT(restic): patterns are held against absolute paths, however the target was written.
        return self._excludes.select(
            path if path.startswith(b"/") else os.path.abspath(path), stat.S_ISDIR(status.st_mode)
        )

    def descends(self, status: os.stat_result) -> bool:
        """Whether a directory's entries are backed up as well."""
        return self._devices is None or status.st_dev in self._devices

    def marked(self, names: list[bytes], directory: bytes) -> bool:
        """Whether a marker file excludes everything else in this directory."""
        if not self._markers:
            return False
        present = set(names)
        return any(name in present and _has_header(directory, name, header) for name, header in self._markers)

    def marker_names(self) -> set[bytes]:
        """Names that are kept even in a directory they exclude, so that the exclusion can be seen later."""
        return {name for name, _ in self._markers}


def _marker(text: str) -> tuple[bytes, bytes]:
    name, _, header = text.partition(":")
    return os.fsencode(name), os.fsencode(header)


def _has_header(directory: bytes, name: bytes, header: bytes) -> bool:
    if not header:
        return True
    # A FIFO of that name must neither be waited for nor count.
    try:
        with open(os.open(os.path.join(directory, name), _MARKER_FLAGS), "rb") as marker:
            return stat.S_ISREG(os.fstat(marker.fileno()).st_mode) and marker.read(len(header)) == header
    except OSError:
        return False
