"""Reading everything of a backup again."""

from __future__ import annotations

from holdfast.archive.catalog import Listed
from holdfast.archive.content import Shelf, stored_content
from holdfast.archive.digest import ContentDigest
from holdfast.archive.encryption.keys import Keys
from holdfast.archive.layouts.layout import FileRow
from holdfast.archive.making import hash_of
from holdfast.errors import DamageError, DecryptionFailed, ObjectNotFound, Phrase, UnsafePath
from holdfast.model.component import Component, Problem
from holdfast.model.event import Listener, Progress, Warned
from holdfast.model.node import NodeType
from holdfast.protocols.content import Entry, StoredContent
from holdfast.runtime.side_hash import SideHash

_STEP_BYTES = 1024 * 1024


class Verification:
    """One look at everything a backup consists of.

    Args:
        listed: the backup.
        shelf: where it lies.
        listener: hears how far it is.
    """

    def __init__(self, listed: Listed, shelf: Shelf, listener: Listener) -> None:
        self._listed = listed
        self._shelf = shelf
        self._listener = listener
        self._problems: list[Problem] = []
        self._done = 0
        self._bytes = 0

    def run(self) -> list[Problem]:
        """What is wrong, or nothing."""
        if not self._listed.intact:
            self._note("record-changed", self._listed.record_name, "it is not as it was written")
        unpacks = can_open(self._listed, self._shelf.keys)
        proved: set[str] = set()
        if unpacks and self._listed.bundle is None:
            for component in self._listed.backup.manifest.components.values():
                proved |= self._check_component(component)
        for row in self._rows():
            if row.name not in proved:
                self._check_stored(row)
        if unpacks and self._listed.bundle is not None:
            for component in self._listed.backup.manifest.components.values():
                self._check_content(component)
        elif not unpacks:
            detail = "checksums were compared; what is in the files was not looked at: no key was given"
            self._listener(Warned(code="not-decrypted", subject=self._listed.backup.backup_id, detail=detail))
        return self._problems

    def _rows(self) -> list[FileRow]:
        return _files(self._listed)

    def _check_component(self, component: Component) -> set[str]:
        """Reads the content of a component once: whoever reads it to its end compared the files' checksums too.

        Returns:
            Names of the files that were proved.
        """
        if self._check_content(component):
            return set()
        rows = [row for row in self._listed.files if row.component == component.name and row.purpose == "content"]
        for row in rows:
            self._progress(row.size_bytes, row.name)
        return {row.name for row in rows if row.sha256}

    def _check_stored(self, row: FileRow) -> None:
        """The file as it is stored: there, and with its checksum."""
        try:
            found = hash_of(self._shelf.folder, row.name)
        except ObjectNotFound:
            self._note("file-missing", row.name, "it is gone")
            return
        if row.sha256 and found != row.sha256:
            self._note(
                "checksum-mismatch",
                row.name,
                Phrase("it has checksum {found}, not {expected}", {"found": found, "expected": row.sha256}),
            )
        self._progress(row.size_bytes, row.name)

    def _check_content(self, component: Component) -> bool:
        """The content: packed as it should be to its end, counted, and with the digest of what was backed up.

        Returns:
            Whether something is wrong with it.
        """
        rows = [row for row in self._listed.files if row.component == component.name]
        content = stored_content(component, rows, self._listed.bundle, self._shelf)
        try:
            count, total, digest = _read(content)
        except (DamageError, DecryptionFailed, UnsafePath) as error:
            self._note(error.code, component.name, error.phrase)
            return True
        if component.content_sha256 and (count, total) != (component.file_count, component.content_bytes):
            wanted = Phrase(
                "{expected} files with {expected_bytes} bytes",
                {"expected": component.file_count, "expected_bytes": component.content_bytes},
            )
            self._note(
                "count-mismatch",
                component.name,
                Phrase(
                    "{count} files with {total} bytes are there, not {wanted}",
                    {"count": count, "total": total, "wanted": wanted},
                ),
            )
        elif digest != component.content_sha256 != "":
            self._note("content-mismatch", component.name, "its content is not what was backed up")
        else:
            return False
        return True

    def _progress(self, size_bytes: int, name: str) -> None:
        self._done += 1
        self._bytes += size_bytes
        rows = self._rows()
        self._listener(
            Progress(
                phase="verify",
                items_done=self._done,
                items_total=len(rows),
                bytes_done=self._bytes,
                bytes_total=sum(row.size_bytes for row in rows),
                current=name,
            )
        )

    def _note(self, code: str, subject: str, detail: str) -> None:
        self._problems.append(Problem(code=code, subject=subject, detail=detail))


def can_open(listed: Listed, keys: Keys) -> bool:
    """Whether there is a key for everything that is stored of a backup; whether it fits shows when it is used."""
    kinds = {row.encryption for row in _files(listed)} - {""}
    by_passphrase = keys.passphrase is not None
    return all(by_passphrase or (kind == "age" and keys.identity is not None) for kind in kinds)


def _files(listed: Listed) -> list[FileRow]:
    """The files of their own that a backup consists of."""
    rows = [row for row in listed.files if "!" not in row.name and row.purpose != "bundle"]
    return [*rows, listed.bundle] if listed.bundle is not None else rows


def _read(content: StoredContent) -> tuple[int, int, str]:
    """Number of files, their bytes, and the digest of everything. Names of one file are read once."""
    digest = ContentDigest()
    linked: dict[tuple[int, int], tuple[bytes, int]] = {}
    count = total = 0
    for entry in content.entries():
        if entry.node.type is not NodeType.FILE:
            digest.feed(entry)
            continue
        identity = (entry.node.device_id, entry.node.inode)
        if entry.node.links > 1 and identity in linked:
            sha256, size_bytes = linked[identity]
        else:
            sha256, size_bytes = _hashed(entry)
        if entry.node.links > 1:
            linked[identity] = (sha256, size_bytes)
        digest.feed(entry, sha256, size_bytes)
        count, total = count + 1, total + size_bytes
    return count, total, digest.hexdigest()


def _hashed(entry: Entry) -> tuple[bytes, int]:
    digest = SideHash()
    if entry.open is not None:
        reader = entry.open()
        try:
            while block := reader.read(_STEP_BYTES):
                digest.update(block)
        finally:
            digest.close()
            reader.close()
    return digest.digest(), digest.size_bytes
