"""The options of every command that works with an application: which configuration, and which environment in it."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.commands import Section, shared_option
from holdfast.cli.text import N_

if TYPE_CHECKING:
    from holdfast.config.model import Config


@dataclass(kw_only=True)
class AppOptions:
    """Which configuration; None leaves it to the environment and to the folder the command runs in.

    Attributes:
        config: the file, as typed.
        environment: the name of an `[environments.…]` table.
    """

    config: Path | None = None
    environment: str | None = None

    def as_typed(self) -> str:
        """These options as they are typed in a shell, with a space at their end; empty for none."""
        given = {"--config": self.config, "--env": self.environment}
        return "".join(f"{name} {shlex.quote(str(value))} " for name, value in given.items() if value is not None)

    def load(self) -> Config:
        """The configuration these options, the environment and the working directory lead to.

        Raises:
            ConfigNotFound: there is none.
            ConfigUnreadable: there is one that cannot be read.
            ConfigInvalid: something in it cannot be.
            UnknownName: it has no such environment.
        """
        from holdfast.config.load import load_config

        return load_config(self.config, self.environment, os.environ, Path.cwd())


def app_options_of(ctx: click.Context) -> AppOptions:
    """The options of the running command line, shared by all its commands."""
    options: AppOptions = ctx.meta.setdefault("holdfast.app.options", AppOptions())
    return options


def _set_config(ctx: click.Context, value: str) -> None:
    app_options_of(ctx).config = Path(value)


def _set_environment(ctx: click.Context, value: Any) -> None:
    app_options_of(ctx).environment = value


def app_options() -> list[click.Option]:
    """The options of every command that works with an application."""
    return [
        shared_option(
            "--config",
            metavar="FILE",
            apply=_set_config,
            help="Configuration; by default that of HOLDFAST_CONFIG, or holdfast.toml here or in a folder above.",
        ),
        shared_option(
            "--env",
            "environment",
            metavar="NAME",
            apply=_set_environment,
            help="Environment of the configuration to use; by default that of HOLDFAST_ENV.",
        ),
    ]


APP = Section(N_("Application options"), app_options)
