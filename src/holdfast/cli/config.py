"""`holdfast config …`: check, show and describe the configuration."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdfast.cli.app_options import APP, app_options_of
from holdfast.cli.commands import GLOBAL, Command, Group, frame_of
from holdfast.cli.output import count
from holdfast.cli.text import _, render
from holdfast.cli.values import name
from holdfast.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdfast.cli.output import Printer
    from holdfast.config.document import Document
    from holdfast.config.load import Reading
    from holdfast.config.problems import ConfigWarning
    from holdfast.errors import ConfigInvalid


@click.group(
    "config",
    cls=Group,
    sections=[APP, GLOBAL],
    help="Check, show and describe the configuration of an application.",
)
def config() -> None:
    """Shared options have been applied already."""


@config.command("check", cls=Command, sections=[APP, GLOBAL], help="Say everything that is wrong, by line and key.")
@click.pass_context
def check(ctx: click.Context) -> int:
    """Prints every error and warning; the exit status is 2 if there is an error."""
    from holdfast.config.document import find_config
    from holdfast.errors import ConfigInvalid

    options, printer = app_options_of(ctx), frame_of(ctx).printer
    path = find_config(options.config, os.environ, Path.cwd())
    try:
        reading = _read(_document(path), options.environment, fetch_secrets=True)
    except ConfigInvalid as error:
        return _judge(printer, path, [error], ())
    return _judge(printer, path, reading.errors, reading.warnings)


@config.command(
    "show", cls=Command, sections=[APP, GLOBAL], help="Show the configuration that counts, without secrets."
)
@click.pass_context
def show(ctx: click.Context) -> None:
    """Prints the effective configuration. Secrets are neither read nor shown."""
    from holdfast.config.document import find_config
    from holdfast.config.show import shown
    from holdfast.config.toml_text import sections_text

    options, printer = app_options_of(ctx), frame_of(ctx).printer
    path = find_config(options.config, os.environ, Path.cwd())
    reading = _read(_document(path), options.environment, fetch_secrets=False)
    if reading.config is None:
        raise reading.errors[0]
    sections = shown(reading.config, reading.effective)
    environment = reading.config.environment
    printer.document({"path": str(path), "environment": environment, "config": sections})
    if not printer.quiet:
        printer.line(f"# {name(str(path))}" + (f" [environments.{environment}]" if environment else ""))
    printer.line(sections_text(sections).rstrip("\n"))


@config.command("schema", cls=Command, sections=[GLOBAL], help="Print a JSON Schema of the configuration for editors.")
@click.pass_context
def schema(ctx: click.Context) -> None:
    """Prints JSON Schema 2020-12, indented unless --json asks for one line."""
    import json

    from holdfast.config.schema import json_schema

    printer = frame_of(ctx).printer
    made = json_schema()
    printer.document(made)
    printer.line(json.dumps(made, indent=2, ensure_ascii=False))


def _document(path: Path) -> Document:
    from holdfast.config.document import read_document

    return read_document(path)


def _read(document: Document, environment: str | None, *, fetch_secrets: bool) -> Reading:
    from holdfast.config.load import read_config

    return read_config(document, environment, os.environ, fetch_secrets=fetch_secrets)


def _judge(printer: Printer, path: Path, errors: list[ConfigInvalid], warnings: tuple[ConfigWarning, ...]) -> int:
    printer.document(
        {
            "path": str(path),
            "valid": not errors,
            "errors": [_row(error.context) for error in errors],
            "warnings": [_row(_context(warning)) for warning in warnings],
        }
    )
    if not printer.json_output:
        _print_rows(printer, (error.context for error in errors))
        for warning in warnings:
            printer.warn(_ROW, **_context(warning))
    if not errors:
        printer.note("{path} is in order.", path=path)
        return ExitCode.DONE
    printer.line(count(len(errors), "{count} error.", "{count} errors."))
    return ExitCode.USAGE


_ROW = "{path}, line {line}: {key}: {reason}"


def _print_rows(printer: Printer, rows: Iterable[dict[str, object]]) -> None:
    for row in rows:
        printer.line(f"{printer.paint(_('Error:'), 'red', printer.out)} {render(_ROW, row)}")


def _context(warning: ConfigWarning) -> dict[str, object]:
    return {"path": warning.path, "line": warning.line, "key": warning.key, "reason": warning.reason}


def _row(context: dict[str, object]) -> dict[str, object]:
    return {
        "path": str(context["path"]),
        "line": context["line"],
        "key": context["key"],
        "reason": str(context["reason"]),
    }
