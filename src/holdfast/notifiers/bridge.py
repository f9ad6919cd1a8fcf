"""Everything apprise knows, from a process that is killed when its time is over and that connects only where it may."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from urllib.parse import urlsplit

from holdfast.errors import DeliveryFailed, DeliveryRefused, DestinationRefused
from holdfast.model.notice import Occasion
from holdfast.notifiers import apprise_child
from holdfast.notifiers.guard import Guard
from holdfast.notifiers.transport import LATE, NOT_ALLOWED
from holdfast.notifiers.webhook import cut, kind_of
from holdfast.runtime.programs import small_environment
from holdfast.runtime.translation import N_

# A service that takes less cuts it further itself.
MAX_BODY_CHARS = 16_000

_REFUSED = {
    apprise_child.REFUSED: NOT_ALLOWED,
    apprise_child.UNKNOWN: N_("there is no such service, or this is no URL of it"),
    apprise_child.MISSING: N_("the library apprise is not installed"),
}


class Bridge:
    """Sends through apprise. See `holdfast.protocols.channel.Channel`."""

    is_ping = False

    def __init__(self, name: str, url: str, guard: Guard) -> None:
        self.name = name
        self._url = url
        self._guard = guard

    def send(self, title: str, body: str, *, occasion: Occasion, run_id: str, deadline_s: float) -> None:
        """Sends one message."""
        del run_id
        order = {
            "url": self._url,
            "title": title,
            "body": cut(body, MAX_BODY_CHARS),
            "kind": kind_of(occasion),
            "allow": [*self._guard.networks, *self._by_name()],
            "deadline_s": deadline_s,
        }
        word = self._run(json.dumps(order).encode(), deadline_s)
        if word in _REFUSED:
            raise DeliveryRefused(channel=self.name, reason=_REFUSED[word])
        if word != apprise_child.DELIVERED:
            raise DeliveryFailed(channel=self.name, reason="the service did not take it")

    def _by_name(self) -> list[str]:
        """Addresses of the URL's host, if the operator allowed it by name."""
        with suppress(DestinationRefused, ValueError):
            return self._guard.allowed_addresses(urlsplit(self._url).hostname or "")
        return []

    def _run(self, order: bytes, deadline_s: float) -> str:
        with subprocess.Popen(
            [sys.executable, "-P", "-m", apprise_child.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # What services answer is in there.
            stderr=subprocess.DEVNULL,
            env=small_environment({}),
            cwd="/",
            start_new_session=True,
        ) as process:
            try:
                said, _nothing = process.communicate(order, timeout=deadline_s)
            except subprocess.TimeoutExpired:
                raise DeliveryFailed(channel=self.name, reason=LATE) from None
            finally:
                process.kill()
        return said.decode("ascii", "replace")
