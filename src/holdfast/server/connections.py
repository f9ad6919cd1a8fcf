"""Connections whose clients keep us waiting: they end after a while, and first of all where there are too many."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, cast

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

Waits = Literal["", "idle", "request", "body", "reading"]


class PatientProtocol(H11Protocol):
    """A connection that ends when its client is too slow.

    SAFETY: a byte now and then keeps a connection open for ever if each of them begins a new time-out. Here the time
    is that for the whole request, whole body, or next part of an answer; and who waits for us is never ended to make
    room, so that a thousand slow clients keep nobody from being answered.

    Attributes:
        most: so many at once; beyond that, each that comes ends the one that has kept us waiting longest.
        limits_s: seconds until a request has come completely but for its body, until its body has come, which is never
            long, and until a client has taken some ten thousand bytes of an answer.
        waits: what the client keeps us waiting for; empty while it waits for us.
        since: since when, by the clock of the loop.
    """

    most: ClassVar[int] = 400
    limits_s: ClassVar[Mapping[Waits, float]] = {"request": 10, "body": 30, "reading": 120}

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.waits: Waits = ""
        self.since = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begins to wait for a request."""
        super().connection_made(transport)
        self._wait("request")
        if len(self.connections) > self.most:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits no longer."""
        self._wait("")
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Takes what came."""
        if self.waits == "idle":
            self._wait("request")
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """Begins to wait for the next request, if there may be one."""
        super().on_response_complete()
        self._look()

    def pause_writing(self) -> None:
        """The client does not take what we send."""
        super().pause_writing()
        self._look()

    def resume_writing(self) -> None:
        """It has taken most of it."""
        super().resume_writing()
        self._look()

    def _look(self) -> None:
        """Finds out what is waited for now."""
        # Until the first request there is none, whatever the library says of its type.
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if self.transport.is_closing():
            # The end of an answer may still be on its way to a client who does not take it.
            self._wait("reading")
        elif self.flow.write_paused:
            self._wait("reading")
        elif cycle is None:
            self._wait("request")
        elif cycle.response_complete:
            self._wait("request" if self.waits == "request" else "idle")
        else:
            self._wait("body" if cycle.more_body else "")

    def _wait(self, waits: Waits) -> None:
        """Begins to wait; what is waited for already goes on."""
        if waits == self.waits:
            return
        self.waits, self.since = waits, self.loop.time()
        if self._timer is not None:
            self._timer.cancel()
        limit_s = self.limits_s.get(waits)
        self._timer = None if limit_s is None else self.loop.call_later(limit_s, self.give_up)

    def _make_room(self) -> None:
        others = cast("set[asyncio.Protocol]", self.connections) - {self}
        waiting = [one for one in others if isinstance(one, PatientProtocol) and one.waits]
        if waiting:
            min(waiting, key=lambda one: one.since).give_up()

    def give_up(self) -> None:
        """Ends the connection at once."""
        self._wait("")
        self.transport.abort()
