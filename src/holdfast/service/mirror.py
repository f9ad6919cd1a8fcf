"""Keeps the catalog's mirror of the targets fresh, so that lists are quick however many backups there are."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from holdfast.app import App
from holdfast.app.building import local_root
from holdfast.catalog.copies import Copies
from holdfast.errors import HoldfastError
from holdfast.operations.choice import stored_backups
from holdfast.operations.reports import CreateReport, DeleteReport, HoldReport, RetentionReport
from holdfast.runtime.cancel import CancelToken
from holdfast.runtime.clock import Clock

LOGGER = logging.getLogger("holdfast")

# A folder that changes all the time must not keep us listing all the time.
_LEAST_S = 5.0
_SHARE = 20.0
_ELSEWHERE_S = 900.0
_LOOK_S = 2.0


class Mirror:
    """The copies of one application's backups, as the targets list them.

    What a run did is put in at once; what others do to a folder of this machine is seen from the folder's time of
    change, soon after; what they do elsewhere, when the target is listed again.

    Attributes:
        version: grows whenever the mirror may have changed.
        unreachable: why targets could not be listed the last time, by name.

    Args:
        copies: where the mirror is kept.
        open_app: opens the application for one listing.
    """

    def __init__(self, copies: Copies, open_app: Callable[[], App], clock: Clock) -> None:
        self._copies = copies
        self._open_app = open_app
        self._clock = clock
        self._lock = threading.Lock()
        self._counting = threading.Lock()
        self._marks: dict[str, object] = {}
        self._listed_at = float("-inf")
        self._took_s = 0.0
        self._listed = threading.Event()
        self.version = 0
        self.unreachable: dict[str, HoldfastError] = {}

    def refresh(self) -> None:
        """Lists all targets now. A target that cannot be asked keeps what is known of it, and is `unreachable`."""
        with self._lock:
            began = self._clock.monotonic()
            with self._open_app() as app:
                marks = _marks(app)
                # Before they are asked: what is put while they are listed is not in the listing, and stays.
                at = app.context.now()
                found, unreachable = stored_backups(app.context.targets.values())
                for name, backups in found.items():
                    self._copies.replace(app.name, name, backups, at)
            self.unreachable = {copy.target: copy.error for copy in unreachable if copy.error is not None}
            self._changed()
            self._marks = marks
            self._listed_at = self._clock.monotonic()
            self._took_s = self._listed_at - began

    def refresh_if_changed(self) -> bool:
        """Lists all targets if a folder of this machine changed, or if it is long ago. Returns whether it did."""
        waited_s = self._clock.monotonic() - self._listed_at
        if waited_s < max(_LEAST_S, _SHARE * self._took_s):
            return False
        with self._open_app() as app:
            same = _marks(app) == self._marks
        if same and waited_s < _ELSEWHERE_S:
            return False
        self.refresh()
        return True

    def serve(self, stop: CancelToken) -> None:
        """Keeps the mirror fresh until it is told to stop. What keeps it from that is said when it changes."""
        said = ""
        while not stop.cancelled:
            try:
                if self._listed.is_set():
                    self.refresh_if_changed()
                else:
                    self.refresh()
                said = ""
            except HoldfastError as error:
                if said != str(error):
                    LOGGER.error("the targets could not be listed: %s", error)
                said = str(error)
            self._listed.set()
            stop.wait(_LOOK_S)

    def wait_listed(self, timeout_s: float, stop: CancelToken) -> bool:
        """Waits until `serve` has tried to list all targets, at most so long. Returns whether it has."""
        end = self._clock.monotonic() + timeout_s
        while not self._listed.is_set() and self._clock.monotonic() < end and not stop.cancelled:
            self._listed.wait(0.1)
        return self._listed.is_set()

    def take_in(self, app: str, report: object) -> None:
        """Puts in what a run of an application did, without listing anything."""
        take_in(self._copies, app, report)
        self._changed()

    def _changed(self) -> None:
        # INVARIANT: no two changes have the same number, or a list made after the first would hide the second.
        with self._counting:
            self.version += 1


def take_in(copies: Copies, app: str, report: object) -> None:
    """Puts what a run did into the mirror of an application, without listing anything."""
    if isinstance(report, CreateReport | HoldReport):
        for copy in report.copies:
            if copy.stored is not None:
                copies.put(app, copy.stored)
    removed: list[tuple[str, Iterable[str]]] = []
    if isinstance(report, CreateReport):
        removed = [(result.target, result.removed) for result in report.retention]
    elif isinstance(report, RetentionReport):
        removed = [(result.target, result.removed) for result in report.results]
    elif isinstance(report, DeleteReport):
        removed = list(report.removed.items())
    for target, ids in removed:
        for backup_id in ids:
            copies.drop(app, target, backup_id)


def _marks(app: App) -> dict[str, object]:
    """What changes when somebody adds or removes files of a target on this machine: times of its folders."""
    marks: dict[str, object] = {}
    for name, target in app.config.targets.items():
        root = local_root(app.config, target)
        if root is not None:
            marks[name] = _folder_times(root)
    return marks


def _folder_times(root: Path) -> tuple[tuple[str, int], ...]:
    try:
        with os.scandir(root) as entries:
            below = [(entry.name, entry.stat().st_mtime_ns) for entry in entries if entry.is_dir(follow_symlinks=False)]
        return (("", os.stat(root).st_mtime_ns), *sorted(below))
    except OSError:
        return ()
