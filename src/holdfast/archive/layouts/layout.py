"""What a layout decides: names, folders, and which form of a database is kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from holdfast.model.backup import BackupType, Manifest
from holdfast.model.component import Component, Form, Role, Shape

STAMP = r"[0-9]{8}_[0-9]{6}(?:_[1-9][0-9]{0,3})?"
_SEGMENT_MAX = 120
_PLAIN = re.compile(r"[^\w.\-]")


class Container(StrEnum):
    """How the entries of a component become files."""

    RAW = "raw"
    FILES = "files"
    TAR = "tar"
    ZIP = "zip"


class Dated(NamedTuple):
    """What names are made of: the id of a backup, its stamp and its type."""

    backup_id: str
    stamp: str
    type: BackupType


class FileRow(NamedTuple):
    """One stored file, as a record lists it.

    Attributes:
        name: relative to the archive.
        component: the source's name; empty for files that belong to the whole backup.
        purpose: `content`, `state` or `sidecar`.
        size_bytes, sha256: of the file as it is stored.
        path: of the entry whose content it is, percent-encoded; empty for a container.
        compression: `gz`, `zst` or empty.
        encryption: `age`, `gpg` or empty.
        unpacked_bytes: after decryption and decompression; None where it may be any number.
    """

    name: str
    component: str
    purpose: str
    size_bytes: int
    sha256: str
    path: str = ""
    compression: str = ""
    encryption: str = ""
    unpacked_bytes: int | None = 0


class Extra(NamedTuple):
    """A file beside the content: its name, the component it belongs to, and its text."""

    name: str
    component: str
    text: bytes


class Layout(Protocol):
    """One way to lay out an archive."""

    def form_for(self, forms: Sequence[Form], role: Role) -> Form:
        """Which of the forms a dump can have is kept."""
        ...

    def compresses(self, component: Component, asked: bool | None) -> bool:
        """Whether the content of a component is compressed, where compression is on at all."""
        ...

    def content_name(self, dated: Dated, component: Component, entry: str, *, leading: bool) -> str:
        """The name of a content file, without the endings of compression and encryption.

        Args:
            dated: the backup.
            component: whose content it is.
            entry: the base name of one file of several; empty for a container or for the only file.
            leading: whether it is the first component of its role, which needs no name of its own.
        """
        ...

    def record_name(self, dated: Dated, files: Sequence[FileRow]) -> str:
        """The name of the file that makes the backup one."""
        ...

    def complete_name(self, dated: Dated, component: Component, *, leading: bool) -> str:
        """The name of a file that joins all tables; empty where there is none."""
        ...

    def extras(
        self, dated: Dated, manifest: Manifest, files: Sequence[FileRow], locate: Callable[[str], str]
    ) -> Iterable[Extra]:
        """Sidecars and summaries, written before the record."""
        ...

    def record_fields(
        self, dated: Dated, manifest: Manifest, files: Sequence[FileRow], locate: Callable[[str], str]
    ) -> dict[str, object]:
        """What the record says first, for people and for scripts."""
        ...

    def records(self, names: Iterable[str]) -> dict[str, list[str]]:
        """Names that may be records, by stamp, the likeliest first."""
        ...

    def folder_of(self, dated: Dated) -> str:
        """The directory that belongs to one backup alone; empty where there is none."""
        ...


def container_of(component: Component) -> Container:
    """How the entries of a component become files, outside of a bundle."""
    if component.shape is Shape.TREE:
        return Container.TAR
    if component.shape is Shape.FILE:
        return Container.RAW
    return Container.TAR if component.form is Form.CHANGES else Container.FILES


def ending(component: Component) -> str:
    """The ending of a database or stream: `.db` for SQLite, else that of its own name."""
    if component.kind == "sqlite" and component.form is Form.NATIVE:
        return ".db"
    found = re.search(r"\.[A-Za-z0-9]{1,10}\Z", component.file_name)
    return found.group(0) if found else ".bin"


def plain(text: str) -> str:
    """A text as part of a file name."""
    short = _PLAIN.sub("_", text).encode()[:_SEGMENT_MAX].decode("utf-8", "ignore")
    return f"_{short}" if short[:1] in {"", ".", "-"} else short


def unlike(name: str, used: set[str]) -> str:
    """The name, or one like it that is not taken yet."""
    if name not in used:
        return name
    folder, slash, base = name.rpartition("/")
    stem, dot, rest = base.partition(".")
    numbered = (f"{folder}{slash}{stem}-{number}{dot}{rest}" for number in range(2, 1_000_000))
    return next(one for one in numbered if one not in used)


class JustContent:
    """What layouts do that keep nothing but content and record: no joined file, no sidecars, no folder of a backup."""

    def complete_name(self, dated: Dated, component: Component, *, leading: bool) -> str:  # noqa: ARG002
        """None."""
        return ""

    def extras(
        self,
        dated: Dated,  # noqa: ARG002 - the protocol's signature
        manifest: Manifest,  # noqa: ARG002
        files: Sequence[FileRow],  # noqa: ARG002
        locate: Callable[[str], str],  # noqa: ARG002
    ) -> Iterable[Extra]:
        """None."""
        return ()

    def folder_of(self, dated: Dated) -> str:  # noqa: ARG002 - the protocol's signature
        """None."""
        return ""
