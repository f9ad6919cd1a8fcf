"""What all commands share: how to print, in which language, and how to be stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from holdfast.cli import text
from holdfast.cli.output import Printer
from holdfast.runtime.cancel import CancelToken


@dataclass(kw_only=True)
class Frame:
    """The options that every command takes, and what follows from them."""

    json_output: bool = False
    quiet: bool = False
    verbose: int = 0
    color: bool = True
    debug: bool = False
    cancel: CancelToken = field(default_factory=CancelToken)

    @property
    def printer(self) -> Printer:
        """A printer that obeys the options given so far."""
        return Printer(json_output=self.json_output, quiet=self.quiet, verbose=self.verbose, color=self.color)


def foresee(arguments: Sequence[str], environment: Mapping[str, str]) -> Frame:
    """Looks at the command line before it is parsed, so that even a parser's error is in the right form.

    Also sets the language. Options after `--` are not options.
    """
    options = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    asked = None
    for position, option in enumerate(options):
        name, equals, value = option.partition("=")
        if name in ("--lang", "--language"):
            asked = value if equals else next(iter(options[position + 1 : position + 2]), None)
    text.set_language(text.choose_language(asked, environment))
    return Frame(
        json_output="--json" in options,
        debug="--debug" in options,
        color="--no-color" not in options and not environment.get("NO_COLOR"),
    )
