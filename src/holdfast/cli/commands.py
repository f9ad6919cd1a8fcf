"""Commands and groups: loaded when called, explained in the person's language, with shared options everywhere.

A shared option may stand before or after the sub-command, as in restic. It is declared on the group and on each of its
commands, puts its value into an object shared by all of them, and is never passed to a command's function.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple

import click
from click.core import ParameterSource

from holdfast.cli.frame import Frame
from holdfast.cli.text import LANGUAGES, N_, _, set_language

SharedOptions = Callable[[], Sequence[click.Option]]


class Lazy(NamedTuple):
    """A command that is imported when it is needed, and what it does in one line."""

    target: str
    help: str


class Section(NamedTuple):
    """Shared options under a title of their own."""

    title: str
    options: SharedOptions


class Command(click.Command):
    """A command that translates its help and takes shared options besides its own.

    Args:
        sections: shared options, shown below its own.
    """

    def __init__(self, *args: Any, sections: Sequence[Section] = (), **named: Any) -> None:
        named.setdefault("context_settings", {}).setdefault("help_option_names", ["-h", "--help"])
        super().__init__(*args, **named)
        self.sections = _add_sections(self, sections)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes what the command does, translated."""
        _write_help_text(self, ctx, formatter)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the options, shared ones in sections of their own."""
        _write_options(self, self.sections, ctx, formatter)


class Group(click.Group):
    """A group whose commands are imported when they are called.

    Args:
        lazy: where each command is and what it does.
        sections: shared options.
    """

    def __init__(
        self, *args: Any, lazy: Mapping[str, Lazy] | None = None, sections: Sequence[Section] = (), **named: Any
    ) -> None:
        named.setdefault("context_settings", {}).setdefault("help_option_names", ["-h", "--help"])
        named.setdefault("no_args_is_help", True)
        super().__init__(*args, **named)
        self.lazy = dict(lazy or {})
        self.sections = _add_sections(self, sections)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands, in the order of the alphabet."""
        return sorted({*self.lazy, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports a command."""
        row = self.lazy.get(cmd_name)
        if row is None:
            return super().get_command(ctx, cmd_name)
        module, _colon, attribute = row.target.partition(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{row.target} is not a command")
        return command

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes what the group is about, translated."""
        _write_help_text(self, ctx, formatter)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the commands, then the options."""
        self.format_commands(ctx, formatter)
        _write_options(self, self.sections, ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the commands without importing those that are lazy."""
        names = self.list_commands(ctx)
        if not names:
            return
        width = formatter.width - 6 - max(map(len, names))
        with formatter.section(_("Commands")):
            formatter.write_dl([(name, self._short_help(ctx, name, width)) for name in names])

    def _short_help(self, ctx: click.Context, name: str, width: int) -> str:
        if name in self.lazy:
            return _(self.lazy[name].help)
        command = self.get_command(ctx, name)
        return (
            "" if command is None else _(command.short_help or command.help or "") or command.get_short_help_str(width)
        )


def _add_sections(command: click.Command, sections: Sequence[Section]) -> list[tuple[str, list[click.Option]]]:
    taken = {flag for param in command.params for flag in param.opts}
    added: list[tuple[str, list[click.Option]]] = []
    for section in sections:
        options = [option for option in section.options() if not taken & {*option.opts}]
        command.params.extend(options)
        added.append((section.title, options))
    return added


def _write_help_text(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    with _translated([command]):
        click.Command.format_help_text(command, ctx, formatter)


def _write_options(
    command: click.Command,
    sections: Iterable[tuple[str, list[click.Option]]],
    ctx: click.Context,
    formatter: click.HelpFormatter,
) -> None:
    shared = {id(option) for _title, options in sections for option in options}
    own = [param for param in command.get_params(ctx) if isinstance(param, click.Option) and id(param) not in shared]
    for title, options in [(N_("Options"), own), *sections]:
        with _translated(options):
            records = [record for option in options if (record := option.get_help_record(ctx)) is not None]
        if records:
            with formatter.section(_(title)):
                formatter.write_dl(records)


@contextmanager
def _translated(described: Iterable[click.Command | click.Option]) -> Generator[None, None, None]:
    """Puts translations in the place of English help while it is written."""
    english = [(one, one.help) for one in described if one.help]
    try:
        for one, text in english:
            one.help = _(text)
        yield
    finally:
        for one, text in english:
            one.help = text


def shared_option(*declarations: str, apply: Callable[[click.Context, Any], None], **named: Any) -> click.Option:
    """An option that is applied to a shared object instead of being passed to the command.

    What was typed wins over the environment; what was typed last wins over what was typed before.
    """

    def callback(ctx: click.Context, param: click.Parameter, value: Any) -> None:
        source = ctx.get_parameter_source(param.name or "")
        typed: set[str | None] = ctx.meta.setdefault("holdfast.typed", set())
        if source is ParameterSource.COMMANDLINE:
            typed.add(param.name)
            apply(ctx, value)
        elif source is ParameterSource.ENVIRONMENT and param.name not in typed:
            apply(ctx, value)

    return click.Option(declarations, callback=callback, expose_value=False, **named)


def frame_of(ctx: click.Context) -> Frame:
    """The frame of the running command."""
    root = ctx.find_root()
    frame = root.find_object(Frame)
    if frame is None:
        frame = root.obj = Frame()
    return frame


def _set(name: str) -> Callable[[click.Context, Any], None]:
    return lambda ctx, value: setattr(frame_of(ctx), name, value)


def _louder(ctx: click.Context, value: int) -> None:
    frame_of(ctx).verbose += value


def global_options() -> list[click.Option]:
    """The options of every command."""
    return [
        shared_option("--json", is_flag=True, apply=_set("json_output"), help="Print JSON instead of text."),
        shared_option("-q", "--quiet", is_flag=True, apply=_set("quiet"), help="Print results and errors only."),
        shared_option("-v", "--verbose", count=True, apply=_louder, help="Tell more; twice tells most."),
        shared_option(
            "--no-color", "color", is_flag=True, flag_value=False, apply=_set("color"), help="Use no colours."
        ),
        shared_option(
            "--lang",
            "--language",
            "language",
            type=click.Choice(LANGUAGES),
            apply=lambda _ctx, value: set_language(value),
            help="Language of messages; by default that of HOLDFAST_LANG or of the system.",
        ),
        shared_option("--debug", is_flag=True, apply=_set("debug"), help="Show where an unexpected error came from."),
    ]


GLOBAL = Section(N_("Global options"), global_options)
