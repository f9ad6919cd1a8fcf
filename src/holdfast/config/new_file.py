"""Writes a configuration for an application that has none."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from holdfast.config.discovery.findings import Findings
from holdfast.config.discovery.look import look
from holdfast.config.discovery.template import app_name, config_text
from holdfast.config.document import FILE_NAME, parse_document, read_text
from holdfast.config.load import Kinds, read_config
from holdfast.errors import ConfigExists, ConfigUnreadable, Phrase, UsageError

IGNORED = ("backups/", ".holdfast/")

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK)


class NewConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration that could be written.

    Attributes:
        path: where.
        app: the name of the application.
        text: the file.
        findings: what is in it, and what is not.
        ignored: lines that `.gitignore` lacks.
    """

    path: Path
    app: str
    text: str
    findings: Findings
    ignored: tuple[str, ...]


def propose(folder: Path, environ: Mapping[str, str], kinds: Kinds | None = None) -> NewConfig:
    """Looks at an application and puts a configuration together that passes its own check. Writes nothing.

    Raises:
        ConfigExists: there is one already.
        ConfigUnreadable: the application's `.env` cannot be read.
    """
    root = Path(os.path.abspath(folder))
    path = root / FILE_NAME
    if os.path.lexists(path):
        raise ConfigExists(path=str(path))
    name = app_name(root)
    findings = look(root, environ)
    text = _checked(path, name, findings, environ, kinds)
    return NewConfig(path=path, app=name, text=text, findings=findings, ignored=missing_ignores(root))


def write(new: NewConfig) -> None:
    """Writes the file, mode 0600, in one step, and what `.gitignore` lacks.

    Raises:
        ConfigExists: somebody else wrote one in the meantime.
        ConfigUnreadable: it cannot be written.
    """
    try:
        _write_new(new.path, new.text.encode())
        if new.ignored:
            _append_lines(new.path.parent / ".gitignore", new.ignored)
    except FileExistsError as error:
        raise ConfigExists(path=str(new.path)) from error
    except OSError as error:
        raise UsageError(
            detail=Phrase(
                "cannot write {filename}: {reason}", {"filename": error.filename or new.path, "reason": error.strerror}
            )
        ) from error


def missing_ignores(root: Path) -> tuple[str, ...]:
    """Lines that the `.gitignore` of a git repository lacks; none outside of one."""
    if not any((folder / ".git").exists() for folder in (root, *root.parents)):
        return ()
    path = root / ".gitignore"
    present: set[str] = set()
    with suppress(ConfigUnreadable):
        present = {line.strip().strip("/") for line in read_text(path).splitlines()}
    return tuple(line for line in IGNORED if line.strip("/") not in present)


def _checked(path: Path, name: str, findings: Findings, environ: Mapping[str, str], kinds: Kinds | None) -> str:
    """The text, without sources that would not pass the check."""
    plain = {key: value for key, value in environ.items() if key != "HOLDFAST_ENV"}
    while True:
        text = config_text(name, findings)
        errors = read_config(parse_document(path, text), "", plain, kinds=kinds).errors
        wrong = {str(error.context["key"]).split(".")[1]: error for error in errors if _is_of_source(error.context)}
        if not errors:
            return text
        if not wrong or len(findings.sources) == 1:
            raise errors[0]
        for source in [source for source in findings.sources if source.name in wrong]:
            findings.sources.remove(source)
            reason = wrong[source.name].context["reason"]
            findings.leave_out(source.name, "it would not work: {reason}", reason=reason)


def _is_of_source(context: Mapping[str, object]) -> bool:
    return str(context["key"]).startswith("sources.")


def _write_new(path: Path, content: bytes) -> None:
    """DURABILITY: the file appears under its name only when all of it is on disk, and never replaces another."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _appear(temporary, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
    _sync_directory(path.parent)


def _appear(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # A filesystem without links: the name is taken first, then given to the finished file.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        os.replace(temporary, path)


def _append_lines(path: Path, lines: tuple[str, ...]) -> None:
    """Adds lines to a file of somebody else, which keeps its mode and all it had."""
    with path.open("a+b") as file:
        file.seek(0, os.SEEK_END)
        end = file.tell()
        file.seek(max(end - 1, 0))
        separator = b"" if not end or file.read(1) == b"\n" else b"\n"
        file.write(separator + "".join(f"{line}\n" for line in lines).encode())
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
