"""Client programs of database servers: finding them, and asking what they are."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from holdfast.errors import DumpStalled, Phrase, SourceError, ToolMissing, ToolVersionMismatch
from holdfast.runtime.programs import Patience, find_program, run_program

_VERSION_S = 20.0


class Tool(NamedTuple):
    """A program that was asked for its version: where it is, the numbers of the version, the version as it says it."""

    path: str
    numbers: tuple[int, ...]
    version: str


class Wanted(NamedTuple):
    """What kind of program is needed.

    Attributes:
        names: of the program, the best first.
        package: what to install on Debian.
        says: matches the output of `--version`; the group `version` is the version.
        elsewhere: patterns of folders to look into when no fitting program is on the path.
    """

    names: Sequence[str]
    package: str
    says: re.Pattern[str]
    elsewhere: Sequence[str] = ()


def find_tool(
    wanted: Wanted, folder: str, source: str, server: str, fits: Callable[[Tool], bool], cancelled: Callable[[], None]
) -> Tool:
    """The first program that fits the server.

    Args:
        folder: where to look, and nowhere else; empty for the path and the folders of `wanted`.
        server: the server's version, for messages.

    Raises:
        ToolMissing: there is none.
        ToolVersionMismatch: there is one, but it does not fit or is not what its name says.
    """
    refused: ToolVersionMismatch | None = None
    for path in _candidates(wanted, folder):
        try:
            tool = ask_version(path, wanted, source, server, cancelled)
        except ToolVersionMismatch as error:
            refused = refused or error
            continue
        if fits(tool):
            return tool
        refused = refused or ToolVersionMismatch(
            source=source, tool=os.path.basename(path), client=tool.version, server=server
        )
    if refused is not None:
        raise refused
    raise ToolMissing(source=source, tool=wanted.names[0], package=wanted.package)


def ask_version(path: str, wanted: Wanted, source: str, server: str, cancelled: Callable[[], None]) -> Tool:
    """Runs a program with `--version`. Raises `ToolVersionMismatch` if the answer is not that of such a program."""

    def silent(seconds: float) -> SourceError:
        return DumpStalled(source=source, seconds=seconds)

    says = "of an unknown kind"
    try:
        output, ending = run_program([path, "--version"], Patience(_VERSION_S, silent, cancelled), limit_bytes=4096)
    except OSError as error:
        says = Phrase("that cannot be run ({reason})", {"reason": error.strerror})
    except DumpStalled:
        says = "that does not answer"
    else:
        match = wanted.says.match(output.decode("utf-8", "replace"))
        if match is not None and ending.succeeded:
            version = match["version"]
            return Tool(path, tuple(int(number) for number in re.findall(r"\d+", version)), version)
    raise ToolVersionMismatch(source=source, tool=os.path.basename(path), client=says, server=server)


def _candidates(wanted: Wanted, folder: str) -> Iterator[str]:
    for name in wanted.names:
        path = find_program([name], folder)
        if path is not None:
            yield path
    if not folder:
        for pattern in wanted.elsewhere:
            for place in sorted(glob.glob(pattern), key=_numbers):
                path = find_program(wanted.names, place)
                if path is not None:
                    yield path


def _numbers(path: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", path)]
