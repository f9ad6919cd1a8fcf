"""Databases named by a URL in a variable, as `DATABASE_URL`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from holdfast.config.discovery.findings import Findings, FoundSource, Reference
from holdfast.config.discovery.sqlite_files import add_sqlite, is_sqlite
from holdfast.errors import Phrase

_NAME = re.compile(r"(?:[A-Z0-9]+_)*(?:DATABASE_URL|DB_URL|DATABASE_URI|POSTGRES_URL|POSTGRESQL_URL|MYSQL_URL)\Z")
_SCHEME = re.compile(r"(?P<scheme>[a-z]+)(?:\+[a-z0-9_]+)?:(?P<rest>//.*)\Z", re.IGNORECASE | re.DOTALL)
_KINDS = {"postgres": "postgresql", "postgresql": "postgresql", "mysql": "mysql", "mariadb": "mysql"}


def find_database_urls(
    root: Path, dotenv: Mapping[str, str], environ: Mapping[str, str], findings: Findings, known: set[Path]
) -> None:
    """Looks at the variables of `.env`, and at `DATABASE_URL` of the environment. Values are not copied."""
    variables = dict(dotenv)
    if environ.get("DATABASE_URL"):
        variables["DATABASE_URL"] = environ["DATABASE_URL"]
    for name, value in sorted(variables.items(), key=lambda row: (row[0] != "DATABASE_URL", row[0])):
        match = _SCHEME.match(value) if _NAME.match(name) else None
        if match is not None:
            _add(root, name, match["scheme"].lower(), match["rest"], findings, known)


def _add(root: Path, name: str, scheme: str, rest: str, findings: Findings, known: set[Path]) -> None:
    origin = Phrase("the variable {variable} names it", {"variable": name})
    if scheme == "sqlite":
        _add_sqlite(root, name, rest, findings, known)
    elif scheme in _KINDS:
        first = not any(findings.has(kind) for kind in (*_KINDS.values(), "sqlite"))
        proposed = "database" if first else name.removesuffix("_DATABASE_URL").removesuffix("_URL").lower()
        options = {"url": Reference(f"${{{name}}}")}
        findings.add(FoundSource(kind=_KINDS[scheme], name=proposed, options=options, origin=origin))
    else:
        findings.leave_out(name, "databases of the kind {kind} are not backed up by Holdfast", kind=scheme)


def _add_sqlite(root: Path, name: str, rest: str, findings: Findings, known: set[Path]) -> None:
    """`sqlite:///relative.db`, `sqlite:////absolute.db`, `sqlite://` in memory."""
    written = unquote(rest.removeprefix("//").removeprefix("/").partition("?")[0])
    if written in ("", ":memory:"):
        findings.leave_out(name, "a database in memory is gone with its process")
        return
    path = Path(root / written)
    if is_sqlite(path):
        add_sqlite(findings, path, root, known, Phrase("the variable {variable} names it", {"variable": name}))
    else:
        findings.leave_out(written, "the variable {variable} names it, but there is no such database", variable=name)
