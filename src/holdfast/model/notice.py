"""What people are told, and whether it reached them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec


class Occasion(StrEnum):
    """What happened that somebody may want to hear of."""

    STARTED = "started"
    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"
    OVERDUE = "overdue"
    RECOVERED = "recovered"
    LOW_SPACE = "low-space"
    SHRUNK = "shrunk"
    GROWN = "grown"
    REFUSED = "refused"
    DAMAGE = "damage"
    RESTORED = "restored"
    DRILL_FAILED = "drill-failed"
    DELIVERY_FAILED = "delivery-failed"
    REPORT = "report"
    TEST = "test"


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell, before it is put into words.

    Attributes:
        subject: what it is about: a backup's id, a source, a target; may be empty.
        values: what the words need, as texts; no secret.
        code, context: of the error, where there is one; see `RunError`.
        run_id: of the run it is about; empty if there is none.
    """

    occasion: Occasion
    app: str
    at: datetime
    subject: str = ""
    run_id: str = ""
    values: dict[str, str] = {}
    code: str = ""
    message: str = ""
    hint: str = ""
    context: dict[str, str] = {}


class DeliveryState(StrEnum):
    """Where a delivery is. `given-up` after the last attempt."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given-up"


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One notice on its way to one channel.

    Attributes:
        delivery_id: 32 hexadecimal digits, random.
        channel: number of the URL in the configuration and its scheme, such as `1:tgram`; never the URL.
        title, body: as they are sent, in the language of the application.
        attempts: how often it was tried.
        next_at: when it is tried next.
        error: a word or a status; never an answer's text.
    """

    delivery_id: str
    channel: str
    occasion: Occasion
    app: str
    created_at: datetime
    title: str
    body: str
    run_id: str = ""
    state: DeliveryState = DeliveryState.WAITING
    attempts: int = 0
    next_at: datetime | None = None
    delivered_at: datetime | None = None
    error: str = ""
