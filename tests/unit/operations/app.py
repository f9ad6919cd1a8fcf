"""A small application in memory, with fakes that can be told to fail."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from holdfast.model.component import Role, Shape
from holdfast.model.event import Event, Warned
from holdfast.operations.context import AppContext
from holdfast.operations.create import create_backup
from holdfast.operations.reports import CreateReport
from holdfast.operations.requests import CreateRequest
from holdfast.testing.fake_clock import FakeClock
from holdfast.testing.fake_source import FakeSource
from holdfast.testing.fake_target import FakeTarget

START_S = 1_704_110_400  # 2024-01-01 12:00:00 UTC

_CONTENT = random.Random(7)


def database() -> FakeSource:
    """One file with rows."""
    data = _CONTENT.randbytes(200_000)
    return FakeSource("database", {"app.db": data}, role=Role.DATABASE, shape=Shape.FILE, rows={"users": 40})


def storage() -> FakeSource:
    """A tree: nothing, small and larger than a block."""
    files = {f"media/{number:02}.jpg": b"x" * number for number in range(20)}
    return FakeSource("storage", {**files, "film.mp4": _CONTENT.randbytes(3_000_000)})


def tables() -> FakeSource:
    """Several files side by side."""
    files = {"a.json": b"[1]", "b.json": b"[]", "c.json": _CONTENT.randbytes(300_000)}
    return FakeSource("tables", files, role=Role.TABLES, shape=Shape.FILES, rows={"a": 1, "b": 0})


class App:
    """Sources, targets and what was told about them."""

    def __init__(
        self,
        state_dir: Path,
        *,
        sources: Sequence[FakeSource] | None = None,
        targets: Sequence[FakeTarget] | None = None,
        **context: object,
    ) -> None:
        made = [database(), storage()] if sources is None else list(sources)
        kept = [FakeTarget("local"), FakeTarget("offsite")] if targets is None else list(targets)
        self.sources = {source.name: source for source in made}
        self.targets = {target.name: target for target in kept}
        self.clock = FakeClock(ns=START_S * 10**9)
        self.events: list[Event] = []
        self.log = state_dir.parent / "backup.log"
        plain = AppContext(
            app="demo",
            sources=self.sources,
            targets=self.targets,
            state_dir=state_dir,
            log_paths=(self.log,),
            clock=self.clock,
            listener=self.events.append,
            stall_s=20.0,
        )
        self.context = msgspec.structs.replace(plain, **context)

    def create(self, **request: object) -> CreateReport:
        """Makes a backup, an hour after the one before."""
        self.clock.advance(3600)
        return create_backup(self.context, CreateRequest(**request))  # type: ignore[arg-type]

    def ids(self, target: str = "local") -> list[str]:
        """Listed backups, newest first."""
        return [stored.backup_id for stored in self.targets[target].backups()]

    def warnings(self) -> set[str]:
        """Codes of warnings so far."""
        return {event.code for event in self.events if isinstance(event, Warned)}


def failing(step: str, error: Callable[[], BaseException], after: int = 0) -> Callable[[str], None]:
    """A step function that raises when a step begins with these words, after it went well so many times."""
    left = [after]

    def at(name: str) -> None:
        if name.startswith(step):
            if not left[0]:
                raise error()
            left[0] -= 1

    return at
