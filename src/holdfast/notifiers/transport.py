"""One HTTP request to a place nobody here controls: a judged address, no redirects, a deadline, and nothing read.

The answer's status is all that comes back. What a receiver says is never shown, logged or kept.
"""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping

from holdfast.errors import DeliveryFailed, DeliveryRefused, DestinationRefused, Phrase
from holdfast.notifiers.guard import NOT_FOUND, Destination, Guard
from holdfast.runtime.translation import N_

MAX_S = 10.0
"""How long one request may take at most, whatever its caller grants."""

ANSWERED = N_("it answered with status {status}")
LATE = N_("it did not answer in time")
NOT_ALLOWED = N_("its address is neither public nor allowed")

_AGAIN = frozenset({408, 425, 429})


class _Connection(http.client.HTTPConnection):
    """Speaks over a socket that is already connected."""

    def __init__(self, destination: Destination, connected: socket.socket) -> None:
        super().__init__(destination.host, destination.port)
        self.sock = connected

    def connect(self) -> None:
        """SAFETY: only the socket it was given goes to an address that was judged."""
        raise OSError("the connection was closed")


class Transport:
    """Posts to URLs.

    Args:
        guard: judges where they lead.
        trust: which certificates count; by default those the system trusts.
    """

    def __init__(self, guard: Guard, *, trust: Callable[[], ssl.SSLContext] = ssl.create_default_context) -> None:
        self._guard = guard
        self._trust = trust

    def post(self, channel: str, url: str, body: bytes, headers: Mapping[str, str], *, deadline_s: float) -> None:
        """Posts a body and wants a status of 200 to 299.

        Args:
            channel: for errors; never the URL.
            url: where to.
            body: what.
            headers: of ours; `Authorization` comes from the URL.
            deadline_s: for everything together, the lookup of the name included.

        Raises:
            DeliveryFailed: not this time.
            DeliveryRefused: not like this: a status that will not change, a redirect, an address that is refused.
        """
        ends = time.monotonic() + min(deadline_s, MAX_S)
        destination = self._looked_up(channel, url, min(deadline_s, MAX_S))
        try:
            status = self._status(destination, body, headers, ends)
        except ssl.SSLCertVerificationError:
            raise DeliveryFailed(channel=channel, reason="its certificate is not trusted") from None
        except TimeoutError:
            raise DeliveryFailed(channel=channel, reason=LATE) from None
        except (OSError, http.client.HTTPException, ValueError):
            late = time.monotonic() >= ends
            raise DeliveryFailed(channel=channel, reason=LATE if late else "it cannot be reached") from None
        if 200 <= status < 300:
            return
        reason = Phrase(ANSWERED, {"status": status})
        if status >= 500 or status in _AGAIN:
            raise DeliveryFailed(channel=channel, reason=reason)
        raise DeliveryRefused(channel=channel, reason=reason)

    def _looked_up(self, channel: str, url: str, deadline_s: float) -> Destination:
        """The lookup in a thread: the resolver of the system takes the time it wants."""
        answer: list[Destination | DestinationRefused] = []

        def look() -> None:
            try:
                answer.append(self._guard.destination(url))
            except DestinationRefused as error:
                answer.append(error)

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        thread.join(deadline_s)
        if not answer:
            raise DeliveryFailed(channel=channel, reason=LATE)
        found = answer[0]
        if isinstance(found, DestinationRefused):
            # A name that nobody could look up may be there again in a minute; an address that is refused stays so.
            if found.context.get("reason") == NOT_FOUND:
                raise DeliveryFailed(channel=channel, reason=NOT_FOUND) from found
            raise DeliveryRefused(channel=channel, reason=NOT_ALLOWED) from found
        return found

    def _status(self, destination: Destination, body: bytes, headers: Mapping[str, str], ends: float) -> int:
        family = socket.AF_INET6 if ":" in destination.address else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as plain:
            plain.settimeout(_left(ends))
            plain.connect((destination.address, destination.port))
            # A receiver that sends a byte now and then never runs into a timeout: the whole is cut off at its end.
            with _Cut(plain, _left(ends)), self._wrapped(plain, destination) as connected:
                connection = _Connection(destination, connected)
                connection.request("POST", destination.target, body, {**headers, **_authorization(destination)})
                with connection.getresponse() as response:
                    # An answer that was cut off in the middle of its first line reads like a short one.
                    _left(ends)
                    return response.status

    def _wrapped(self, plain: socket.socket, destination: Destination) -> socket.socket:
        if destination.scheme == "http":
            return plain.dup()
        return self._trust().wrap_socket(plain, server_hostname=destination.host)


class _Cut:
    """Shuts a connection down after a time, through a descriptor of its own."""

    def __init__(self, connected: socket.socket, seconds: float) -> None:
        self._own = connected.dup()
        self._timer = threading.Timer(seconds, self._shut)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_error: object) -> None:
        self._timer.cancel()
        self._timer.join()
        self._own.close()

    def _shut(self) -> None:
        try:
            self._own.shutdown(socket.SHUT_RDWR)
        except OSError:
            # It is closed already, which is all that is wanted.
            return


def _left(ends: float) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _authorization(destination: Destination) -> dict[str, str]:
    if not destination.user and not destination.password:
        return {}
    pair = f"{destination.user}:{destination.password}".encode()
    return {"Authorization": "Basic " + base64.b64encode(pair).decode("ascii")}
