"""The file of an export: a zip with content, manifest, checksums and a page for people."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
import zipfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import IO, Self

import msgspec

from holdfast.backends.local_errors import failure_of
from holdfast.errors import ObjectExists, english
from holdfast.model.backup import Manifest, StoredBackup
from holdfast.model.component import Component, Problem, Shape
from holdfast.model.event import Listener, Progress, Warned
from holdfast.model.node import NodeType
from holdfast.operations.recovery_sheet import Member, sheet
from holdfast.operations.reports import ExportReport
from holdfast.protocols.content import Entry, StoredContent

SHEET = "RECOVERY.txt"
SUMS = "SHA256SUMS"
_BLOCK_BYTES = 1 << 20
_PLAIN = re.compile(r"[^\w.@+=-]")
_MODE = 0o100600 << 16


class ExportFile:
    """A zip on its way; nothing has its name before `finish`. Use it as a context manager.

    Args:
        path: of the file.
        cancelled: raises when the export is to stop.
    """

    def __init__(self, path: Path, cancelled: Callable[[], None], listener: Listener) -> None:
        self._path = path
        self._cancelled = cancelled
        self._listener = listener
        self._members: list[Member] = []
        self._sums: dict[str, str] = {}
        with self._named_errors():
            self._descriptor, self._temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        self._file = os.fdopen(self._descriptor, "w+b")
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_DEFLATED, allowZip64=True)

    def add(self, content: StoredContent, stored: StoredBackup) -> None:
        """Adds a component as standard tools read it.

        Args:
            content: the component.
            stored: the backup it is from.

        Raises:
            DamageError: it is not what was stored.
        """
        self._listener(Progress(phase="export", current=f"{stored.backup_id} {content.component.name}"))
        component = content.component
        folder = plain(component.name)
        if component.shape is Shape.TREE:
            name = f"{folder}/{plain(component.name)}.tar"
            self._add_tree(content, name)
        elif component.shape is Shape.FILE:
            name = f"{folder}/{plain(component.file_name)}"
            self._add_files(content, lambda _: name)
        else:
            name = f"{folder}/"
            self._add_files(content, lambda entry: name + _entry_name(entry))
        self._members.append(Member(name, component))

    def finish(self, manifest: Manifest, language: str) -> ExportReport:
        """Adds manifest, page and checksums, and gives the file its name.

        Raises:
            ObjectExists: the name was taken meanwhile.
        """
        self._add_text(
            "manifest.json", msgspec.json.format(msgspec.json.encode(manifest, enc_hook=english), indent=2) + b"\n"
        )
        self._add_text(SHEET, sheet(manifest, self._members, language).encode("utf-8", "backslashreplace"))
        sums = "".join(f"{sha256}  {name}\n" for name, sha256 in self._sums.items())
        self._add_text(SUMS, sums.encode())
        with self._named_errors():
            self._zip.close()
            self._file.flush()
            # DURABILITY: the content is on disk before the name is.
            os.fsync(self._file.fileno())
            self._publish()
            self._file.seek(0)
            sha256 = hashlib.file_digest(self._file, "sha256").hexdigest()
            size_bytes = os.fstat(self._file.fileno()).st_size
        return ExportReport(
            backup_id=manifest.backup_id,
            path=self._path,
            size_bytes=size_bytes,
            sha256=sha256,
            members=(*self._sums, SUMS),
        )

    def _publish(self) -> None:
        try:
            os.link(self._temporary, self._path)
        except FileExistsError:
            raise ObjectExists(object=self._path.name, url=str(self._path.parent)) from None
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _add_tree(self, content: StoredContent, name: str) -> None:
        from holdfast.archive.tar_writer import TarWriter

        with self._member(name) as write:
            tar = TarWriter(write, self._tell(content.component))
            for entry in content.entries():
                self._cancelled()
                tar.begin(entry)
                if entry.node.type is NodeType.FILE and entry.open is not None:
                    self._copy(entry, tar.write)
                    tar.end()
            tar.finish()

    def _add_files(self, content: StoredContent, name_of: Callable[[Entry], str]) -> None:
        for entry in content.entries():
            self._cancelled()
            if entry.node.type is NodeType.FILE and entry.open is not None:
                with self._member(name_of(entry)) as write:
                    self._copy(entry, write)

    def _copy(self, entry: Entry, write: Callable[[bytes], object]) -> None:
        assert entry.open is not None
        reader = entry.open()
        try:
            while block := reader.read(_BLOCK_BYTES):
                self._cancelled()
                write(block)
        finally:
            reader.close()

    def _add_text(self, name: str, text: bytes) -> None:
        with self._member(name) as write:
            write(text)

    @contextlib.contextmanager
    def _member(self, name: str) -> Generator[Callable[[bytes | bytearray | memoryview], object]]:
        info = zipfile.ZipInfo(name)
        info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, _MODE
        digest = hashlib.sha256()
        with self._named_errors(), self._zip.open(info, "w", force_zip64=True) as member:

            def write(block: bytes | bytearray | memoryview) -> None:
                digest.update(block)
                _write(member, block)

            yield write
        self._sums[name] = digest.hexdigest()

    def _tell(self, component: Component) -> Callable[[Problem], None]:
        def tell(problem: Problem) -> None:
            subject = f"{component.name}: {problem.subject}"
            self._listener(Warned(code=problem.code, subject=subject, detail=problem.detail))

        return tell

    @contextlib.contextmanager
    def _named_errors(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise failure_of(error, str(self._path.parent), self._path.name) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._zip.close()
        with contextlib.suppress(OSError):
            self._file.close()
        # SAFETY: this is the temporary name that was made here; the finished file has another one.
        with contextlib.suppress(OSError):
            os.unlink(self._temporary)


def plain(text: str) -> str:
    """A text as a file name that needs no care anywhere."""
    name = _PLAIN.sub("_", text).lstrip(".")
    return name[:200] or "_"


def _entry_name(entry: Entry) -> str:
    return "/".join(plain(part) for part in entry.path.decode("utf-8", "backslashreplace").split("/"))


def _write(member: IO[bytes], block: bytes | bytearray | memoryview) -> None:
    member.write(block)
