"""Brings notices to people: stored first, sent by threads of their own, repeated until they arrive or a day is over.

INVARIANT: `Courier.accept` writes to the catalog and does nothing else. Nothing that a receiver does or does not do can
delay or fail the run that told of something.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta, tzinfo
from uuid import uuid4

import msgspec

from holdfast.errors import DeliveryFailed, HoldfastError
from holdfast.model.notice import Delivery, DeliveryState, Notice, Occasion
from holdfast.notifiers.keeping import Deliveries
from holdfast.notifiers.wording import ping_text, worded
from holdfast.protocols.channel import Channel
from holdfast.runtime.cancel import CancelToken
from holdfast.runtime.clock import Clock

DEADLINE_S = 20.0
"""How long one attempt may take, the start of a program for it included."""

BACK_OFF_S = (60, 300, 900, 3600, 14_400)
"""Waits between attempts; the last one repeats until `GIVE_UP_S` after the notice."""

GIVE_UP_S = 86_400
KEPT_S = 90 * 86_400
"""How long deliveries stay in the list."""

# Until then a new delivery belongs to the process that accepted it; afterwards to anybody who looks.
_OWN_S = 60
_POLL_S = 5.0
_HOLD_S = 300.0
_BATCH = 100
_REMEMBERED = 500
_NO_FAILURE = frozenset({"no-channel", "overtaken"})

ALWAYS = frozenset({Occasion.TEST, Occasion.DELIVERY_FAILED})
PINGS = frozenset(
    {
        Occasion.STARTED, Occasion.SUCCESS, Occasion.WARNING, Occasion.FAILURE,
        Occasion.DAMAGE, Occasion.DRILL_FAILED, Occasion.TEST,
    }
)  # fmt: skip
"""What a dead man's switch is told of, whatever `on` says."""


class Courier:
    """Takes notices and brings them to channels.

    Args:
        deliveries: where they are kept.
        channels: whom to tell.
        app: the application's name.
        on: which occasions the channels that take messages are told of.
        language: of messages.
        zone: of times in messages.
        clock: tells the time.
    """

    def __init__(
        self,
        deliveries: Deliveries,
        channels: Sequence[Channel],
        *,
        app: str,
        on: Collection[Occasion],
        clock: Clock,
        language: str = "en",
        zone: tzinfo = UTC,
    ) -> None:
        self._deliveries = deliveries
        self._channels = {channel.name: channel for channel in channels}
        self._app = app
        self._on = frozenset(on)
        self._clock = clock
        self._language = language
        self._zone = zone
        self._fresh: dict[str, Delivery] = {}
        self._lock = threading.Lock()
        self._stepping = threading.Lock()
        self._told: deque[tuple[Occasion, str, str]] = deque(maxlen=_REMEMBERED)
        self._busy: set[str] = set()
        self._forgotten_at: datetime | None = None

    # --- taking ------------------------------------------------------------------------------------

    def accept(self, notice: Notice) -> int:
        """Stores a delivery for each channel that wants the occasion. Returns how many."""
        return self.accept_all([notice])

    def accept_all(self, notices: Iterable[Notice]) -> int:
        """The same for several at once; who is told that backups work again is not told of the success as well."""
        given = [notice for notice in notices if self._is_news(notice)]
        recovered = Occasion.RECOVERED in self._on and any(one.occasion is Occasion.RECOVERED for one in given)
        return sum(self._store(notice, self._wanting(notice.occasion, recovered=recovered)) for notice in given)

    def _is_news(self, notice: Notice) -> bool:
        """Whether this was not told of the same run before: a run and who watches over it may see the same thing."""
        key = (notice.occasion, notice.run_id, notice.values.get("target", ""))
        with self._lock:
            if notice.run_id and key in self._told:
                return False
            self._told.append(key)
        return True

    def _wanting(self, occasion: Occasion, *, recovered: bool) -> list[Channel]:
        doubled = recovered and occasion is Occasion.SUCCESS
        message = occasion in ALWAYS or (occasion in self._on and not doubled)
        return [each for each in self._channels.values() if (occasion in PINGS if each.is_ping else message)]

    def _store(self, notice: Notice, channels: Iterable[Channel]) -> int:
        now = self._now()
        stored = 0
        for channel in channels:
            if channel.is_ping:
                title, body = ping_text(notice, self._language)
            else:
                title, body = worded(notice, self._language, self._zone)
            delivery = Delivery(
                delivery_id=uuid4().hex,
                channel=channel.name,
                occasion=notice.occasion,
                app=notice.app,
                created_at=now,
                title=title,
                body=body,
                run_id=notice.run_id,
                next_at=now + timedelta(seconds=_OWN_S),
            )
            self._deliveries.add(delivery)
            stored += 1
            with self._lock:
                self._fresh[delivery.delivery_id] = delivery
        return stored

    # --- bringing ----------------------------------------------------------------------------------

    def work(self, stop: CancelToken, *, failed: Callable[[HoldfastError], None] = lambda _error: None) -> None:
        """Sends what is due until it is stopped; to be run in a thread of its own.

        Args:
            stop: ends it; what is on its way is left to the deadline of its attempt.
            failed: told when the catalog cannot be reached; the next round tries again.
        """
        while not stop.cancelled:
            try:
                self.step()
            except HoldfastError as error:
                failed(error)
            stop.wait(_POLL_S)

    def flush(self, deadline_s: float) -> bool:
        """Sends what was accepted here and what is due, for a command that is about to end.

        Args:
            deadline_s: after so long it comes back, whatever is still on its way.

        Returns:
            Whether nothing is left of it. What is left is repeated by the next command or by the server.
        """
        ends = self._clock.monotonic() + deadline_s
        for thread in self.step():
            thread.join(max(0.0, ends - self._clock.monotonic()))
        with self._lock:
            return not self._fresh and not self._busy

    def step(self) -> list[threading.Thread]:
        """Begins to send what is due: one thread for each channel, so that none waits for another.

        A channel whose last round is still going on is left alone.
        """
        threads: list[threading.Thread] = []
        with self._stepping:
            waiting = self._taken()
            for name in dict.fromkeys(delivery.channel for delivery in waiting):
                mine = [delivery for delivery in waiting if delivery.channel == name]
                threads.append(threading.Thread(target=self._round, args=(name, mine), daemon=True))
                with self._lock:
                    self._busy.add(name)
                threads[-1].start()
        return threads

    def _taken(self) -> list[Delivery]:
        """What is to be sent now. If this process dies here, all of it is due again after a while."""
        now = self._now()
        with self._lock:
            found = {key: each for key, each in self._fresh.items() if each.channel not in self._busy}
            self._fresh = {key: each for key, each in self._fresh.items() if key not in found}
            busy = set(self._busy)
        due = self._deliveries.take_due(now, _BATCH, hold_s=_HOLD_S)
        found |= {each.delivery_id: each for each in due if each.channel not in busy}
        with self._lock:
            self._fresh |= {each.delivery_id: each for each in due if each.channel in busy}
        self._forget(now)
        return sorted(found.values(), key=lambda delivery: delivery.created_at)

    def _forget(self, now: datetime) -> None:
        if self._forgotten_at is None or now - self._forgotten_at >= timedelta(days=1):
            self._forgotten_at = now
            self._deliveries.forget_older(now - timedelta(seconds=KEPT_S))

    def _round(self, name: str, deliveries: Sequence[Delivery]) -> None:
        """Stops at the first that does not get through: those behind it would not either."""
        try:
            # What the catalog does not take now stays put off in it, and is sent again.
            with suppress(HoldfastError):
                for delivery in deliveries:
                    if not self._brought(name, delivery):
                        break
        finally:
            with self._lock:
                self._busy.discard(name)

    def _brought(self, name: str, delivery: Delivery) -> bool:
        channel = self._channels.get(name)
        if channel is None:
            self._end(delivery, "no-channel")
            return True
        if channel.is_ping and delivery.attempts and self._overtaken(delivery):
            self._end(delivery, "overtaken")
            return True
        tried = msgspec.structs.replace(delivery, attempts=delivery.attempts + 1)
        try:
            self._send(channel, tried)
        except DeliveryFailed as error:
            self._failed(tried, error)
            return False
        self._deliveries.save(
            msgspec.structs.replace(
                tried, state=DeliveryState.DELIVERED, delivered_at=self._now(), next_at=None, error=""
            )
        )
        return True

    def _send(self, channel: Channel, delivery: Delivery) -> None:
        try:
            channel.send(
                delivery.title,
                delivery.body,
                occasion=delivery.occasion,
                run_id=delivery.run_id,
                deadline_s=DEADLINE_S,
            )
        except HoldfastError:
            raise
        except Exception as error:  # a defect of one channel must not silence the others
            raise DeliveryFailed(channel=channel.name, reason=type(error).__name__) from error

    def _failed(self, delivery: Delivery, error: DeliveryFailed) -> None:
        """Puts it off, or gives it up: at once if it is refused, or if it is about a start, which is over by then."""
        word = str(error.context.get("reason", ""))
        now = self._now()
        age_s = (now - delivery.created_at).total_seconds()
        wait_s = _wait_s(delivery.attempts)
        if not error.transient or delivery.occasion is Occasion.STARTED or age_s + wait_s > GIVE_UP_S:
            self._end(delivery, word)
            return
        next_at = now + timedelta(seconds=wait_s)
        self._deliveries.save(msgspec.structs.replace(delivery, next_at=next_at, error=word))

    def _end(self, delivery: Delivery, word: str) -> None:
        """Gives it up, and tells the other channels."""
        ended = msgspec.structs.replace(delivery, state=DeliveryState.GIVEN_UP, next_at=None, error=word)
        self._deliveries.save(ended)
        if delivery.occasion in (Occasion.STARTED, Occasion.DELIVERY_FAILED, Occasion.TEST) or word in _NO_FAILURE:
            return
        values = {"channel": delivery.channel, "reason": word}
        notice = Notice(occasion=Occasion.DELIVERY_FAILED, app=self._app, at=self._now(), values=values)
        others = [each for each in self._channels.values() if each.name != delivery.channel and not each.is_ping]
        self._store(notice, others)

    def _overtaken(self, delivery: Delivery) -> bool:
        """Whether a later ping went, or is about to go, the same way: an old one would tell of a state that is past."""
        return any(
            each.channel == delivery.channel
            and each.created_at > delivery.created_at
            and each.state is not DeliveryState.GIVEN_UP
            for each in self._deliveries.find((), _BATCH)
        )

    def _now(self) -> datetime:
        return self._clock.now().at().astimezone(UTC)


def _wait_s(attempts: int) -> int:
    """How long to wait after so many attempts."""
    return BACK_OFF_S[min(max(attempts, 1), len(BACK_OFF_S)) - 1]
