"""A webhook: one JSON document, posted to a URL that the guard lets through.

The document has the fields that apprise's `json://` has, so that receivers written for that work, and two more.
"""

from __future__ import annotations

import json

from holdfast.model.notice import Occasion
from holdfast.notifiers.transport import Transport

MAX_BODY_CHARS = 16_000
SCHEMES = {"json": "http", "jsons": "https", "http": "http", "https": "https"}

_KIND = {
    Occasion.SUCCESS: "success",
    Occasion.RECOVERED: "success",
    Occasion.STARTED: "info",
    Occasion.REPORT: "info",
    Occasion.TEST: "info",
    Occasion.FAILURE: "failure",
    Occasion.OVERDUE: "failure",
    Occasion.DAMAGE: "failure",
    Occasion.DRILL_FAILED: "failure",
}


def kind_of(occasion: Occasion) -> str:
    """`info`, `success`, `warning` or `failure`."""
    return _KIND.get(occasion, "warning")


class Webhook:
    """Posts JSON. See `holdfast.protocols.channel.Channel`."""

    is_ping = False

    def __init__(self, name: str, url: str, transport: Transport) -> None:
        self.name = name
        scheme, colon, rest = url.partition(":")
        self._url = SCHEMES[scheme.lower()] + colon + rest
        self._transport = transport

    def send(self, title: str, body: str, *, occasion: Occasion, run_id: str, deadline_s: float) -> None:
        """Posts one document."""
        document = {
            "version": "1.0",
            "title": title,
            "message": cut(body, MAX_BODY_CHARS),
            "type": kind_of(occasion),
            "occasion": occasion.value,
            "run_id": run_id,
        }
        content = json.dumps(document, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "holdfast"}
        self._transport.post(self.name, self._url, content, headers, deadline_s=deadline_s)


def cut(text: str, limit: int) -> str:
    """The text, or its beginning with a sign that something is left out, within so many characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
