"""One backup on its way into a zip."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote_from_bytes

from msgspec.structs import replace

from holdfast.archive import bundle_file, record
from holdfast.archive.components import AnyWriter, ZipComponent
from holdfast.archive.layouts.bundle import MANIFEST
from holdfast.archive.layouts.layout import Container, FileRow, container_of, unlike
from holdfast.archive.making import Making, Plan
from holdfast.archive.zip_writer import ZipWriter
from holdfast.backends.folders.abilities import Rereadable
from holdfast.errors import BackendError, SealVerificationFailed
from holdfast.format.mode import from_permissions
from holdfast.model.backup import Manifest, StoredBackup
from holdfast.model.component import Component
from holdfast.model.node import Node, NodeType
from holdfast.protocols.content import Entry

_LEVEL = 6
_STEP_BYTES = 1024 * 1024
_ODD = re.compile(r"[\x00-\x1f\x7f\\\ufffd]")


class BundleMaking(Making):
    """Writes members, then the manifest, and makes the zip visible as a whole; of an encrypted one, a record beside it.

    Args:
        plan: where to and how.
        manifest: with id, type and time.
    """

    def __init__(self, plan: Plan, manifest: Manifest) -> None:
        super().__init__(plan, manifest)
        self._created_at = manifest.created_at
        self._out = self._begin(f"{manifest.backup_id}.zip", compressed=False)
        self._zip = ZipWriter(self._out.write, (plan.coding.level or _LEVEL) if plan.coding.compression else 0)
        self._used.add(MANIFEST)
        self._folders: dict[str, str] = {}
        self._odd = 0

    def commit(self, manifest: Manifest) -> StoredBackup:
        """Ends the zip, proves it, and makes it visible.

        Raises:
            SealVerificationFailed: the zip does not read back as it was written.
        """
        self._prove([row for row in self._rows if row.purpose == "state"])
        self._rows += [self._folder_row(manifest.components[name], prefix) for name, prefix in self._folders.items()]
        described = replace(self._described(manifest), total_size=self._zip.position)
        self._add_manifest(described)
        self._out.finish()
        self._commit_zip()
        encrypted = bool(self._out.encryption)
        state = sum(row.size_bytes for row in self._rows if row.purpose == "state")
        described = replace(described, total_size=self._out.size_bytes + state)
        if not encrypted:
            return self._done(described, self._out.name)
        fields = self._layout.record_fields(self._dated, described, self._content_rows(), self._locate)
        name = self._layout.record_name(self._dated, self._rows)
        self._small(name, record.encode(fields, described, [*self._rows, self._bundle_row()]))
        return self._done(described, name)

    @property
    def is_proved(self) -> bool:
        """Members are packed: only unpacking them shows that they are whole."""
        return False

    def abort(self) -> None:
        """Takes everything back."""
        if not self._committed:
            self._zip.close()
            self._out.abort()
        super().abort()

    def _writer(self, component: Component) -> AnyWriter:
        leading = self._leads(component)
        if container_of(component) is Container.TAR:
            prefix = self._taken(self._layout.content_name(self._dated, component, "", leading=leading))
            self._folders[component.name] = prefix
            return ZipComponent(self, component, self._zip, lambda entry: self._below(prefix, entry), _ignore)

        def name(entry: Entry) -> str:
            base = entry.path.rpartition(b"/")[2].decode("utf-8", "backslashreplace")
            return self._taken(self._layout.content_name(self._dated, component, base, leading=leading))

        def row(member: str, path: bytes, size_bytes: int, sha256: bytes) -> None:
            stored = f"{self._out.name}!{member}"
            quoted = quote_from_bytes(path)
            self._rows.append(
                FileRow(stored, component.name, "content", size_bytes, sha256.hex(), quoted, unpacked_bytes=size_bytes)
            )

        return ZipComponent(self, component, self._zip, name, row)

    def _taken(self, name: str) -> str:
        free = unlike(name, self._used)
        self._used.add(free)
        return free

    def _below(self, prefix: str, entry: Entry) -> str:
        """The name of a tree's member; one that other programs could not take is replaced, and kept beside it."""
        name = entry.path.decode("utf-8", "replace")
        if _ODD.search(name):
            self._odd += 1
            name = f"{_ODD.sub('_', name)}~{self._odd}"
        if entry.node.type is NodeType.DIR:
            return f"{prefix}{name}/" if name else prefix
        return prefix + name

    def _add_manifest(self, manifest: Manifest) -> None:
        fields = self._layout.record_fields(self._dated, manifest, self._content_rows(), self._locate)
        position = self._zip.position
        mtime_ns = int(self._created_at.timestamp()) * 1_000_000_000
        mode = from_permissions(NodeType.FILE, 0o600)
        node = Node(name=MANIFEST.encode(), type=NodeType.FILE, mode=mode, mtime_ns=mtime_ns)
        self._zip.begin(MANIFEST, node, large=False)
        self._zip.write(record.encode(fields, manifest, self._rows))
        self._zip.end()
        self._zip.finish(bundle_file.comment(position))

    def _commit_zip(self) -> None:
        writer, sha256 = self._out.writer, self._out.sha256
        if isinstance(writer, Rereadable):
            digest = hashlib.sha256()
            reader = writer.reread()
            try:
                while block := reader.read(_STEP_BYTES):
                    digest.update(block)
            finally:
                reader.close()
            if digest.hexdigest() != sha256:
                raise SealVerificationFailed(object=self._out.name)
        sums = bundle_file.sum_name(self._dated.backup_id)
        self._journal.note(sums)
        self._folder.replace(sums, bundle_file.sum_text(sha256, self._out.name))
        writer.commit()
        if not isinstance(writer, Rereadable) and self._folder.size(self._out.name) != self._out.size_bytes:
            raise BackendError(url=self._folder.url, object=self._out.name, reason="it was stored with another length")

    def _folder_row(self, component: Component, prefix: str) -> FileRow:
        """What stands for all members of a tree: their bytes together, and the digest of the content."""
        name = f"{self._out.name}!{prefix}"
        size, sha256 = component.content_bytes, component.content_sha256
        return FileRow(name, component.name, "content", size, sha256, unpacked_bytes=size)

    def _content_rows(self) -> list[FileRow]:
        return [row for row in self._rows if row.purpose == "content"]

    def _bundle_row(self) -> FileRow:
        out = self._out
        return FileRow(
            out.name,
            "",
            "bundle",
            out.size_bytes,
            out.sha256,
            encryption=out.encryption,
            unpacked_bytes=out.unpacked_bytes,
        )


def _ignore(_member: str, _path: bytes, _size_bytes: int, _sha256: bytes) -> None:
    """Members of a tree have no row of their own."""
