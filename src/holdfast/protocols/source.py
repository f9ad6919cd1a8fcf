"""What can be dumped and loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import msgspec

from holdfast.model.component import Component, Form, Problem, Role, Shape
from holdfast.model.event import Listener
from holdfast.protocols.content import Entry, StoredContent


class DumpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a source is to dump.

    Attributes:
        scratch: an empty directory of mode 0700 on a disk with room; removed afterwards by the caller.
        base: for changes, the state that was written with the base; None dumps everything as changes.
        state: where to write the state that a later backup compares with (see `holdfast.sources.rows.state`); None if
            it is not wanted.
        timeout_s: how long the source may stay silent before it counts as hung.
    """

    scratch: Path
    listener: Listener
    cancelled: Callable[[], None]
    base: Path | None = None
    state: Path | None = None
    timeout_s: float = 3600.0


class Dump(Protocol):
    """One consistent state of a source, held until the context that made it ends.

    `entries` may be asked for several forms one after the other: all show the same state.
    """

    def forms(self) -> Sequence[Form]:
        """Forms this dump can be written in, the best first."""
        ...

    def shape(self, form: Form) -> Shape:
        """What the entries of a form are."""
        ...

    def file_name(self, form: Form) -> str:
        """Base name of the content in a form: `app_data.db`, `database.sql`; a tree's folder name."""
        ...

    def entries(self, form: Form) -> Iterator[Entry]:
        """The content. Raises `SourceError` as soon as it is known not to be whole, at the latest at its end."""
        ...

    def component(self, form: Form) -> Component:
        """What was dumped, after the entries ran to their end: rows, facts, problems. The caller adds digest and sizes.

        Raises:
            SourceError: what was dumped does not agree with what the source holds.
        """
        ...

    def problem(self, problem: Problem) -> None:
        """Notes a problem that the reader of the entries met."""
        ...


class LoadRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a source is to load and where to.

    Attributes:
        destination: None in place; else a directory (files, SQLite) or a database URL.
        tables: only these; empty for all. A key selects rows: `comments:id=5`.
        paths: only these and what is below them; empty for all.
        stamp: dates the names of safety copies, `20240101_120000`.
        safety_copy: keep what is replaced.
    """

    scratch: Path
    listener: Listener
    cancelled: Callable[[], None]
    stamp: str
    destination: str | None = None
    tables: tuple[str, ...] = ()
    paths: tuple[bytes, ...] = ()
    safety_copy: bool = True
    timeout_s: float = 3600.0


class LoadPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a load would do, for people to agree to.

    `needed_bytes` at `directory` are needed for it (None: nothing local); `replaces` names what is there now.
    """

    destination: str
    replaces: tuple[str, ...] = ()
    safety_copies: tuple[str, ...] = ()
    directory: Path | None = None
    needed_bytes: int = 0


class LoadReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a load did, judged by what is in the destination now.

    `undo` is what a person types or does to get the former state back; empty if nothing was replaced. `as_file`: the
    content of a database was written as a file, in which no rows are counted.
    """

    destination: str
    safety_copies: tuple[str, ...] = ()
    undo: str = ""
    rows: dict[str, int] = {}
    file_count: int = 0
    content_bytes: int = 0
    checks: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    as_file: bool = False


class Source(Protocol):
    """One named thing of an application that can be dumped *and* loaded."""

    @property
    def name(self) -> str:
        """The operator's name for it."""
        ...

    @property
    def kind(self) -> str:
        """Which kind of source it is."""
        ...

    @property
    def role(self) -> Role:
        """What it is to the application."""
        ...

    def preflight(self) -> None:
        """Finds out before anything is written whether a dump can work: tools, versions, access.

        Raises:
            SourceError: it cannot.
        """
        ...

    def estimate_bytes(self) -> int | None:
        """About how large its content is; None where nobody can tell cheaply."""
        ...

    def dump(self, request: DumpRequest) -> AbstractContextManager[Dump]:
        """Takes hold of one consistent state. Raises `SourceError`."""
        ...

    def plan(self, chain: Sequence[StoredContent], request: LoadRequest) -> LoadPlan:
        """Says what `load` would do and changes nothing."""
        ...

    def load(self, chain: Sequence[StoredContent], request: LoadRequest) -> LoadReport:
        """Brings content back, all or nothing, and looks at what is there afterwards.

        Args:
            chain: a component, or a base followed by the changes to apply to it in order.

        Raises:
            RestoreError: the destination is as it was.
            DamageError: the content is; the destination is as it was.
        """
        ...
