"""`holdfast schedule …`: what runs when, whether that is enough, and who sees to it."""

from __future__ import annotations

import click

from holdfast.cli.app_options import APP
from holdfast.cli.commands import GLOBAL, Group, Lazy

COMMANDS = {
    "show": Lazy("holdfast.cli.schedule.show:show", help="Show when each policy ran last and is due next."),
    "status": Lazy("holdfast.cli.schedule.show:status", help="Say who runs the policies and what went wrong."),
    "prove": Lazy("holdfast.cli.schedule.prove:command", help="Work out whether the schedule keeps the objectives."),
    "install": Lazy("holdfast.cli.schedule.install:install", help="Let systemd or cron run the policies."),
    "remove": Lazy("holdfast.cli.schedule.install:remove", help="Take back what install wrote."),
    "run": Lazy("holdfast.cli.schedule.run:command", help="Run a policy now, with its repetitions and time limit."),
}


@click.group(
    "schedule",
    cls=Group,
    lazy=COMMANDS,
    sections=[APP, GLOBAL],
    help="Run backups by themselves; prove that this is enough.",
)
def schedule() -> None:
    """Shared options have been applied already."""
