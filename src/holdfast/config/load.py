"""From a file to a checked configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from holdfast.config.document import Document, find_config, read_document
from holdfast.config.dotenv import read_dotenv
from holdfast.config.effective import Effective, environments
from holdfast.config.kinds import read_sources, read_targets
from holdfast.config.model import Config
from holdfast.config.positions import KeyPath
from holdfast.config.problems import ConfigWarning, Problems
from holdfast.config.reader import Reader
from holdfast.config.reasons import noun
from holdfast.config.secrets import SecretReader
from holdfast.config.sections import (
    named_tables,
    read_app,
    read_hooks,
    read_notify,
    read_objectives,
    read_policies,
    read_server,
)
from holdfast.config.shapes import table
from holdfast.errors import ConfigInvalid, Phrase
from holdfast.runtime.plugins import PluginTable
from holdfast.sources.registry import SOURCES
from holdfast.targets.registry import TARGETS

SECTIONS = ("app", "sources", "targets", "policies", "objectives", "notify", "hooks", "server", "environments")


class Kinds(msgspec.Struct, frozen=True, kw_only=True):
    """Which kinds of source and target a configuration may name."""

    sources: PluginTable = SOURCES
    targets: PluginTable = TARGETS


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration as far as it could be read.

    Attributes:
        config: None if there are errors.
        errors: all of them, by line.
        warnings: what works and should not stay as it is.
        effective: the values behind it.
    """

    config: Config | None
    errors: list[ConfigInvalid]
    warnings: tuple[ConfigWarning, ...]
    effective: Effective


def load_config(
    path: Path | None,
    environment: str | None,
    environ: Mapping[str, str],
    cwd: Path,
    *,
    kinds: Kinds | None = None,
    fetch_secrets: bool = True,
) -> Config:
    """Finds, reads and checks a configuration.

    Args:
        path: the file; None finds it by HOLDFAST_CONFIG, or in `cwd` or a folder above.
        environment: which of `[environments.…]`; None takes that of HOLDFAST_ENV, if it is set.
        environ: variables of this process; they win over those of `.env`.
        cwd: where relative paths on the command line start.
        kinds: which kinds of source and target there are.
        fetch_secrets: False leaves secret files unread and commands alone; such secrets are then empty.

    Raises:
        ConfigNotFound: there is none.
        ConfigUnreadable: it, or the `.env` beside it, cannot be read.
        ConfigInvalid: something in it cannot be; the first such thing.
        UnknownName: there is no such environment.
    """
    found = find_config(path, environ, cwd)
    reading = read_config(read_document(found), environment, environ, kinds=kinds, fetch_secrets=fetch_secrets)
    if reading.config is None:
        raise reading.errors[0]
    return reading.config


def read_config(
    document: Document,
    environment: str | None,
    environ: Mapping[str, str],
    *,
    kinds: Kinds | None = None,
    fetch_secrets: bool = True,
) -> Reading:
    """Checks a configuration that was parsed, and goes on after each error. See `load_config`."""
    dotenv = read_dotenv(document.path.parent / ".env", environ)
    variables = {**dotenv.values, **environ}
    chosen = environment if environment is not None else variables.get("HOLDFAST_ENV", "")
    effective = Effective(document, chosen)
    problems = Problems(effective)
    for line in dotenv.unclear_lines:
        reason = Phrase("this line is not understood and was skipped", {})
        problems.warn_of(ConfigWarning(path=document.path.parent / ".env", line=line, key=".env", reason=reason))
    effective.fill(variables, problems)
    secrets = SecretReader(effective, problems, document.path.parent, fetch=fetch_secrets)
    config = _read(document, effective, Reader(effective, problems, secrets), kinds or Kinds(), variables)
    return Reading(
        config=None if problems.count else config,
        errors=problems.errors(),
        warnings=problems.warnings(),
        effective=effective,
    )


def check_config(
    path: Path | None,
    environment: str | None,
    environ: Mapping[str, str],
    cwd: Path,
    *,
    kinds: Kinds | None = None,
) -> list[ConfigInvalid]:
    """Everything that is wrong with a configuration, by line. Raises and takes the same as `load_config`."""
    try:
        document = read_document(find_config(path, environ, cwd))
    except ConfigInvalid as error:
        return [error]
    return read_config(document, environment, environ, kinds=kinds).errors


def _read(
    document: Document, effective: Effective, reader: Reader, kinds: Kinds, variables: Mapping[str, str]
) -> Config | None:
    data = effective.data
    reader.unknown(data, SECTIONS, ())
    _check_environments(reader, document, effective.environment)
    app = read_app(reader, data)
    sources = read_sources(reader, data, kinds.sources)
    targets = read_targets(reader, data, kinds.targets)
    named_sources, named_targets = (table(data.get(key)) or {} for key in ("sources", "targets"))
    policies = read_policies(reader, data, named_sources, named_targets)
    objectives = read_objectives(reader, data, named_sources)
    notify, hooks = read_notify(reader, data, variables), read_hooks(reader, data)
    server = read_server(reader, data)
    if app is None:
        return None
    return Config(
        path=document.path,
        app=app,
        sources=sources,
        targets=targets,
        policies=policies,
        objectives=objectives,
        notify=notify,
        hooks=hooks,
        server=server,
        environment=effective.environment,
        environments=tuple(environments(document)),
        warnings=reader.problems.warnings(),
    )


def _check_environments(reader: Reader, document: Document, chosen: str) -> None:
    """What environments say that were not chosen is looked at too, as far as it makes sense by itself."""
    known = [section for section in SECTIONS if section != "environments"]
    for name, value in named_tables(reader, document.data, "environments"):
        at: KeyPath = ("environments", name)
        given = table(value)
        if given is None:
            reader.problems.add(at, reason="expected a table, not {found}", found=noun(value))
        elif name != chosen:
            reader.unknown(given, known, at)
