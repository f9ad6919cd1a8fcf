"""Laravel applications: their `.env` says which database there is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from holdfast.config.discovery.findings import Findings, FoundSource, Reference
from holdfast.config.discovery.folder_walk import Tree
from holdfast.config.discovery.sqlite_files import add_sqlite, is_sqlite
from holdfast.errors import Phrase

_KINDS = {"mysql": ("mysql", "3306"), "mariadb": ("mysql", "3306"), "pgsql": ("postgresql", "5432")}
_ORIGIN = Phrase("the file .env of a Laravel application names it", {})


def is_laravel(tree: Tree, dotenv: Mapping[str, str]) -> bool:
    """Whether the folder holds a Laravel application."""
    return bool(dotenv.get("DB_CONNECTION")) or tree.has("artisan")


def find_laravel(tree: Tree, dotenv: Mapping[str, str], findings: Findings, known: set[Path]) -> None:
    """Adds the database and what users uploaded."""
    connection = dotenv.get("DB_CONNECTION", "")
    if connection == "sqlite":
        _add_sqlite(tree.root, dotenv, findings, known)
    elif connection in _KINDS:
        _add_server(connection, dotenv, findings)
    elif connection:
        findings.leave_out(
            "DB_CONNECTION", "databases of the kind {kind} are not backed up by Holdfast", kind=connection
        )
    if (tree.root / "storage" / "app").is_dir():
        options = {"paths": ["storage/app"]}
        origin = Phrase("a Laravel application keeps uploads here", {})
        findings.add(FoundSource(kind="files", name="storage", options=options, origin=origin))
        findings.leave_out("storage/framework, storage/logs", "Laravel makes them again")


def _add_server(connection: str, dotenv: Mapping[str, str], findings: Findings) -> None:
    kind, port = _KINDS[connection]
    if not dotenv.get("DB_DATABASE"):
        findings.leave_out("DB_CONNECTION", "the variable {variable} is not set", variable="DB_DATABASE")
        return
    options: dict[str, object] = {
        "host": Reference("${DB_HOST:-127.0.0.1}"),
        "port": Reference(f"${{DB_PORT:-{port}}}"),
        "database": Reference("${DB_DATABASE}"),
        "user": Reference("${DB_USERNAME:-}"),
        "password": Reference("${DB_PASSWORD:-}"),
    }
    findings.add(FoundSource(kind=kind, name="database", options=options, origin=_ORIGIN))


def _add_sqlite(root: Path, dotenv: Mapping[str, str], findings: Findings, known: set[Path]) -> None:
    path = root / (dotenv.get("DB_DATABASE") or "database/database.sqlite")
    if is_sqlite(path):
        add_sqlite(findings, path, root, known, _ORIGIN)
    else:
        findings.leave_out(
            str(path), "the variable {variable} names it, but there is no such database", variable="DB_DATABASE"
        )
