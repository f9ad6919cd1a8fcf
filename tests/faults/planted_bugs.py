"""Bugs that the fault suite has to notice, each as a collaborator that misbehaves."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager

from holdfast.backends import local, local_write
from holdfast.backends.local_files import FileSystem
from holdfast.backends.local_write import Modes
from holdfast.format import envelope, seal, zstd
from holdfast.format.seal import Sealer
from holdfast.model.buffer import Buffer
from holdfast.model.ids import PackId
from holdfast.protocols import FileKind, Handle, Payload
from holdfast.repository import opening, reader
from holdfast.repository.backup import run as backup_run
from holdfast.repository.index_rewrite import IndexRewrite
from holdfast.repository.prune import run as prune_run
from holdfast.repository.repository import Repository
from holdfast.repository.writer import PackWriter
from holdfast.testing.sim_filesystem import SimFileSystem
from holdfast.testing.stand_in import standing_in


class NoFileSync(SimFileSystem):
    """Files are never synchronised."""

    def fsync(self, fd: int) -> None:
        """Claims to."""


class NoFolderSync(SimFileSystem):
    """Folders are never synchronised."""

    def fsync_dir(self, path: str) -> None:
        """Claims to."""


class ShortWrites(SimFileSystem):
    """Takes at most 100 bytes at a time, as a disk may that is nearly full."""

    def write(self, fd: int, buffers: Sequence[Buffer]) -> int:
        return super().write(fd, [b"".join(buffers)[:100]])


def rename_before_sync() -> AbstractContextManager[None]:
    """An object gets its final name before its content is durable."""

    def write_object(files: FileSystem, path: str, data: Payload, modes: Modes, *, once: bool) -> None:
        temporary = f"{path}-tmp-{os.urandom(8).hex()}"
        fd = files.open_temp(temporary, 0o600)
        local_write.write_all(files, fd, data)
        (files.link if once else files.rename)(temporary, path)
        files.fsync_dir(path.rpartition("/")[0])
        files.fsync(fd)
        files.close(fd)

    return standing_in(local, write_object=write_object)


class _IndexLast(PackWriter):
    """Lists packs in an index file only when the snapshot has been written."""

    def flush(self) -> None:
        keep, self._save_index = self._save_index, lambda: None  # type: ignore[method-assign]
        super().flush()
        self._save_index = keep  # type: ignore[method-assign]

    def close(self) -> None:
        self._save_index()
        super().close()


def snapshot_before_index() -> AbstractContextManager[None]:
    """The snapshot is written before the index file that makes it readable."""
    return standing_in(backup_run, PackWriter=_IndexLast)


class _NothingFlushed(PackWriter):
    """Uploads what is left over only when the snapshot has been written."""

    def flush(self) -> None:
        self._save_index()

    def close(self) -> None:
        super().flush()
        super().close()


def snapshot_before_packs() -> AbstractContextManager[None]:
    """The snapshot is written before the last packs are stored."""
    return standing_in(backup_run, PackWriter=_NothingFlushed)


class _PacksFirst(prune_run._Run):
    """Deletes packs before the index files that no longer list them are stored."""

    def _drop(self, gone: list[PackId]) -> IndexRewrite | None:
        self._remove(gone)
        return super()._drop(gone)


def packs_deleted_before_new_index() -> AbstractContextManager[None]:
    """A prune that deletes packs while the index files in force still list them."""
    return standing_in(prune_run, _Run=_PacksFirst)


class _OldIndexFirst(IndexRewrite):
    """Deletes index files before those that take their place are stored."""

    def write(self) -> None:
        self.remove_former()
        super().write()


def old_index_deleted_before_new_index() -> AbstractContextManager[None]:
    """A prune that removes index files before it writes the new ones."""
    return standing_in(prune_run, IndexRewrite=_OldIndexFirst)


def removals_never_settled() -> AbstractContextManager[None]:
    """Packs are deleted while the removal of what refers to them may still be undone by a power cut."""
    return standing_in(local.LocalBackend, _settle_removals=lambda *_, **__: None)


def short_writes_ignored() -> AbstractContextManager[None]:
    """Whatever the first call takes is what gets stored."""

    def write_all(files: FileSystem, fd: int, data: Payload) -> int:
        return files.write(fd, list(data))

    return standing_in(local_write, write_all=write_all)


def mac_not_checked() -> AbstractContextManager[None]:
    """Sealed bytes are decrypted whatever their authentication code is."""
    return standing_in(seal, compare_digest=lambda *_: True)


class _Trusting(Repository):
    """Takes a document for the one that was asked for."""

    def load_unpacked(self, kind: FileKind, name: bytes) -> bytes:
        stored = self.backend.load(Handle(kind, name.hex()))
        return envelope.unwrap(self.sealer().open(stored), self.config.version)


def name_hash_not_checked() -> AbstractContextManager[None]:
    """Whatever lies under a name is taken for what the name promises."""
    return standing_in(opening, Repository=_Trusting)


def content_hash_not_checked() -> AbstractContextManager[None]:
    """A blob is taken for the one that was asked for."""

    def open_blob(sealer: Sealer, sealed: Buffer, start: int, length: int, raw_length: int, *_: object) -> Buffer:
        plaintext = sealer.open_range(sealed, start, length)
        return zstd.decompress(plaintext, raw_length) if raw_length else plaintext

    return standing_in(reader, open_blob=open_blob)
