"""One dump of a database server: what PostgreSQL and MySQL have in common."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import ClassVar, NamedTuple, NoReturn

from holdfast.errors import DumpFailed, DumpIncomplete, DumpStalled, HoldfastError, Phrase
from holdfast.model.component import Component, Form, Problem, Role, Shape
from holdfast.protocols import DumpRequest, Entry
from holdfast.runtime.program_ending import Ending
from holdfast.runtime.programs import Patience, Program
from holdfast.sources.server_dump import Judge, JudgedOutput, file_entry

_SHOWN = 3


class Dumped(NamedTuple):
    """What is dumped: the source's name, the database for people, and how long the dump program may be silent."""

    source: str
    location: str
    silence_s: float


class ServerDump(ABC):
    """A dump of one state of a database; see `holdfast.protocols.Dump`.

    Args:
        dumped: what it is of.
        request: how.
        held: closed when nobody needs the dump any more.
    """

    kind: ClassVar[str]
    all_forms: ClassVar[Sequence[Form]]

    def __init__(self, dumped: Dumped, request: DumpRequest, held: contextlib.ExitStack) -> None:
        self._dumped = dumped
        self._request = request
        self._held = held
        self._rows: dict[Form, dict[str, int]] = {}
        self._problems: list[Problem] = []
        self._state_written = False

    def forms(self) -> Sequence[Form]:
        """How it can be had."""
        return self.all_forms

    def shape(self, form: Form) -> Shape:
        """One file; one for each table for changes."""
        return Shape.FILES if form is Form.CHANGES else Shape.FILE

    @abstractmethod
    def file_name(self, form: Form) -> str:
        """Of the one file."""

    def component(self, form: Form) -> Component:
        """What was dumped. Raises `DumpIncomplete` if the entries were not read to their end."""
        rows = self._rows.get(form)
        if rows is None:
            self._incomplete("it was not read to its end")
        return Component(
            name=self._dumped.source,
            kind=self.kind,
            role=Role.DATABASE,
            form=form,
            shape=self.shape(form),
            file_name=self.file_name(form),
            original=self._dumped.location,
            rows=rows,
            facts=self._facts(form),
            problems=tuple(self._problems),
        )

    def problem(self, problem: Problem) -> None:
        """Notes a problem that the reader of the entries met."""
        self._problems.append(problem)

    @abstractmethod
    def _facts(self, form: Form) -> dict[str, str]:
        """What else is known of a form that was dumped."""

    def _one_file(
        self,
        form: Form,
        judge: Judge,
        start: Callable[[], Program],
        agrees: Callable[[], None],
        explain: Callable[[Ending], None] | None = None,
    ) -> Iterator[Entry]:
        """What the dump program prints, judged; see `JudgedOutput`."""
        outputs: list[JudgedOutput] = []

        def opened() -> JudgedOutput:
            output = JudgedOutput(self._dumped.source, start, judge, agrees, explain)
            outputs.append(output)
            self._held.callback(output.close)
            return output

        yield file_entry(self.file_name(form), opened)
        if not any(output.whole for output in outputs):
            self._incomplete("it was not read to its end")

    def _program(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        pass_fds: Sequence[int],
        secrets: Sequence[bytes],
    ) -> Program:
        patience = Patience(self._dumped.silence_s, self._silent, self._request.cancelled)
        try:
            return Program(command, patience, environment=environment, pass_fds=pass_fds, secrets=secrets)
        except OSError as error:
            reason = Phrase("{path} cannot be run: {reason}", {"path": command[0], "reason": error.strerror})
            raise DumpFailed(source=self._dumped.source, reason=reason) from error

    def _silent(self, seconds: float) -> HoldfastError:
        return DumpStalled(source=self._dumped.source, seconds=round(seconds, 1))

    def _lacks(self, shown: Collection[str]) -> None:
        """Refuses a dump that lacks these things, if there are any."""
        missing = sorted(shown)
        if missing:
            more = Phrase(" and {count} more", {"count": len(missing) - _SHOWN}) if len(missing) > _SHOWN else ""
            self._incomplete(Phrase("it lacks {names}{more}", {"names": ", ".join(missing[:_SHOWN]), "more": more}))

    def _incomplete(self, reason: str) -> NoReturn:
        raise DumpIncomplete(source=self._dumped.source, reason=reason)
