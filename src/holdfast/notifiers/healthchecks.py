"""Healthchecks: a dead man's switch hears of each start and end of a backup, and raises the alarm if it does not."""

from __future__ import annotations

import re
from urllib.parse import urlsplit
from uuid import UUID

from holdfast.model.notice import Occasion
from holdfast.notifiers.transport import Transport
from holdfast.notifiers.webhook import cut
from holdfast.notifiers.wording import FAIL, LOG, START

HOSTED = "https://hc-ping.com"
MAX_BODY_CHARS = 10_000

_PATHS = {START: "/start", FAIL: "/fail", LOG: "/log"}


def ping_url(url: str) -> str:
    """The URL of a check.

    `healthchecks://<uuid>` is one of the hosted service, `healthchecks://<uuid>@<host>` one of your own server behind
    `https`, and `hc+https://…` (or `hc+http://…`) any URL as it is.
    """
    scheme, _colon, rest = url.partition("://")
    if scheme.lower().startswith("hc+"):
        return f"{scheme[3:]}://{rest}".rstrip("/")
    parts = urlsplit(f"https://{rest}")
    if parts.username:
        return f"https://{parts.netloc.rpartition('@')[2]}/ping/{parts.username}"
    return f"{HOSTED}/{rest.strip('/')}"


class Healthchecks:
    """Pings a check. See `holdfast.protocols.channel.Channel`."""

    is_ping = True

    def __init__(self, name: str, url: str, transport: Transport) -> None:
        self.name = name
        self._url = ping_url(url)
        self._transport = transport

    def send(self, title: str, body: str, *, occasion: Occasion, run_id: str, deadline_s: float) -> None:
        """Pings: the title says which way, the body is the sentence of an error, the run's id ties start and end."""
        del occasion
        query = f"?rid={UUID(run_id)}" if re.fullmatch(r"[0-9a-f]{32}", run_id) else ""
        url = self._url + _PATHS.get(title, "") + query
        content = cut(body, MAX_BODY_CHARS).encode()
        headers = {"Content-Type": "text/plain; charset=utf-8", "User-Agent": "holdfast"}
        self._transport.post(self.name, url, content, headers, deadline_s=deadline_s)
