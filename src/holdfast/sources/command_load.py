"""Giving output back to a program, or writing it to a file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from holdfast.archive.digest import ContentDigest
from holdfast.errors import (
    DamageError,
    LoadFailed,
    Phrase,
    RestoreError,
    RestoreImpossible,
    RestoreMismatch,
    RestoreRefused,
    SourceError,
)
from holdfast.model.event import Progress
from holdfast.model.node import NodeType
from holdfast.protocols import LoadPlan, LoadReport, LoadRequest, StoredContent
from holdfast.runtime.programs import Patience, Program
from holdfast.sources.command_options import CommandOptions, words_of
from holdfast.sources.place_rename import rename_new, sync_directory

_BLOCK_BYTES = 1 << 20
_PRIVATE = 0o700
_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Programs(Protocol):
    """What a load needs of its source."""

    name: str

    def start(self, command: str | tuple[str, ...], patience: Patience, *, feeds: bool = False) -> Program:
        """Starts a program."""
        ...

    def rows(self, patience: Patience) -> dict[str, int]:
        """Counts."""
        ...


class CommandLoad:
    """One restore.

    Args:
        content: what was printed.
        base_dir: what a relative destination starts from.
    """

    def __init__(
        self, source: Programs, options: CommandOptions, content: StoredContent, request: LoadRequest, base_dir: Path
    ) -> None:
        self._source = source
        self._options = options
        self._content = content
        self._request = request
        self._file = None
        if request.destination is not None:
            path = Path(os.path.realpath(base_dir / request.destination))
            self._file = path / content.component.file_name
        elif not options.load:
            raise RestoreRefused(
                destination=source.name, reason="no `load` program is configured that takes the output back"
            )

    def plan(self) -> LoadPlan:
        """What would be done."""
        if self._file is None:
            return LoadPlan(destination=self._program, replaces=(f"whatever {self._program} replaces",))
        folder = next((one for one in self._file.parents if one.is_dir()), Path("/"))
        needed = self._content.component.content_bytes
        return LoadPlan(destination=str(self._file), directory=folder, needed_bytes=needed)

    @property
    def _program(self) -> str:
        return os.path.basename(words_of(self._options.load)[0]) if self._options.load else ""

    def run(self) -> LoadReport:
        """Does it."""
        if self._file is not None:
            size_bytes = self._write(self._file)
            return LoadReport(
                destination=str(self._file), file_count=1, content_bytes=size_bytes, checks=("content compared",)
            )
        # SAFETY: a program that reads cannot take back what it was given. So all of the content is read and compared
        # before the first byte of it is given out.
        for _block in self._blocks():
            pass
        size_bytes = self._feed()
        rows = self._counted()
        checks = (f"{self._program} succeeded", *(("rows counted",) if rows else ()))
        return LoadReport(destination=self._program, rows=rows, file_count=1, content_bytes=size_bytes, checks=checks)

    def _blocks(self) -> Iterator[bytes]:
        """The content. Raises `DamageError` at its end if it is not what was backed up."""
        name = self._content.component.name
        digest, found = ContentDigest(), False
        for entry in self._content.entries():
            if entry.node.type is not NodeType.FILE or entry.open is None:
                continue
            if found:
                raise DamageError(object=name, reason="it holds more than one file")
            found, sha256, size = True, hashlib.sha256(), 0
            reader = entry.open()
            try:
                while block := reader.read(_BLOCK_BYTES):
                    self._request.cancelled()
                    sha256.update(block)
                    size += len(block)
                    yield block
            finally:
                reader.close()
            digest.feed(entry, sha256.digest(), size)
        if not found:
            raise DamageError(object=name, reason="it holds no file")
        expected = self._content.component.content_sha256
        if expected and digest.hexdigest() != expected:
            raise DamageError(object=name, reason="its content is not what was backed up")

    # --- a program ------------------------------------------------------------------------------

    def _feed(self) -> int:
        total, taken = 0, True
        patience = self._patience()
        try:
            with self._source.start(self._options.load, patience, feeds=True) as program:
                for block in self._blocks():
                    taken = program.feed(block)
                    if not taken:
                        break
                    total += len(block)
                    self._request.listener(Progress(phase="restoring", bytes_done=total, current=self._source.name))
                ending = program.finish()
        except SourceError as error:
            raise LoadFailed(destination=self._program, reason=error.phrase) from error
        if not ending.succeeded:
            raise LoadFailed(destination=self._program, reason=ending.words)
        if not taken:
            raise LoadFailed(
                destination=self._program,
                reason=Phrase("{program} did not read all of its input", {"program": ending.program}),
            )
        return total

    def _patience(self) -> Patience:
        seconds = self._options.timeout_s or self._request.timeout_s
        return Patience(seconds, self._stalled, self._request.cancelled)

    def _stalled(self, seconds: float) -> RestoreError:
        return LoadFailed(
            destination=self._program,
            reason=Phrase("it took and gave nothing for {seconds} s", {"seconds": f"{seconds:g}"}),
        )

    def _counted(self) -> dict[str, int]:
        expected = self._content.component.rows
        try:
            rows = self._source.rows(self._patience())
        except SourceError as error:
            raise RestoreMismatch(destination=self._program, reason=error.phrase) from error
        for name, count in expected.items():
            if rows and rows.get(name) != count:
                raise RestoreMismatch(
                    destination=self._program,
                    reason=Phrase(
                        "{name} has {get} rows instead of {count}",
                        {"name": name, "get": rows.get(name, 0), "count": count},
                    ),
                )
        return rows

    # --- a file ---------------------------------------------------------------------------------

    def _write(self, path: Path) -> int:
        if os.path.lexists(path):
            raise RestoreRefused(destination=str(path), reason="it exists")
        temporary = path.with_name(f".holdfast-new-{path.name}"[:255])
        size_bytes = 0
        try:
            for folder in reversed([one for one in path.parents if not one.exists()]):
                folder.mkdir(_PRIVATE)
            temporary.unlink(missing_ok=True)
            with open(os.open(temporary, _FILE_FLAGS, 0o600), "wb") as file:
                for block in self._blocks():
                    size_bytes += file.write(block)
                file.flush()
                # DURABILITY: the bytes are on the disk before the name is given.
                os.fsync(file.fileno())
            rename_new(temporary, path)
            sync_directory(path.parent)
        except FileExistsError as error:
            raise RestoreRefused(destination=str(path), reason="it exists") from error
        except OSError as error:
            raise RestoreImpossible(path=str(path), reason=error.strerror or str(error)) from error
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        return size_bytes
