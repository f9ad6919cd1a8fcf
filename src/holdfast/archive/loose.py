"""A file that a person names: unpacked by hand, copied elsewhere, or made by another program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from holdfast.archive import record
from holdfast.archive.content import Shelf, ZipContent, file_node, shaped
from holdfast.archive.encryption.keys import Keys
from holdfast.archive.expectation import Expectation, expectation
from holdfast.archive.layouts.bundle import MANIFEST
from holdfast.archive.layouts.layout import FileRow
from holdfast.archive.origin import Origin
from holdfast.archive.output import Input, Packing, open_input
from holdfast.archive.record import RECORD_MAX_BYTES, Record
from holdfast.archive.selection import Selection
from holdfast.archive.sniff import SNIFF_BYTES, Kind, sniff
from holdfast.archive.tar_reader import TarReader
from holdfast.archive.zip_foreign import ForeignZip
from holdfast.archive.zip_reader import ZipReader
from holdfast.backends.folders.local import LocalFolder
from holdfast.model.backup import Manifest
from holdfast.model.component import Component, Form, Problem, Role, Shape
from holdfast.protocols.content import Entry, StoredContent

_ENCRYPTIONS = {Kind.AGE: "age", Kind.GPG: "gpg", Kind.OPENSSL: "openssl"}
_COMPRESSIONS = {Kind.GZIP: "gz", Kind.ZSTD: "zst"}
_PACKED = (".gz", ".zst", ".age", ".gpg", ".enc")
_POSTGRESQL, _MYSQL = b"PostgreSQL database", (b"MariaDB dump", b"MySQL dump")


class LooseFile(NamedTuple):
    """What is in a file.

    Attributes:
        path: the file.
        contents: components by name; one, unless the file is a bundle.
        manifest: of the backup it belongs to, where that is known.
        proved: whether a checksum of it is known and will be compared.
        problems: what a person should know before restoring from it.
    """

    path: Path
    contents: Mapping[str, StoredContent]
    manifest: Manifest | None = None
    proved: bool = False
    problems: tuple[Problem, ...] = ()


def open_loose(path: Path, keys: Keys, *, verify: bool = True) -> LooseFile:
    """Finds out what a file is, from its first bytes and from a record or sidecar beside it.

    Args:
        path: any file that a backup consists of, packed or not.
        keys: what to decrypt it with.
        verify: whether to compare checksums.

    Raises:
        ObjectNotFound: there is no such file.
        DecryptionFailed: it is encrypted, and nothing that was given opens it.
        BackupDamaged: it is nothing that a source could load, or garbled.
    """
    folder = LocalFolder(str(path.absolute().parent))
    origin = Origin(path.name, folder.url)
    folder.size(path.name)
    known = expectation(path)
    opened = _Opened(folder, origin, keys, known if verify else known._replace(sha256=""))
    problems: tuple[Problem, ...] = ()
    if opened.packing.encryption == "openssl":
        detail = "openssl does not notice changes: nothing proves that this is what was encrypted"
        problems = (Problem(code="not-authenticated", subject=path.name, detail=detail),)
    contents, manifest = _contents(opened, path, verify=verify)
    return LooseFile(path, contents, manifest or known.manifest, bool(known.sha256) and verify, problems)


class _Opened:
    """A file of which it is known how it is packed and what is in it."""

    def __init__(self, folder: LocalFolder, origin: Origin, keys: Keys, known: Expectation) -> None:
        self.folder = folder
        self.origin = origin
        self.keys = keys
        self.known = known
        self.packing = Packing()
        kind, self.head = self._sniffed()
        if kind in _ENCRYPTIONS:
            self.packing = self.packing._replace(encryption=_ENCRYPTIONS[kind])
            kind, self.head = self._sniffed()
        if kind in _COMPRESSIONS:
            self.packing = self.packing._replace(compression=_COMPRESSIONS[kind])
            kind, self.head = self._sniffed()
        self.kind = kind

    def open(self) -> Input:
        """The content from its start; proved at its end if a checksum is known."""
        return open_input(self.folder, self.origin, self.known.sha256, self.packing, self.keys)

    def _sniffed(self) -> tuple[Kind, bytes]:
        reader = open_input(self.folder, self.origin, "", self.packing, self.keys)
        try:
            head = b""
            while len(head) < SNIFF_BYTES and (block := reader.read(SNIFF_BYTES - len(head))):
                head += block
            return sniff(head), head
        finally:
            reader.close()


class _OneFile:
    """A component of one file."""

    def __init__(self, component: Component, path: bytes, opened: _Opened) -> None:
        self._component = component
        self._path = path
        self._opened = opened

    @property
    def component(self) -> Component:
        """What is there."""
        return self._component

    def entries(self, paths: Sequence[bytes] = ()) -> Iterator[Entry]:
        """The file; how large it is shows when it is read."""
        node = file_node(self._path, 0)
        if Selection(paths).takes(self._path, node.type):
            yield Entry(path=self._path, node=node, size_known=False, open=self._opened.open)


class _Tree:
    """A component that is an archive of some program."""

    def __init__(self, component: Component, opened: _Opened) -> None:
        self._component = component
        self._opened = opened

    @property
    def component(self) -> Component:
        """What is there."""
        return self._component

    def entries(self, paths: Sequence[bytes] = ()) -> Iterator[Entry]:
        """The members, in order."""
        opened = self._opened
        trusted = opened.known.component is not None
        if opened.kind is Kind.ZIP:
            entries = ForeignZip(opened.open, opened.origin).entries()
        else:
            entries = TarReader(opened.open, opened.origin, trusted=trusted).entries()
        return shaped(entries, self._component.shape, Selection(paths))


def _contents(opened: _Opened, path: Path, *, verify: bool) -> tuple[dict[str, StoredContent], Manifest | None]:
    if opened.kind is Kind.ZIP:
        found = _bundle_record(opened)
        if found.manifest is not None:
            return _bundle(opened, found, found.manifest), found.manifest
    component = opened.known.component or _guessed(opened, path)
    if component is None:
        raise opened.origin.damaged("it is neither a database, nor SQL, nor JSON of a table, nor a tar or zip archive")
    if not verify:
        component = replace(component, content_sha256="")
    content: StoredContent
    if opened.kind in {Kind.TAR, Kind.ZIP}:
        content = _Tree(component, opened)
    else:
        content = _OneFile(component, opened.known.path or component.file_name.encode(), opened)
    return {component.name: content}, None


def _bundle_record(opened: _Opened) -> Record:
    """The record in a zip, if it is a bundle of ours; it is the last member, so that everything is read."""
    reader = ZipReader(opened.open(), opened.origin)
    try:
        for member in reader.members():
            if member.name == MANIFEST:
                parts: list[bytes] = []
                total = 0
                while (block := member.content.read(65_536)) and total <= RECORD_MAX_BYTES:
                    parts.append(block)
                    total += len(block)
                return record.decode(b"".join(parts))
    finally:
        reader.close()
    return Record()


def _bundle(opened: _Opened, found: Record, manifest: Manifest) -> dict[str, StoredContent]:
    encryption, sha256 = opened.packing.encryption, opened.known.sha256
    size = opened.folder.size(opened.origin.name)
    row = FileRow(opened.origin.name, "", "bundle", size, sha256, encryption=encryption, unpacked_bytes=None)
    shelf = Shelf(opened.folder, opened.keys, opened.origin.place)
    contents: dict[str, StoredContent] = {}
    for name, component in manifest.components.items():
        rows = [one for one in found.files if one.component == name and one.purpose == "content"]
        contents[name] = ZipContent(component, rows, row, shelf)
    return contents


def _guessed(opened: _Opened, path: Path) -> Component | None:
    """A component from nothing but content and name."""
    name = path.name
    while name.endswith(_PACKED):
        name = name.rpartition(".")[0]
    stem = name.partition(".")[0] or name
    match opened.kind:
        case Kind.SQLITE:
            return _component(stem, "sqlite", Role.DATABASE, Form.NATIVE, Shape.FILE, name)
        case Kind.PGDUMP:
            return _component(stem, "postgresql", Role.DATABASE, Form.NATIVE, Shape.FILE, name)
        case Kind.SQL:
            return _component(stem, _dialect(opened.head), Role.DATABASE, Form.SQL, Shape.FILE, name)
        case Kind.JSON:
            return _component(stem, "tables", Role.TABLES, Form.TABLES, Shape.FILES, name)
        case Kind.TAR | Kind.ZIP:
            role = Role.CONFIG if stem.startswith("config") else Role.STORAGE
            return _component(stem, "files", role, Form.NATIVE, Shape.TREE, stem)
        case _:
            return None


def _component(name: str, kind: str, role: Role, form: Form, shape: Shape, file_name: str) -> Component:
    return Component(name=name, kind=kind, role=role, form=form, shape=shape, file_name=file_name)


def _dialect(head: bytes) -> str:
    if _POSTGRESQL in head:
        return "postgresql"
    return "mysql" if any(sign in head for sign in _MYSQL) else "sqlite"
