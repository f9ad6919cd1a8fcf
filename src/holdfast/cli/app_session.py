"""What a command of an application works with: the application that was asked for, and the ways to talk to a person.

A command is one file, named like the command, with one object called `command`, and one row in the table of
`holdfast.cli.main`:

    @app_command("stats", help="Add up what targets keep.")
    @target_option
    @pass_session
    def command(session: AppSession, targets: tuple[str, ...]) -> None:
        with session.working(statuses=False) as context:
            report = backup_stats(context, ListRequest(targets=targets))
        session.printer.document(plain(report))
        …
        session.finish(report.failure)

It parses, calls one operation, prints its report and then raises what the report says failed. Operations, sources and
targets are imported inside the function, so that `--help` stays fast.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.app_options import APP, AppOptions, app_options_of
from holdfast.cli.commands import GLOBAL, Command, frame_of
from holdfast.cli.frame import Frame
from holdfast.cli.output import Printer, is_terminal
from holdfast.cli.progress import ProgressListener
from holdfast.cli.text import current_language, set_language
from holdfast.errors import ConfirmationNeeded, HoldfastError

if TYPE_CHECKING:
    from holdfast.app import App, Overrides
    from holdfast.operations.context import AppContext

_Decorated = Callable[..., Any]


@dataclass(kw_only=True)
class AppSession:
    """One run of one command. The application is opened when it is first asked for, and closed with the command.

    Attributes:
        frame: the options of every command.
        options: which configuration.
        ctx: of the command; closes what was opened, knows what was typed.
    """

    frame: Frame
    options: AppOptions
    ctx: click.Context
    opened: App | None = None

    @property
    def printer(self) -> Printer:
        """Prints as the options say."""
        return self.frame.printer

    def app(self, overrides: Overrides | None = None) -> App:
        """The application of the configuration; messages speak its language from now on.

        Args:
            overrides: what options of this command change about it; counts for the first call only.
        """
        from holdfast.app import Overrides, load_app

        if self.opened is None:
            self.opened = load_app(
                self.options.config,
                self.options.environment,
                os.environ,
                Path.cwd(),
                overrides=overrides or Overrides(),
                cancel=self.frame.cancel,
                command=self.ctx.command_path,
            )
            self.ctx.call_on_close(self.opened.close)
            self._speak(self.opened.language)
            for one in self.opened.config.warnings:
                found = {"path": one.path, "line": one.line, "key": one.key, "reason": one.reason}
                self.printer.warn("{path}, line {line}: {key}: {reason}", **found)
        return self.opened

    def _speak(self, language: str) -> None:
        """What was typed wins, then the variable for this program, then the configuration, then the system."""
        typed = "language" in self.ctx.meta.get("holdfast.typed", ())
        if language and not typed and not os.environ.get("HOLDFAST_LANG") and language != current_language():
            set_language(language)

    @contextmanager
    def working(
        self, *, statuses: bool = True, overrides: Overrides | None = None
    ) -> Generator[AppContext, None, None]:
        """The application for one operation, with progress and warnings shown meanwhile.

        Args:
            statuses: with --json, print documents about progress; not where the output is one document.
            overrides: see `app`.
        """
        app = self.app(overrides)
        if any(target.kind == "repository" for target in app.context.targets.values()):
            from holdfast.runtime.memory import give_back_freed_memory

            give_back_freed_memory()
        with ProgressListener(self.printer, statuses=statuses) as listener:
            yield app.telling(listener)

    def agreed(self, action: str, *, yes: bool) -> bool:
        """Asks the person in front of the terminal whether to do what was shown.

        Args:
            action: a translated clause such as "restore this backup".
            yes: it was agreed to already.

        Raises:
            ConfirmationNeeded: nobody is there to be asked.
        """
        if yes:
            return True
        if self.printer.json_output or not is_terminal(sys.stdin) or not is_terminal(self.printer.err):
            raise ConfirmationNeeded(action=action)
        from holdfast.cli.text import _

        if click.confirm(_("Go on?"), default=False, err=True):
            return True
        self.printer.note("Nothing was changed.")
        return False

    def finish(self, failure: HoldfastError | None) -> None:
        """Ends the command as its report says: raises what failed, if anything did."""
        if failure is not None:
            raise failure


def app_command(name: str, *, help: str, **named: Any) -> Callable[[_Decorated], Command]:  # noqa: A002 - as in click
    """Declares a command that works with an application.

    Args:
        name: as typed.
        help: what it does, an English literal.
        named: further arguments of `click.command`.
    """
    return click.command(name, cls=Command, sections=[APP, GLOBAL], help=help, **named)


def pass_session(function: _Decorated) -> _Decorated:
    """Gives a command its session as the first argument."""

    @functools.wraps(function)
    @click.pass_context
    def with_session(ctx: click.Context, /, *args: Any, **named: Any) -> object:
        session = AppSession(frame=frame_of(ctx), options=app_options_of(ctx), ctx=ctx)
        return function(session, *args, **named)

    return with_session


TYPES = ("full", "database", "storage", "config", "incremental")

type_option = click.option("--type", "kind", type=click.Choice(TYPES), help="Only backups of this type.")
target_option = click.option("--target", "targets", multiple=True, metavar="NAME", help="Only this target; repeatable.")
dry_run_option = click.option("-n", "--dry-run", is_flag=True, help="Show what would be done and change nothing.")
yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
