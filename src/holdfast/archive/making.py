"""One backup on its way into an archive of files."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence

from msgspec.structs import replace

from holdfast.archive import record
from holdfast.archive.catalog import locate
from holdfast.archive.components import AnyWriter, FilesWriter, TarComponent
from holdfast.archive.journal import Journal
from holdfast.archive.layouts.layout import Container, Dated, FileRow, Layout, container_of, unlike
from holdfast.archive.output import Coding, Output
from holdfast.archive.removing import remove_files
from holdfast.errors import BackendError, Phrase, SealVerificationFailed
from holdfast.model.backup import Manifest, Outcome, StoredBackup
from holdfast.model.backup import stamp as stamp_of
from holdfast.model.component import Component, Problem, Role, Shape, StoredFile
from holdfast.protocols.folder import Folder
from holdfast.protocols.target import ComponentWriter

_STEP_BYTES = 1024 * 1024
_HARMLESS = frozenset({"not-archived"})


class Plan:
    """Where a backup goes and what is done to its content.

    Args:
        folder: the archive.
        layout: how it is laid out.
        coding: compression and encryption.
        compress_databases: what was asked for databases; None leaves it to the layout.
    """

    def __init__(self, folder: Folder, layout: Layout, coding: Coding, compress_databases: bool | None) -> None:
        self.folder = folder
        self.layout = layout
        self.coding = coding
        self.compress_databases = compress_databases


class Making:
    """Writes the files of one backup, then its sidecars, then its record.

    Args:
        plan: where to and how.
        manifest: with id, type and time.
    """

    def __init__(self, plan: Plan, manifest: Manifest) -> None:
        self._plan = plan
        self._folder = plan.folder
        self._layout = plan.layout
        self._dated = Dated(manifest.backup_id, stamp_of(manifest.backup_id), manifest.type)
        self._journal = Journal(plan.folder, manifest.backup_id)
        self._rows: list[FileRow] = []
        self._problems: dict[str, list[Problem]] = {}
        self._used: set[str] = set()
        self._leading: dict[Role, str] = {}
        self._current: AnyWriter | None = None
        self._committed = False
        self._read_back: set[str] = set()
        self._beside = False
        self._unpacked: set[str] = set()

    def component(self, component: Component) -> ComponentWriter:
        """Begins a component."""
        self._leading.setdefault(component.role, component.name)
        writer = self._writer(component)
        self._current = writer
        return writer

    def commit(self, manifest: Manifest) -> StoredBackup:
        """Proves what was stored, then writes sidecars and, as the last, the record.

        DURABILITY: every file is synced, and so are the directories that lead to it, before the record exists.

        Raises:
            SealVerificationFailed: a stored file does not read back as it was written.
        """
        self._prove(self._rows)
        manifest = self._described(manifest)
        content = list(self._rows)
        for extra in self._layout.extras(self._dated, manifest, content, self._locate):
            self._rows.append(self._small(extra.name, extra.text, extra.component))
        self._prove(self._rows[len(content) :])
        manifest = self._described(manifest, sized=True)
        name = self._layout.record_name(self._dated, content)
        fields = self._layout.record_fields(self._dated, manifest, self._rows, self._locate)
        self._small(name, record.encode(fields, manifest, self._rows))
        return self._done(manifest, name)

    def prove_beside(self) -> None:
        """Has single files unpacked while they are packed, so that nobody has to read them again."""
        self._beside = True

    @property
    def is_proved(self) -> bool:
        """Whether the proof that comes before the record leaves nothing to be found by reading it all once more.

        That is so where what is stored is the content itself, so that nothing has to be unpacked to see that it is
        whole, or where the very bytes whose hash was proved were unpacked beside.
        """
        return self._committed and all(
            (not row.compression or row.name in self._unpacked)
            and not row.encryption
            and (row.path or row.purpose != "content")
            and self._folder.local_path(row.name) is not None
            for row in self._rows
        )

    def abort(self) -> None:
        """Takes everything back; what cannot be removed now is removed by the next `prepare`."""
        if self._committed:
            return
        current, self._current = self._current, None
        if current is not None:
            current.abort()
        remove_files(self._folder, self._journal, self._layout.folder_of(self._dated), last_first=True)

    def output(self, component: Component, entry: str = "") -> Output:
        """Begins a content file."""
        leading = self._leads(component)
        compressed = self._layout.compresses(component, self._plan.compress_databases)
        base = self._layout.content_name(self._dated, component, entry, leading=leading)
        # What is in a tar is only known to whoever reads the tar.
        beside = self._beside and container_of(component) is not Container.TAR
        return self._begin(base, compressed=compressed, unpack_beside=beside)

    def joined(self, component: Component) -> Output | None:
        """Begins the file that joins all tables."""
        base = self._layout.complete_name(self._dated, component, leading=self._leads(component))
        if not base:
            return None
        return self._begin(base, compressed=self._layout.compresses(component, self._plan.compress_databases))

    def state(self, component: Component) -> Output:
        """Begins a state file, which is compressed by whoever made it."""
        return self._begin(f".holdfast/state/{self._dated.backup_id}/{component.name}.state.gz", compressed=False)

    def keep(self, output: Output, component: Component, *, path: str = "", purpose: str = "content") -> FileRow:
        """Finishes and commits a file."""
        output.finish()
        output.writer.commit()
        row = FileRow(
            output.name,
            component.name,
            purpose,
            output.size_bytes,
            output.sha256,
            path,
            output.compression,
            output.encryption,
            output.unpacked_bytes,
        )
        self._rows.append(row)
        if output.taken_over:
            self._read_back.add(row.name)
        if output.unpacked_beside:
            self._unpacked.add(row.name)
        return row

    def problem(self, component: Component, problem: Problem) -> None:
        """Notes what could not be kept."""
        self._problems.setdefault(component.name, []).append(problem)

    def _writer(self, component: Component) -> AnyWriter:
        if container_of(component) is Container.TAR:
            return TarComponent(self, component)
        return FilesWriter(self, component, single=component.shape is Shape.FILE)

    def _leads(self, component: Component) -> bool:
        return self._leading.get(component.role) == component.name

    def _begin(self, base: str, *, compressed: bool, unpack_beside: bool = False) -> Output:
        name = unlike(base + self._plan.coding.suffix(compressed=compressed), self._used)
        self._used.add(name)
        self._journal.note(name)
        coding, beside = self._plan.coding, unpack_beside and self._folder.local_path(name) is not None
        return Output(self._folder.write(name), name, coding, compressed=compressed, unpack_beside=beside)

    def _small(self, name: str, content: bytes, component: str = "") -> FileRow:
        self._journal.note(name)
        writer = self._folder.write(name)
        try:
            writer.write(content)
            writer.commit()
        except BaseException:
            writer.abort()
            raise
        sha256 = hashlib.sha256(content).hexdigest()
        return FileRow(name, component, "sidecar", len(content), sha256, unpacked_bytes=len(content))

    def _prove(self, rows: Sequence[FileRow]) -> None:
        """Reads local files again; the page cache may answer for the disk. Of others the size is asked for."""
        for row in rows:
            # The hash of a file that was taken over was found by reading that very file.
            if row.name in self._read_back or self._folder.local_path(row.name) is None:
                found = self._folder.size(row.name)
                if found != row.size_bytes:
                    reason = Phrase(
                        "{found} bytes are there instead of {size_bytes}",
                        {"found": found, "size_bytes": row.size_bytes},
                    )
                    raise BackendError(url=self._folder.url, object=row.name, reason=reason)
            elif hash_of(self._folder, row.name) != row.sha256:
                raise SealVerificationFailed(object=row.name)

    def _described(self, manifest: Manifest, *, sized: bool = False) -> Manifest:
        """The manifest with what is known here: files, sizes, and what could not be kept."""
        components = {name: self._with_files(one) for name, one in manifest.components.items()}
        changed = any(self._serious(name) for name in components)
        outcome = Outcome.PARTIAL if changed else manifest.outcome
        total = sum(row.size_bytes for row in self._rows) if sized else 0
        return replace(manifest, components=components, outcome=outcome, total_size=total)

    def _with_files(self, component: Component) -> Component:
        files = tuple(
            StoredFile(name=row.name, size_bytes=row.size_bytes, sha256=row.sha256, purpose=row.purpose)
            for row in self._rows
            if row.component == component.name
        )
        known = {(problem.code, problem.subject) for problem in component.problems}
        ours = [one for one in self._problems.get(component.name, ()) if (one.code, one.subject) not in known]
        sha256 = "" if self._serious(component.name) else component.content_sha256
        return replace(component, files=files, problems=(*component.problems, *ours), content_sha256=sha256)

    def _serious(self, name: str) -> bool:
        return any(problem.code not in _HARMLESS for problem in self._problems.get(name, ()))

    def _locate(self, name: str) -> str:
        return locate(self._folder, name)

    def _done(self, manifest: Manifest, record_name: str) -> StoredBackup:
        self._committed = True
        # The backup is listed from here on; a journal that stays is closed by the next `prepare`.
        with contextlib.suppress(BackendError):
            self._journal.close()
        return StoredBackup(target=self._plan.coding.target, manifest=manifest, location=self._locate(record_name))


def hash_of(folder: Folder, name: str) -> str:
    """SHA-256 of a stored file."""
    digest = hashlib.sha256()
    reader = folder.read(name)
    try:
        while block := reader.read(_STEP_BYTES):
            digest.update(block)
    finally:
        reader.close()
    return digest.hexdigest()
