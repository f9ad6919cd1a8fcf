"""Runs of the command line, written down in the catalog and told to people like those of the server."""

from __future__ import annotations

import msgspec

from holdfast.app import App
from holdfast.app.catalog_of import open_app_catalog
from holdfast.app.notifying import courier, limits
from holdfast.catalog.catalog import Catalog
from holdfast.errors import Interrupted
from holdfast.model.run import Run, RunState, Trigger
from holdfast.runtime import host
from holdfast.runtime.unforeseen import named
from holdfast.service.heart import BEAT_S, Heart, holder
from holdfast.service.mirror import take_in
from holdfast.service.recording import failed, new_run, reported
from holdfast.service.telling import Teller

FLUSH_S = 10.0
"""How long a command waits at its end for messages to leave; the next one, or the server, sends the rest."""


class CommandRun:
    """One run of a command, from its beginning to its end. Give it the report, then close it.

    Args:
        app: the application.
        operation: see `holdfast.service.operations`.
        request: what was asked for.
        policy: whose run it is, where cron or systemd runs policies; when it was due is not known then.
        beat_s: how often it shows that it is alive.
    """

    def __init__(
        self, app: App, operation: str, request: msgspec.Struct, *, policy: str = "", beat_s: float = BEAT_S
    ) -> None:
        self._app = app
        self._catalog: Catalog = open_app_catalog(app)
        self._courier = courier(app.config, self._catalog.deliveries, clock=app.context.clock)
        self._teller = Teller(self._courier, self._catalog.runs, limits(app.config))
        now = app.context.now()
        asked = new_run(app.name, operation, request, now, trigger=Trigger.COMMAND, actor=host.local_actor())
        # It begins at once: nobody plans it, and nobody else may take it.
        begun = {"state": RunState.RUNNING, "started_at": now, "heartbeat_at": now, "holder": holder()}
        self._run: Run = msgspec.structs.replace(asked, policy=policy, **begun)
        self._catalog.runs.add(self._run)
        # A server beside us takes a run that shows no sign of life for one that was lost.
        self._heart = Heart(self._catalog.runs, self._run.run_id, app.context.now, beat_s=beat_s)
        self._heart.start()
        self._teller.begun(self._run)
        # In a thread of its own: a check hears of the start when it happens, and the run does not wait for it.
        self._courier.step()

    def end(self, report: msgspec.Struct | None, error: BaseException | None) -> None:
        """Writes down what came of it, and tells people.

        Args:
            report: what the operation returned; None if it raised.
            error: what it raised.
        """
        self._heart.stop()
        now = self._app.context.now()
        if report is not None:
            run = reported(self._run, report, now)
        else:
            run = failed(self._run, Interrupted() if error is None else named(error), now)
        self._catalog.runs.save(run)
        take_in(self._catalog.copies, self._app.name, report)
        self._catalog.audit.append(
            now,
            run.actor,
            f"backup.{run.operation}",
            subject=run.backup_id,
            outcome="done" if run.error is None else f"failed:{run.error.code}",
            detail={"run": run.run_id},
        )
        self._teller.ended(self._app, run)
        self._courier.flush(FLUSH_S)

    def close(self) -> None:
        """Gives the catalog back."""
        self._heart.stop()
        self._catalog.close()
