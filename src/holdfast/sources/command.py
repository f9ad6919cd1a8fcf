"""The output of any program, and a program that takes it back."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from holdfast.errors import DumpFailed, DumpIncomplete, DumpStalled, HoldfastError, Phrase, ToolMissing
from holdfast.model.component import Component, Form, Problem, Role, Shape
from holdfast.protocols import ContentReader, DumpRequest, Entry, LoadPlan, LoadReport, LoadRequest, StoredContent
from holdfast.runtime.programs import Patience, Program, find_program
from holdfast.sources.command_load import CommandLoad
from holdfast.sources.command_options import CommandOptions, words_of
from holdfast.sources.place_entries import file_entry

__all__ = ["Command", "CommandOptions"]

_SPACE_BYTES = 4096
_SECRET_CHARACTERS = 4


class Command:
    """A source of kind `command`.

    Args:
        name: the operator's name for it.
        base_dir: where the programs run, and what a relative path of one starts from.
    """

    kind = "command"
    role = Role.COMMAND

    def __init__(self, name: str, options: CommandOptions, base_dir: Path) -> None:
        self.name = name
        self._options = options
        self._base_dir = base_dir

    def preflight(self) -> None:
        """Looks for the programs. Raises `ToolMissing`."""
        for command in (self._options.dump, self._options.load, self._options.rows_command):
            if command:
                self._program_of(command)

    def estimate_bytes(self) -> int | None:
        """Nobody knows what a program prints."""
        return None

    @contextmanager
    def dump(self, request: DumpRequest) -> Generator[CommandDump]:
        """Counts rows if there is a program for that. Raises `SourceError`."""
        rows = self.rows(self.patience(request.timeout_s, request.cancelled))
        yield CommandDump(self, self._options, request, rows)

    def plan(self, chain: Sequence[StoredContent], request: LoadRequest) -> LoadPlan:
        """Says what `load` would do. Raises `RestoreRefused` if there is no program that takes the content back."""
        return self._load(chain, request).plan()

    def load(self, chain: Sequence[StoredContent], request: LoadRequest) -> LoadReport:
        """Feeds the content to the program, after it was read once and proved; elsewhere it becomes a file.

        Raises:
            RestoreRefused: there is no such program, or the file exists.
            LoadFailed: the program failed.
            DamageError: the content is not whole; nothing was fed.
        """
        return self._load(chain, request).run()

    def _load(self, chain: Sequence[StoredContent], request: LoadRequest) -> CommandLoad:
        return CommandLoad(self, self._options, chain[0], request, self._base_dir)

    # --- programs -------------------------------------------------------------------------------

    def start(self, command: str | tuple[str, ...], patience: Patience, *, feeds: bool = False) -> Program:
        """Starts one of the programs. Raises `SourceError`."""
        program, *arguments = words_of(command)
        passed = {name: os.environ[name] for name in self._options.pass_environment if name in os.environ}
        environment = {**passed, **self._options.environment}
        try:
            return Program(
                [self._program_of(command), *arguments],
                patience,
                environment=environment,
                feeds=feeds,
                secrets=[os.fsencode(value) for value in environment.values() if len(value) >= _SECRET_CHARACTERS],
                directory=str(self._base_dir),
            )
        except (OSError, ValueError) as error:
            raise DumpFailed(
                source=self.name,
                reason=Phrase("{program} cannot be started: {reason}", {"program": program, "reason": str(error)}),
            ) from error

    def _program_of(self, command: str | tuple[str, ...]) -> str:
        name = words_of(command)[0]
        found = find_program([str(self._base_dir / name) if "/" in name else name])
        if found is None:
            raise ToolMissing(source=self.name, tool=name, package=os.path.basename(name))
        return found

    def patience(self, timeout_s: float, cancelled: Callable[[], None]) -> Patience:
        """How long a program may be silent."""
        return Patience(self._options.timeout_s or timeout_s, self._stalled, cancelled)

    def _stalled(self, seconds: float) -> HoldfastError:
        return DumpStalled(source=self.name, seconds=f"{seconds:g}")

    def rows(self, patience: Patience) -> dict[str, int]:
        """What the counting program says; empty without one.

        Raises:
            SourceError: it fails, or says something else than names and numbers.
        """
        if not self._options.rows_command:
            return {}
        output = bytearray()
        with self.start(self._options.rows_command, patience) as program:
            while block := program.read():
                output += block
            ending = program.finish()
        if not ending.succeeded:
            raise DumpFailed(source=self.name, reason=ending.words)
        rows: dict[str, int] = {}
        for line in output.decode("utf-8", "replace").splitlines():
            name, _, count = line.strip().rpartition(" ")
            if not name or not count.isdecimal():
                raise DumpFailed(
                    source=self.name,
                    reason=Phrase(
                        "{program} printed no name and number: {line}",
                        {"program": ending.program, "line": repr(line[:80])},
                    ),
                )
            rows[name.strip()] = int(count)
        return rows


class CommandDump:
    """The output of one run of the program."""

    def __init__(self, source: Command, options: CommandOptions, request: DumpRequest, rows: dict[str, int]) -> None:
        self._source = source
        self._options = options
        self._request = request
        self._rows = rows
        self._problems: list[Problem] = []
        self._reader: _Output | None = None

    def forms(self) -> Sequence[Form]:
        """As the program prints it."""
        return (Form.NATIVE,)

    def shape(self, form: Form) -> Shape:  # noqa: ARG002 - there is only one
        """One file."""
        return Shape.FILE

    def file_name(self, form: Form) -> str:  # noqa: ARG002 - there is only one
        """The configured name."""
        return self._options.file_name

    def entries(self, form: Form) -> Iterator[Entry]:  # noqa: ARG002 - there is only one
        """The output. Raises `SourceError` at its end unless the program succeeded and the output is whole."""
        yield file_entry(self._options.file_name, self._open)
        if self._reader is not None:
            self._reader.drain()

    def _open(self) -> ContentReader:
        patience = self._source.patience(self._request.timeout_s, self._request.cancelled)
        self._reader = _Output(self._source.name, self._options, self._source.start(self._options.dump, patience))
        return self._reader

    def component(self, form: Form) -> Component:
        """What was printed. Raises `DumpIncomplete` if it was not read to its end."""
        if self._reader is None or not self._reader.whole:
            raise DumpIncomplete(source=self._source.name, reason="its output was not read to the end")
        program = os.path.basename(words_of(self._options.dump)[0])
        return Component(
            name=self._source.name,
            kind="command",
            role=Role.COMMAND,
            form=form,
            shape=Shape.FILE,
            file_name=self._options.file_name,
            original=program,
            rows=self._rows,
            facts={"program": program},
            problems=tuple(self._problems),
        )

    def problem(self, problem: Problem) -> None:
        """Notes a problem of the reader."""
        self._problems.append(problem)


class _Output:
    """A `ContentReader` over a program's output, which ends well only if everything about it is right.

    Attributes:
        whole: whether it was read to such an end.
    """

    def __init__(self, source: str, options: CommandOptions, program: Program) -> None:
        self._source = source
        self._marker = options.end_marker.encode("utf-8", "surrogateescape").rstrip()
        self._min_bytes = options.min_bytes
        self._program = program
        self._size = 0
        self._tail = b""
        self.whole = False

    def read(self, size: int = -1, /) -> bytes:
        """More output; at the end the program is judged. Raises `SourceError`."""
        if self.whole:
            return b""
        block = self._program.read(size)
        if not block:
            self._judge()
            return b""
        self._size += len(block)
        if self._marker:
            self._tail = (self._tail + block)[-(len(self._marker) + _SPACE_BYTES) :]
        return block

    def drain(self) -> None:
        """Reads what nobody asked for. Raises `SourceError`."""
        while self.read():
            pass

    def _judge(self) -> None:
        ending = self._program.finish()
        if not ending.succeeded:
            raise DumpFailed(source=self._source, reason=ending.words)
        said = Phrase(" ({reason})", {"reason": ending.shown}) if ending.shown else ""
        if self._size < self._min_bytes:
            reason = Phrase(
                "{program} printed {size} bytes, at least {min_bytes} were expected{said}",
                {"program": ending.program, "size": self._size, "min_bytes": self._min_bytes, "said": said},
            )
            raise DumpIncomplete(source=self._source, reason=reason)
        if self._marker and not self._tail.rstrip().endswith(self._marker):
            raise DumpIncomplete(
                source=self._source, reason=Phrase("the output lacks its end marker{said}", {"said": said})
            )
        self.whole = True

    def close(self) -> None:
        """Ends the program unless its output was read to the end."""
        self._program.close()
