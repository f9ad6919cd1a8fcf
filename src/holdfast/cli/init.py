"""`holdfast init`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdfast.cli.commands import GLOBAL, Command, frame_of
from holdfast.cli.text import render
from holdfast.cli.values import name as printable

if TYPE_CHECKING:
    from holdfast.cli.output import Printer
    from holdfast.config.new_file import NewConfig


@click.command(
    "init",
    cls=Command,
    sections=[GLOBAL],
    help="Look at an application and write a configuration for it. One that is there is never replaced.",
)
@click.argument("directory", metavar="[DIR]", default=".", type=click.Path(exists=True, file_okay=False))
@click.option("--dry-run", is_flag=True, help="Show what would be written, and write nothing.")
@click.pass_context
def command(ctx: click.Context, directory: str, dry_run: bool) -> None:
    """Looks, writes, and says what was found and what was left out."""
    from holdfast.config.new_file import propose, write

    printer = frame_of(ctx).printer
    new = propose(Path(directory), os.environ)
    if not dry_run:
        write(new)
    printer.document(_document(new, dry_run))
    if printer.json_output:
        return
    _report(printer, new)
    if dry_run:
        printer.line()
        printer.line(new.text.rstrip("\n"))
        return
    printer.say("Wrote {path}.", path=new.path)
    if new.ignored:
        printer.note("Added to .gitignore: {lines}", lines=", ".join(new.ignored))
    printer.note("Look it over, then run `holdfast config check` and `holdfast create`.")


def _report(printer: Printer, new: NewConfig) -> None:
    if printer.quiet:
        return
    printer.say("Found:")
    for source in new.findings.sources:
        printer.line(f"  {source.name} ({source.kind}): {render(source.origin.template, source.origin.values)}")
        for note in source.notes:
            printer.line(f"    {render(note.template, note.values)}")
    if new.findings.left_out:
        printer.say("Left out:")
    for one in new.findings.left_out:
        printer.line(f"  {printable(one.what)}: {render(one.why.template, one.why.values)}")


def _document(new: NewConfig, dry_run: bool) -> dict[str, object]:
    return {
        "path": str(new.path),
        "written": not dry_run,
        "app": new.app,
        "sources": [
            {
                "name": source.name,
                "kind": source.kind,
                "options": dict(source.options),
                "origin": str(source.origin),
                "notes": [str(note) for note in source.notes],
            }
            for source in new.findings.sources
        ],
        "left_out": [{"what": one.what, "why": str(one.why)} for one in new.findings.left_out],
        "gitignore": list(new.ignored),
        **({"content": new.text} if dry_run else {}),
    }
