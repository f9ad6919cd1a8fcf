"""Django projects: their settings are read as text and never run."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

from holdfast.config.discovery.findings import Findings, FoundSource, Reference, shown_path
from holdfast.config.discovery.folder_walk import Tree
from holdfast.config.discovery.python_values import Paths, assignments, dictionary, text_of, variable_of
from holdfast.config.discovery.sqlite_files import add_sqlite, is_sqlite
from holdfast.config.document import read_text
from holdfast.errors import ConfigUnreadable, Phrase

_ENGINES = {"postgresql": "postgresql", "postgis": "postgresql", "psycopg2": "postgresql", "mysql": "mysql"}
_FIELDS = {"HOST": "host", "PORT": "port", "USER": "user", "NAME": "database", "PASSWORD": "password"}


def settings_files(tree: Tree) -> list[Path]:
    """Files that may be the settings of a Django project."""
    if not any(path.name == "manage.py" for path in tree.files):
        return []
    return [
        path
        for path in tree.files
        if path.name == "settings.py" or (path.parent.name == "settings" and path.suffix == ".py")
    ]


def find_django(tree: Tree, variables: Mapping[str, str], findings: Findings, known: set[Path]) -> None:
    """Adds the databases and the folder of uploads of every settings file."""
    for path in settings_files(tree):
        shown = shown_path(path, tree.root)
        try:
            names = assignments(path, read_text(path))
        except (SyntaxError, ValueError, RecursionError, ConfigUnreadable):
            findings.leave_out(shown, "these settings cannot be read")
            continue
        settings = _Settings(tree.root, path, names, variables, findings, known)
        settings.databases()
        settings.media()


class _Settings:
    """One settings file."""

    def __init__(
        self,
        root: Path,
        path: Path,
        names: dict[str, ast.expr],
        variables: Mapping[str, str],
        findings: Findings,
        known: set[Path],
    ) -> None:
        self._root = root
        self._paths = Paths(path, names)
        self._names = names
        self._shown = shown_path(path, root)
        self._variables = variables
        self._findings = findings
        self._known = known

    def databases(self) -> None:
        """`DATABASES`."""
        node = self._names.get("DATABASES")
        if node is None:
            return
        aliases = dictionary(node)
        if not aliases:
            self._unclear("DATABASES")
        for alias, value in aliases.items():
            entry = dictionary(value)
            engine = (text_of(entry.get("ENGINE")) or "").rpartition(".")[2]
            if engine in ("sqlite3", "spatialite"):
                self._sqlite(alias, entry)
            elif engine in _ENGINES:
                self._server(alias, _ENGINES[engine], entry)
            else:
                self._unclear(f"DATABASES.{alias}")

    def media(self) -> None:
        """`MEDIA_ROOT`."""
        node = self._names.get("MEDIA_ROOT")
        if node is None or text_of(node) == "":
            return
        path = self._paths.of(node)
        if path is None:
            self._unclear("MEDIA_ROOT")
            return
        path = self._root / path
        shown = shown_path(path, self._root)
        if any(source.options.get("paths") == [shown] for source in self._findings.sources):
            return
        if not path.is_dir():
            self._findings.leave_out(shown, "MEDIA_ROOT names it, but there is no such folder")
            return
        origin = Phrase("MEDIA_ROOT in {file} names it", {"file": self._shown})
        self._findings.add(FoundSource(kind="files", name="media", options={"paths": [shown]}, origin=origin))

    def _sqlite(self, alias: str, entry: dict[str, ast.expr]) -> None:
        path = self._paths.of(entry.get("NAME"))
        if path is None:
            self._unclear(f"DATABASES.{alias}.NAME")
        elif is_sqlite(self._root / path):
            add_sqlite(self._findings, self._root / path, self._root, self._known, self._origin(alias))
        else:
            shown = shown_path(self._root / path, self._root)
            self._findings.leave_out(
                shown, "DATABASES in {file} names it, but there is no such database", file=self._shown
            )

    def _server(self, alias: str, kind: str, entry: dict[str, ast.expr]) -> None:
        options: dict[str, object] = {}
        notes: list[Phrase] = []
        for django, ours in _FIELDS.items():
            value = self._value(entry.get(django), secret=django == "PASSWORD")
            if value:
                options[ours] = value
        if "database" not in options:
            self._unclear(f"DATABASES.{alias}.NAME")
            return
        password = entry.get("PASSWORD")
        if text_of(password):
            # A secret is never copied; there is none to find under this name until a person puts it there.
            options["password"] = Reference("${DB_PASSWORD:-}")
            notes.append(
                Phrase("the password stands in {file}: put it into .env as {variable}",
                       {"file": self._shown, "variable": "DB_PASSWORD"})
            )  # fmt: skip
        if "port" in options:
            options["port"] = _number(options["port"])
        name = "database" if alias == "default" else alias
        self._findings.add(
            FoundSource(kind=kind, name=name, options=options, origin=self._origin(alias), notes=tuple(notes))
        )

    def _value(self, node: ast.expr | None, *, secret: bool) -> str | None:
        variable = variable_of(node)
        if variable is None:
            return None if secret else text_of(node)
        if self._variables.get(variable.name):
            return Reference(f"${{{variable.name}}}")
        default = "" if secret or "}" in (variable.default or "") else variable.default or ""
        return Reference(f"${{{variable.name}:-{default}}}") if secret or default else None

    def _origin(self, alias: str) -> Phrase:
        return Phrase("DATABASES in {file} names it ({alias})", {"file": self._shown, "alias": alias})

    def _unclear(self, what: str) -> None:
        self._findings.leave_out(f"{self._shown}: {what}", "its value is known only when the program runs")


def _number(text: object) -> object:
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() else text
