"""The command `holdfast`."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence

import click

from holdfast import __version__
from holdfast.cli.app_options import APP
from holdfast.cli.commands import GLOBAL, Group, Lazy
from holdfast.cli.errors import report
from holdfast.cli.frame import Frame, foresee
from holdfast.cli.streams import StandardStreams
from holdfast.errors import ExitCode
from holdfast.runtime.cancel import install_signal_handlers

_VERBOSE = re.compile(r"(?:--verbose|-v)=([0-9])\Z")

COMMANDS = {
    "create": Lazy("holdfast.cli.create:command", help="Make a backup."),
    "list": Lazy("holdfast.cli.list:command", help="List backups, the newest first."),
    "show": Lazy("holdfast.cli.show:command", help="Show one backup, its components and its copies."),
    "stats": Lazy("holdfast.cli.stats:command", help="Add up what the targets keep."),
    "restore": Lazy("holdfast.cli.restore:command", help="Bring a backup back, in place or elsewhere, all or a part."),
    "verify": Lazy("holdfast.cli.verify:command", help="Read a backup again and compare every checksum and count."),
    "rotate": Lazy("holdfast.cli.rotate:command", help="Delete backups that the rules do not keep."),
    "cleanup": Lazy("holdfast.cli.cleanup:command", help="Delete backups that are older than so many days."),
    "delete": Lazy("holdfast.cli.delete:command", help="Delete backups by id."),
    "hold": Lazy("holdfast.cli.hold:command", help="Keep a backup whatever retention says."),
    "release": Lazy("holdfast.cli.release:command", help="Let retention decide about a held backup again."),
    "export": Lazy(
        "holdfast.cli.export:command", help="Write a backup into one self-contained file, with a recovery sheet."
    ),
    "status": Lazy("holdfast.cli.status:command", help="Say how fresh the backups of each source are."),
    "doctor": Lazy("holdfast.cli.doctor:command", help="Look for what will make the next backup or restore fail."),
    "schedule": Lazy("holdfast.cli.schedule:schedule", help="Run backups by themselves; prove that this is enough."),
    "serve": Lazy("holdfast.cli.serve:command", help="Serve the REST interface, run policies when due, tell people."),
    "token": Lazy("holdfast.cli.token:token", help="Say who may talk to the server."),
    "audit": Lazy("holdfast.cli.audit:audit", help="Show who did what, and whether that record is whole."),
    "catalog": Lazy("holdfast.cli.catalog:catalog", help="Look after the catalog of runs, tokens and settings."),
    "notify": Lazy("holdfast.cli.notify:notify", help="Try the channels, and see what became of messages."),
    "report": Lazy("holdfast.cli.report:report", help="Report on backups, restores and the backup system."),
    "config": Lazy("holdfast.cli.config:config", help="Check, show and describe the configuration of an application."),
    "init": Lazy("holdfast.cli.init:command", help="Look at an application and write a configuration for it."),
    "repo": Lazy("holdfast.cli.repo:repo", help="Work with a repository in the restic format."),
}

_DIRECTION_MARKS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@click.group(
    cls=Group,
    lazy=COMMANDS,
    sections=[APP, GLOBAL],
    help="Back up applications, and prove that the backups restore.",
)
@click.version_option(__version__, prog_name="holdfast", message="%(prog)s %(version)s", help="Show the version.")
def holdfast() -> None:
    """The root of all commands; options are applied before this is called."""


def main(arguments: Sequence[str] | None = None, *, program: click.Command = holdfast) -> int:
    """Runs a command line.

    Args:
        arguments: without the program's name; by default those of this process.
        program: the root of all commands.

    Returns:
        The exit status.
    """
    streams = StandardStreams()
    streams.install()
    given = _unfolded(map(_without_marks, sys.argv[1:] if arguments is None else arguments))
    frame = foresee(given, os.environ)
    restore_handlers = install_signal_handlers(frame.cancel)
    try:
        status = _run(program, given, frame)
        streams.require_written()
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 - the outermost edge: every error becomes one sentence
        return report(error, frame, streams)
    finally:
        restore_handlers()
        streams.remove()
    return status


def _unfolded(arguments: Iterable[str]) -> list[str]:
    """COMPAT(restic): `--verbose=2` stands for `--verbose --verbose`."""
    unfolded: list[str] = []
    for argument in arguments:
        level = _VERBOSE.match(argument) if "--" not in unfolded else None
        unfolded += ["--verbose"] * int(level[1]) if level is not None else [argument]
    return unfolded


def _without_marks(argument: str) -> str:
    """An option without the invisible marks around it; anything else, a file name above all, as it is."""
    bare = argument.strip(_DIRECTION_MARKS)
    return bare if bare.startswith("-") else argument


def _run(program: click.Command, given: list[str], frame: Frame) -> int:
    try:
        with program.make_context("holdfast", given or ["--help"], obj=frame) as ctx:
            result = program.invoke(ctx)
    except click.exceptions.Exit as exit_asked_for:
        return exit_asked_for.exit_code
    except click.exceptions.NoArgsIsHelpError as shown:
        click.echo(shown.format_message(), err=True)
        return ExitCode.USAGE
    return result if isinstance(result, int) else ExitCode.DONE
