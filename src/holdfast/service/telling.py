"""Tells people what became of runs: decides what is worth it, and hands it to the courier."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Protocol

from holdfast.app import App
from holdfast.catalog.queries import RunFilter
from holdfast.catalog.runs import Runs
from holdfast.errors import HoldfastError
from holdfast.model.notice import Notice
from holdfast.model.run import Run
from holdfast.notifiers.occasions import Limits, facts_of, notices_of, started

LOGGER = logging.getLogger("holdfast")
_COMPARED = 50


class Takes(Protocol):
    """Takes notices and sees that they arrive; `holdfast.notifiers.delivery.Courier` does."""

    def accept_all(self, notices: Iterable[Notice]) -> int:
        """Stores notices; sends nothing yet."""
        ...


class Teller:
    """Hears of runs. Never raises: that nobody could be told must not change what became of a run.

    Args:
        courier: takes what people should hear.
        runs: what went before.
        limits: when a change is worth telling.
    """

    def __init__(self, courier: Takes, runs: Runs, limits: Limits) -> None:
        self._courier = courier
        self._runs = runs
        self._limits = limits

    def begun(self, run: Run) -> None:
        """A run begins."""
        notice = started(run)
        if notice is not None:
            self.tell(notice)

    def ended(self, app: App | None, run: Run) -> None:
        """A run has ended, and is written down; without an application where none could be opened."""
        try:
            previous = self._runs.find(RunFilter(app=run.app, limit=_COMPARED))
            facts = facts_of(run.report, {} if app is None else free_bytes(app))
            self._courier.accept_all(notices_of(run, previous, facts, self._limits))
        except HoldfastError as error:
            LOGGER.error("nobody can be told of run %s: %s", run.run_id, error)

    def tell(self, notice: Notice) -> None:
        """Tells something else."""
        try:
            self._courier.accept_all([notice])
        except HoldfastError as error:
            LOGGER.error("nobody can be told of %s: %s", notice.occasion.value, error)


def free_bytes(app: App) -> dict[str, int | None]:
    """How much more fits into each target; None where nobody can tell."""
    free: dict[str, int | None] = {}
    for name, target in app.context.targets.items():
        try:
            free[name] = target.free_bytes()
        except HoldfastError:
            # Whether a target can be reached is what runs have told.
            free[name] = None
    return free
