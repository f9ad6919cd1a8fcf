"""Sends one message through apprise, in a process of its own: `python -m holdfast.notifiers.apprise_child`.

The library speaks to a hundred and more services, each with code of its own that opens connections. None of that is
trusted to go only where it may: here, every connection of the whole process is judged at the moment it is made, by its
numeric address. Redirects, names that change their address, and hosts hidden in URLs all end at the same gate.

Reads one JSON document from standard input, which is the only way the URL, a secret, gets here. Writes one word.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Sequence
from typing import Any, cast

from holdfast.errors import DestinationRefused
from holdfast.notifiers.guard import Guard

DELIVERED, FAILED, REFUSED, UNKNOWN, MISSING = "delivered", "failed", "refused", "unknown", "missing"

_CONNECTING = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_STARTING = frozenset(
    {"subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.fork", "pty.spawn"}
)


class Gate:
    """Judges what this process does. Once it is closed it cannot be opened again.

    Attributes:
        refusals: how many connections were refused.
    """

    def __init__(self, allow: Sequence[str]) -> None:
        self._guard = Guard(allow)
        self.refusals = 0

    def close(self) -> None:
        """SAFETY: an audit hook sees every connection of every library, and nothing in the process can remove it."""
        sys.addaudithook(self._judge)

    def _judge(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _STARTING:
            raise PermissionError("a message starts no programs")
        if event not in _CONNECTING or arguments[1] is None:
            return
        address = cast("tuple[object, ...]", arguments[1])
        # Anything but a pair of numeric address and port, such as the path of a local socket, is judged as no address.
        numeric = str(address[0]) if isinstance(arguments[1], tuple) and address else ""
        try:
            self._guard.judge(numeric)
        except DestinationRefused:
            self.refusals += 1
            raise PermissionError("this address is not public and not allowed") from None


def main() -> int:
    """Sends what standard input says."""
    order: dict[str, Any] = json.loads(sys.stdin.buffer.read())
    # Whatever happens to the parent, this process ends.
    signal.alarm(max(1, int(order["deadline_s"])))
    sys.stdout.write(_sent(order))
    return 0


def _sent(order: dict[str, Any]) -> str:
    try:
        import apprise
    except ImportError:
        return MISSING
    gate = Gate(order["allow"])
    gate.close()
    asset = apprise.AppriseAsset(http_redirects=False, async_mode=False, secure_logging=True)
    library: Any = apprise.Apprise
    service = library.instantiate(order["url"], asset=asset)
    if service is None:
        return UNKNOWN
    # A URL may ask for what we do not want: redirects, formatting of what a name contains, bodies that are not cut.
    service.redirects = False
    service.notify_format = apprise.NotifyFormat.TEXT
    service.overflow_mode = apprise.OverflowMode.TRUNCATE
    service.socket_connect_timeout = service.socket_read_timeout = float(order["deadline_s"])
    sender = library(asset=asset)
    sender.add(service)
    sent = sender.notify(
        title=order["title"],
        body=order["body"],
        notify_type=apprise.NotifyType(order["kind"]),
        body_format=apprise.NotifyFormat.TEXT,
        interpret_escapes=False,
    )
    if gate.refusals:
        return REFUSED
    return DELIVERED if sent else FAILED


if __name__ == "__main__":
    sys.exit(main())
