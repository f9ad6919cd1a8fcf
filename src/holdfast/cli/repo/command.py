"""How a command of `holdfast repo` is declared.

A command is one file, named like the command, with one object called `command`, and one row in the table of
`holdfast.cli.repo`:

    @repo_command("unlock", help="Remove locks of processes that are gone.")
    @click.option("--remove-all", is_flag=True, help="Remove all locks, those of living processes too.")
    @click.pass_obj
    def command(session: RepoSession, remove_all: bool) -> None:
        with session.listener() as listener:
            repository = session.open(listener=listener)
            report = unlock(repository, remove_all=remove_all, listener=listener, cancel=session.cancel)
        session.printer.document(report)
        session.printer.note("removed {count} locks", count=report.removed)

It parses, calls one operation, prints its report, and raises nothing but `HoldfastError`; to end with another status
than 0 after a report, raise the error that stands for it (`BackupIncomplete`, `DamageFound`). The engine is imported
inside the function, so that `--help` stays fast. Every text is an English literal: `help=`, the first argument of
`note`, `say`, `detail` and `warn`, and of `_()`; `scripts/catalog.py` finds them there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from holdfast.cli.commands import GLOBAL, Command, Group, Lazy
from holdfast.cli.repo.options import REPOSITORY

_Decorated = Callable[..., Any]


def repo_command(name: str, *, help: str, **named: Any) -> Callable[[_Decorated], Command]:  # noqa: A002 - as in click
    """Declares a command that takes the options of the repository besides its own.

    Args:
        name: as typed.
        help: what it does, an English literal.
        named: further arguments of `click.command`.
    """
    return click.command(name, cls=Command, sections=[REPOSITORY, GLOBAL], help=help, **named)


def repo_group(
    name: str,
    *,
    help: str,  # noqa: A002 - as in click
    lazy: Mapping[str, Lazy] | None = None,
    **named: Any,
) -> Callable[[_Decorated], Group]:
    """Declares a group of such commands; give its commands with `lazy`, or add them with `add_command`."""
    return click.group(name, cls=Group, lazy=lazy, sections=[REPOSITORY, GLOBAL], help=help, **named)
