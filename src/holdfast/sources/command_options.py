"""What a source of kind `command` is told."""

from __future__ import annotations

import shlex
from typing import Annotated

import msgspec

_Word = Annotated[str, msgspec.Meta(min_length=1)]
_Words = _Word | Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]


class CommandOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a source of kind `command`. No shell is involved: a text is cut into words by a shell's quoting rules.

    Attributes:
        dump: the program, with arguments, whose standard output is backed up.
        load: the program that reads it on standard input when it is restored; empty if it cannot be restored in place.
        file_name: what the output is called.
        end_marker: a text that whole output ends with, white space after it aside.
        min_bytes: output shorter than this is not whole. Empty output never is.
        timeout_s: how long the program may print nothing; 0 takes the limit of the run.
        environment: further variables for the programs.
        pass_environment: names of variables of this process that the programs get as well.
        rows_command: a program that prints one `name count` a line; compared before the dump and after a restore.
    """

    dump: _Words
    load: str | tuple[str, ...] = ()
    file_name: Annotated[str, msgspec.Meta(min_length=1, pattern=r"^[^/\x00]+$")] = "output"
    end_marker: str = ""
    min_bytes: Annotated[int, msgspec.Meta(ge=1)] = 1
    timeout_s: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    environment: dict[str, str] = {}
    pass_environment: tuple[str, ...] = ()
    rows_command: str | tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises `ValueError` for a text that cannot be cut into words."""
        for command in (self.dump, self.load, self.rows_command):
            if command and not words_of(command):
                raise ValueError("a command is empty")


def words_of(command: str | tuple[str, ...]) -> tuple[str, ...]:
    """The program and its arguments. Raises `ValueError` for an open quotation."""
    return tuple(shlex.split(command)) if isinstance(command, str) else command
