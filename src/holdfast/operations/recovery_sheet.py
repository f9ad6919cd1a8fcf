"""The page that lies with an exported backup: how to restore it by hand, with nothing but standard tools."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from holdfast.model.backup import Manifest
from holdfast.model.component import Component, Form, Shape
from holdfast.runtime.translation import N_, catalog

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


class Member(NamedTuple):
    """One exported part of a backup: where it is in the file, relative to its top."""

    name: str
    component: Component


TITLE = N_("How to restore {app} from this file by hand")
MADE = N_("Backup {backup} of type {type}, made on {time} (UTC) on {host} by {program}.")
PLAIN = N_("This file is not encrypted: keep it where only those who may read the data can read it.")
CHECK = N_("First unpack it into an empty folder and check that nothing was changed:")
STOP = N_("Stop the application, and keep a copy of everything that you replace.")
START = N_("Start the application, look at it, and only then delete the copies.")
PART = N_("Part {name}: {what}, from {original}")
SQLITE_FILE = N_("a SQLite database")
SQLITE_HINT = N_("Delete the files that end in -wal and -shm beside the old database before you put this one there.")
SQL_TEXT = N_("a database as SQL text")
POSTGRESQL_DUMP = N_("a PostgreSQL database as pg_dump writes it")
ROLES_HINT = N_(
    "Roles are not in it: make those that it names first (`pg_dumpall --roles-only` writes them on a server that has "
    "them), or add --no-owner --no-privileges."
)
TABLES = N_("tables, one JSON file each")
TABLES_HINT = N_("Each file names its columns and holds one row after the other.")
TREE = N_("files and folders")
STREAM = N_("what a program printed")
STREAM_HINT = N_("Give it to the program that reads it, such as the one that printed it.")
COUNTS = N_("Rows that must be there afterwards: {rows}.")


def sheet(manifest: Manifest, members: Iterable[Member], language: str) -> str:
    """The page in English, and after that in the language of the application."""
    members = list(members)
    pages = [_page(manifest, members, "en")]
    if language != "en":
        pages.append(_page(manifest, members, language))
    return "\n\n".join(pages) + "\n"


def _page(manifest: Manifest, members: Sequence[Member], language: str) -> str:
    made = {
        "backup": manifest.backup_id,
        "type": manifest.type.value,
        "time": manifest.created_at.strftime("%Y-%m-%d %H:%M:%S"),
        "host": manifest.host or "-",
        "program": manifest.program or "holdfast",
    }
    title = _say(language, TITLE, {"app": manifest.app})
    lines = [title, "=" * len(title), "", _say(language, MADE, made), _say(language, PLAIN), ""]
    lines += [_say(language, CHECK), "", "    sha256sum -c SHA256SUMS", "", _say(language, STOP)]
    for member in members:
        lines += ["", *_part(member, manifest, language)]
    return "\n".join([*lines, "", _say(language, START)])


def _part(member: Member, manifest: Manifest, language: str) -> list[str]:
    what, commands, hint = _recipe(member)
    component = member.component
    named = {
        "name": component.name,
        "what": _say(language, what),
        "original": component.original or component.file_name,
    }
    lines = [_say(language, PART, named), "", *(f"    {command}" for command in commands)]
    if hint:
        lines += ["", _say(language, hint, {"backup": manifest.backup_id})]
    if component.rows:
        rows = ", ".join(f"{table} {count}" for table, count in component.rows.items())
        lines += ["", _say(language, COUNTS, {"rows": rows})]
    return lines


def _recipe(member: Member) -> tuple[str, list[str], str]:
    """What a part is, the commands that bring it back, and what else to know."""
    component, name = member.component, shlex.quote(member.name)
    if component.shape is Shape.TREE:
        return TREE, [f"tar -tf {name} | head", f"tar -xpf {name} -C FOLDER"], ""
    if component.form is Form.TABLES or component.shape is Shape.FILES:
        return TABLES, [f"ls -l {name}"], TABLES_HINT
    if component.kind == "sqlite" and component.form is Form.NATIVE:
        commands = [f"sqlite3 {name} 'PRAGMA integrity_check'", f"cp {name} DATABASE.db"]
        return SQLITE_FILE, commands, SQLITE_HINT
    if component.kind == "sqlite":
        return SQL_TEXT, [f"sqlite3 NEW.db < {name}"], ""
    if component.kind == "postgresql" and component.form is Form.NATIVE:
        return POSTGRESQL_DUMP, [f"pg_restore --clean --if-exists --single-transaction -d DATABASE {name}"], ROLES_HINT
    if component.kind == "postgresql":
        return SQL_TEXT, [f"psql -X -v ON_ERROR_STOP=1 --single-transaction -d DATABASE -f {name}"], ""
    if component.kind == "mysql":
        return SQL_TEXT, [f"mysql DATABASE < {name}"], ""
    return STREAM, [f"ls -l {name}"], STREAM_HINT


def _say(language: str, message: str, values: Mapping[str, str] | None = None) -> str:
    known = values or {}
    translated = catalog(language).gettext(message)
    return _PLACEHOLDER.sub(lambda found: _one_line(known.get(found[1], found[0])), translated)


def _one_line(text: str) -> str:
    """Names come from people and files; on this page they must not look like instructions."""
    return "".join(character if character.isprintable() else "?" for character in text)
