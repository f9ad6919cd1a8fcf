"""Deciding about each item, given what is in its place already."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from holdfast.errors import HoldfastError, RestoreError, RestoreImpossible
from holdfast.model.node import Node, NodeType
from holdfast.repository.restore.batch import Batch, HardLink, PlannedFile
from holdfast.repository.restore.directories import Directories, Directory
from holdfast.repository.restore.metadata import Rights, metadata_of
from holdfast.repository.restore.report import Overwrite, RestoreOptions, RestoreReport
from holdfast.repository.restore.safe_fs import check_name, restore_error
from holdfast.repository.restore.selection import Selection
from holdfast.repository.restore.specials import DEVICES, make_special
from holdfast.repository.restore.walk import Entered

TROUBLE = (OSError, ValueError, OverflowError)
"""What system calls raise: failures, and values they do not take."""


class Placer:
    """Makes directories and special files, clears the way, and puts regular files into batches."""

    def __init__(
        self,
        directories: Directories,
        selection: Selection,
        options: RestoreOptions,
        rights: Rights,
        report: RestoreReport,
        on_error: Callable[[bytes, HoldfastError], None],
    ) -> None:
        self._directories = directories
        self._selection = selection
        self._options = options
        self._rights = rights
        self._report = report
        self._on_error = on_error
        self._links: dict[tuple[int, int], tuple[Directory, bytes]] = {}

    def enter(self, entered: Entered) -> None:
        """Makes a directory that is restored, and empties it of what the snapshot does not have."""
        if entered.wanted:
            self._make(entered.directory)
        if self._options.delete and entered.nodes is not None and not entered.directory.fresh:
            self._delete_others(entered, {node.name for node in entered.nodes})

    def _make(self, directory: Directory) -> bool:
        if directory.made:
            return True
        if directory.broken:
            return False
        try:
            self._directories.make(directory)
        except RestoreError as error:
            directory.broken = True
            self._on_error(directory.path(), error)
        except TROUBLE as error:
            directory.broken = True
            self._report_trouble(directory.path(), error)
        return directory.made

    def _report_trouble(self, path: bytes, error: Exception) -> None:
        problem = restore_error(path, error)
        self._on_error(path, problem)
        if isinstance(problem, RestoreImpossible):
            raise problem

    def _delete_others(self, entered: Entered, kept: set[bytes]) -> None:
        directory = entered.directory
        if not directory.made:
            return
        try:
            present = self._directories.entries(directory)
        except OSError as error:
            self._report_trouble(directory.path(), error)
            return
        for name in sorted(present):
            if name not in kept and self._may_delete(entered.path, directory, name):
                try:
                    # SAFETY: `delete` was asked for, the tree that lists what is kept has been read and proved.
                    self._report.deleted += 1 if self._options.dry_run else self._directories.remove(directory, name)
                except OSError as error:
                    self._report_trouble(_join(directory, name), error)

    def _may_delete(self, path: bytes, directory: Directory, name: bytes) -> bool:
        """Only what would be restored if it were in the snapshot is deleted."""
        if self._selection.everything:
            return True
        status = self._directories.lstat(directory, name)
        is_dir = status is not None and stat.S_ISDIR(status.st_mode)
        return self._selection.takes(path + b"/" + name, is_dir=is_dir)

    # --- items ----------------------------------------------------------------------------------

    def place(self, directory: Directory, node: Node, batch: Batch) -> None:
        """Restores a special file at once; a regular file is put into the batch."""
        if not self._make(directory):
            return
        try:
            check_name(node.name)
            if node.type is NodeType.FILE:
                self._place_file(directory, node, batch)
            elif node.type is NodeType.SOCKET or (node.type in DEVICES and not self._devices_wanted()):
                self._report.skipped += 1
            else:
                self._place_special(directory, node, batch)
        except RestoreError as error:
            self._on_error(_join(directory, node.name), error)
        except TROUBLE as error:
            self._report_trouble(_join(directory, node.name), error)

    def _devices_wanted(self) -> bool:
        return self._options.devices and self._rights.root

    def _place_file(self, directory: Directory, node: Node, batch: Batch) -> None:
        status = self._directories.lstat(directory, node.name)
        if status is not None and self._keeps(status, node):
            self._report.skipped += 1
            return
        key = self._link_key(node)
        if key is not None and self._place_link(directory, node, batch, status, key):
            return
        inode, trusted = 0, False
        if status is not None:
            if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
                inode = status.st_ino
                trusted = self._trusts(status, node)
            else:
                # SAFETY: also for files with further names: writing into them would change those, wherever they are.
                self._clear(directory, node.name, status)
        batch.add(
            PlannedFile(directory, node.name, metadata_of(node), node.content or (), node.size, inode, trusted, key)
        )

    def _keeps(self, status: os.stat_result, node: Node) -> bool:
        mode = self._options.overwrite
        if mode is Overwrite.NEVER:
            return True
        return mode is Overwrite.IF_NEWER and status.st_mtime_ns >= node.mtime_ns

    def _trusts(self, status: os.stat_result, node: Node) -> bool:
        unchanged = status.st_size == node.size and status.st_mtime_ns == node.mtime_ns
        return unchanged and self._options.overwrite is Overwrite.IF_CHANGED

    def _link_key(self, node: Node) -> tuple[int, int] | None:
        """What tells files of several names apart: COMPAT(restic): a later name may itself record a single link."""
        key = (node.inode, node.device_id)
        return key if node.inode and (node.links > 1 or key in self._links) else None

    def _place_link(
        self, directory: Directory, node: Node, batch: Batch, status: os.stat_result | None, key: tuple[int, int]
    ) -> bool:
        """Notes a further name of something restored before. Returns False for the first name."""
        first = self._links.get(key)
        if first is None:
            self._links[key] = (directory, node.name)
            return False
        if status is not None:
            self._clear(directory, node.name, status)
        batch.links.append(HardLink(directory, node.name, *first, key))
        return True

    def _place_special(self, directory: Directory, node: Node, batch: Batch) -> None:
        status = self._directories.lstat(directory, node.name)
        if status is not None and self._keeps(status, node):
            self._report.skipped += 1
            return
        key = self._link_key(node)
        if key is not None and self._place_link(directory, node, batch, status, key):
            return
        if status is not None:
            self._clear(directory, node.name, status)
        if not self._options.dry_run:
            self._report.ignored += make_special(self._directories, directory, node, self._rights)
        self._report.others += 1

    def _clear(self, directory: Directory, name: bytes, status: os.stat_result) -> None:
        """Removes what is in the way; a directory with something in it only when deleting was asked for."""
        if self._options.dry_run:
            return
        if stat.S_ISDIR(status.st_mode) and not self._options.delete:
            try:
                os.rmdir(name, dir_fd=self._directories.fd(directory))
            except OSError as error:
                path = os.fsdecode(_join(directory, name))
                raise RestoreError(path=path, reason="a directory that is not empty is in its place") from error
            return
        # SAFETY: the overwrite mode says that this name is to be restored, and it is something else.
        self._directories.remove(directory, name)


def _join(directory: Directory, name: bytes) -> bytes:
    path = directory.path()
    return path + b"/" + name if path else name
