"""A component: one source's part of a backup, described without saying where it is kept."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Role(StrEnum):
    """What a component is to an application; the types of backup choose by it, and a restore goes in this order."""

    DATABASE = "database"
    TABLES = "tables"
    STORAGE = "storage"
    CONFIG = "config"
    COMMAND = "command"


class Form(StrEnum):
    """How the content of a component is written.

    `NATIVE` is what the source's own tools read (a SQLite file, a `pg_dump` archive, a tree of files, a stream);
    `SQL` is text that the database's shell reads; `TABLES` is one JSON file per table; `CHANGES` holds what changed
    since a base and the list of what still exists.
    """

    NATIVE = "native"
    SQL = "sql"
    TABLES = "tables"
    CHANGES = "changes"


class Shape(StrEnum):
    """What the entries of a component are: one file, several files side by side, or a tree with metadata."""

    FILE = "file"
    FILES = "files"
    TREE = "tree"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is missing from a component or not as it should be. `code` is stable and English."""

    code: str
    subject: str
    detail: str = ""


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file that a target keeps for a component.

    Attributes:
        name: relative to the target's root, with `/`; within a bundle, the member after the bundle's name and `!`.
        size_bytes: of the file as it is stored.
        sha256: of the file as it is stored, 64 hexadecimal digits; what `sha256sum` prints.
        purpose: `content`, `state` (what an incremental backup compares with) or `sidecar`.
    """

    name: str
    size_bytes: int
    sha256: str
    purpose: str = "content"


class Component(msgspec.Struct, frozen=True, kw_only=True):
    """One component of a backup.

    Attributes:
        name: the source's name.
        kind: the source's kind.
        file_name: base name of the content (`app_data.db`, `database.sql`); the folder's name for a tree.
        original: where it came from, for people, without secrets.
        file_count: regular files in the content.
        content_bytes: bytes of their content, uncompressed.
        content_sha256: digest over all entries in order (see `holdfast.archive.digest`); empty if some content was
            not read because a repository had it already.
        rows: rows by table, counted in the same consistent state that was dumped; empty where there are no tables.
        facts: what else is worth knowing: versions of server and tools, flags, encodings. Never secrets.
        files: what the target keeps; empty in a repository, where the snapshot is the record.
    """

    name: str
    kind: str
    role: Role
    form: Form
    shape: Shape
    file_name: str
    original: str = ""
    file_count: int = 0
    content_bytes: int = 0
    content_sha256: str = ""
    rows: dict[str, int] = {}
    facts: dict[str, str] = {}
    problems: tuple[Problem, ...] = ()
    files: tuple[StoredFile, ...] = ()
