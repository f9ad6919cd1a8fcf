"""SQLite databases, known by how their files begin."""

from __future__ import annotations

import re
from pathlib import Path

from holdfast.config.discovery.findings import Findings, FoundSource, shown_path
from holdfast.config.discovery.folder_walk import Tree
from holdfast.errors import Phrase

MAGIC = b"SQLite format 3\0"
_MOST = 20
_COPY = re.compile(
    r"(?:^|[._-])(?:bak|backup|old|orig|copy|before-restore|[0-9]{8}_[0-9]{6})(?:$|[._-])", re.IGNORECASE
)


def is_sqlite(path: Path) -> bool:
    """Whether a file begins like a SQLite database; False if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def find_sqlite(tree: Tree, findings: Findings, known: set[Path]) -> None:
    """Adds every database that is not in `known` yet and does not look like a copy of another."""
    found = [path for path in tree.files if path not in known and is_sqlite(path)]
    for path in found:
        shown = shown_path(path, tree.root)
        if _COPY.search(path.name):
            findings.leave_out(shown, "its name says that it is a copy")
        elif len(known) >= _MOST:
            findings.leave_out(shown, "there are very many databases; add it if it matters")
        else:
            add_sqlite(findings, path, tree.root, known, Phrase("the file is a SQLite database", {}))


def add_sqlite(findings: Findings, path: Path, root: Path, known: set[Path], origin: Phrase) -> None:
    """Adds one database, once."""
    if path in known:
        return
    name = path.stem if any(map(findings.has, ("sqlite", "postgresql", "mysql"))) else "database"
    known.add(path)
    findings.add(FoundSource(kind="sqlite", name=name, options={"path": shown_path(path, root)}, origin=origin))
