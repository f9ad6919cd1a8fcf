"""Compose files: services that are databases, and named volumes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from holdfast.config.discovery.findings import Findings, FoundSource, Reference, source_name
from holdfast.config.discovery.folder_walk import Tree
from holdfast.config.discovery.outline import NotUnderstood, read_outline
from holdfast.config.document import read_text
from holdfast.config.shapes import items, table
from holdfast.errors import ConfigUnreadable, Phrase

FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")

_IMAGES = {
    "postgres": "postgresql", "postgis": "postgresql", "pgvector": "postgresql", "timescaledb": "postgresql",
    "timescaledb-ha": "postgresql", "postgresql": "postgresql", "mysql": "mysql", "mysql-server": "mysql",
    "mariadb": "mysql", "percona": "mysql", "percona-server": "mysql",
}  # fmt: skip
_PORTS = {"postgresql": "5432", "mysql": "3306"}
_VARIABLES: dict[str, dict[str, tuple[str, ...]]] = {
    "postgresql": {"database": ("POSTGRES_DB",), "user": ("POSTGRES_USER",), "password": ("POSTGRES_PASSWORD",)},
    "mysql": {
        "database": ("MYSQL_DATABASE", "MARIADB_DATABASE"),
        "user": ("MYSQL_USER", "MARIADB_USER"),
        "password": ("MYSQL_PASSWORD", "MARIADB_PASSWORD"),
    },
}
_REFERENCE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::?[-?](?P<default>[^}]*))?\}\Z")
_PORT = re.compile(r"(?:(?P<host>[0-9.]+):)?(?P<outer>[0-9]+):(?P<inner>[0-9]+)(?:/tcp)?\Z")
_VOLUME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\Z")


def find_compose(tree: Tree, variables: Mapping[str, str], findings: Findings) -> None:
    """Adds what the compose file in the folder has; only the first of the usual names counts, as for docker."""
    name = next((name for name in FILES if tree.has(name)), None)
    if name is None:
        return
    try:
        outline = read_outline(read_text(tree.root / name))
    except NotUnderstood as error:
        findings.leave_out(name, "line {line} of it is not understood; look for databases and volumes yourself",
                           line=error.line)  # fmt: skip
        return
    except ConfigUnreadable as error:
        findings.leave_out(name, "it cannot be read: {reason}", reason=error.context["reason"])
        return
    compose = _Compose(tree.root, name, outline, variables, findings)
    compose.services()
    compose.volumes()


class _Compose:
    """One compose file."""

    def __init__(
        self, root: Path, name: str, outline: dict[str, object], variables: Mapping[str, str], findings: Findings
    ) -> None:
        self._name = name
        services = table(outline.get("services")) or {}
        self._services: dict[str, dict[str, object]] = {key: table(one) or {} for key, one in services.items()}
        self._volumes = table(outline.get("volumes")) or {}
        project = variables.get("COMPOSE_PROJECT_NAME") or outline.get("name") or root.name
        self._project = re.sub(r"[^a-z0-9_-]", "", str(project).lower()).lstrip("_-")
        self._variables = variables
        self._findings = findings

    def services(self) -> None:
        """Databases that a program on this machine can reach."""
        before = {kind for kind in _PORTS if self._findings.has(kind)}
        for name, service in self._services.items():
            kind = _kind(service)
            if kind is None:
                continue
            if kind in before:
                self._findings.leave_out(
                    f"{self._name}: {name}", "it is taken for the database that was found elsewhere already"
                )
                continue
            self._database(name, kind, service)

    def volumes(self) -> None:
        """Named volumes; those of databases hold live files, which are worth nothing as a backup."""
        mounted = {
            name: [_mount(one) for one in items(service.get("volumes")) or []]
            for name, service in self._services.items()
        }
        for volume, settings in self._volumes.items():
            users = [name for name, mounts in mounted.items() if volume in mounts]
            database = next((name for name in users if _kind(self._services[name]) is not None), None)
            if database is not None:
                self._findings.leave_out(
                    f"{self._name}: {volume}", "it holds live files of the database {service}", service=database
                )
            elif not users:
                self._findings.leave_out(f"{self._name}: {volume}", "no service uses this volume")
            else:
                self._volume(volume, table(settings) or {})

    def _volume(self, volume: str, settings: dict[str, object]) -> None:
        named = settings.get("name")
        own = isinstance(named, str) and named != ""
        full = str(named) if own else volume if settings.get("external") == "true" else f"{self._project}_{volume}"
        if not _VOLUME.match(full):
            self._findings.leave_out(f"{self._name}: {volume}", "its name is known only to docker")
            return
        origin = Phrase("{file} has this volume", {"file": self._name})
        self._findings.add(
            FoundSource(kind="docker-volume", name=source_name(volume), options={"volume": full}, origin=origin)
        )

    def _database(self, name: str, kind: str, service: dict[str, object]) -> None:
        what = f"{self._name}: {name}"
        published = _published(service, _PORTS[kind])
        if published is None:
            self._findings.leave_out(
                what, "it publishes no port on this machine: add {example} to its ports",
                example=f'"127.0.0.1:{_PORTS[kind]}:{_PORTS[kind]}"',
            )  # fmt: skip
            return
        environment = _environment(service)
        options: dict[str, object] = {"host": published[0], "port": published[1]}
        for field, names in _variables(kind, environment).items():
            found = next((one for one in names if one in environment), None)
            if found is not None:
                options[field] = self._value(found, environment[found], secret=field == "password")
        options.setdefault("user", "postgres" if kind == "postgresql" else "root")
        if kind == "postgresql":
            options.setdefault("database", options["user"])
        if not options.get("database"):
            self._findings.leave_out(what, "the variable {variable} is not set", variable="MYSQL_DATABASE")
            return
        options.setdefault("password", Reference("${DB_PASSWORD:-}"))
        notes = self._notes(str(options["password"]))
        origin = Phrase("the service {service} in {file} is one", {"service": name, "file": self._name})
        proposed = name if self._findings.sources else "database"
        self._findings.add(FoundSource(kind=kind, name=proposed, options=options, origin=origin, notes=notes))

    def _value(self, name: str, written: str, *, secret: bool) -> str:
        """What the service is given: a variable stays one, a password becomes one."""
        reference = _REFERENCE.match(written)
        if reference is not None:
            name, default = reference["name"], "" if secret else reference["default"] or ""
        elif not secret and "$" not in written:
            return written
        else:
            default = ""
        return Reference(f"${{{name}}}" if self._variables.get(name) else f"${{{name}:-{default}}}")

    def _notes(self, password: str) -> tuple[Phrase, ...]:
        name = password.removeprefix("${").partition(":")[0].removesuffix("}")
        if self._variables.get(name):
            return ()
        return (Phrase("put its password into .env as {variable}", {"variable": name}),)


def _kind(service: dict[str, object]) -> str | None:
    """The kind of database that a service's image is."""
    image = str(service.get("image") or "")
    return _IMAGES.get(image.partition("@")[0].rpartition("/")[2].partition(":")[0])


def _variables(kind: str, environment: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Which variables of the service say what; without a user of its own, MySQL has only `root`."""
    if kind == "postgresql" or any(name in environment for name in ("MYSQL_USER", "MARIADB_USER")):
        return _VARIABLES[kind]
    return {**_VARIABLES[kind], "password": ("MYSQL_ROOT_PASSWORD", "MARIADB_ROOT_PASSWORD")}


def _environment(service: dict[str, object]) -> dict[str, str]:
    """`environment` as a map or as a list of `NAME=value`."""
    value = service.get("environment")
    rows = [str(one).partition("=") for one in items(value) or []]
    listed = {name: text if equals else f"${{{name}}}" for name, equals, text in rows}
    return {**listed, **{name: str(text) for name, text in (table(value) or {}).items()}}


def _published(service: dict[str, object], inner: str) -> tuple[str, int] | None:
    """Host and port under which this machine reaches a port of the container."""
    for one in items(service.get("ports")) or []:
        found = _PORT.match(one) if isinstance(one, str) else None
        if found is not None and found["inner"] == inner:
            host = (found["host"] or "").replace("0.0.0.0", "")  # noqa: S104 - read, not bound to
            return host or "127.0.0.1", int(found["outer"])
        long = table(one) or {}
        outer = str(long.get("published", ""))
        if str(long.get("target", "")) == inner and outer.isascii() and outer.isdigit():
            return "127.0.0.1", int(outer)
    return None


def _mount(value: object) -> str:
    """The volume that an entry of `volumes` mounts."""
    long = table(value)
    return str(long.get("source", "")) if long is not None else str(value).partition(":")[0]
