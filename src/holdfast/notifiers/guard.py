"""Where messages may go: public addresses, and what the operator allowed by name.

Whoever can write a URL into a form, or answer for a name in DNS, must not be able to make this machine talk to itself,
to its network, or to the metadata service of its cloud. So a name is looked up once, every address it leads to is
judged, and the connection goes to an address that was judged.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit

from holdfast.errors import DestinationRefused
from holdfast.runtime.translation import N_

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]
"""From a host name and a port to addresses. Raises OSError if there are none."""

NOT_FOUND = N_("the name cannot be looked up")
PORTS = {"http": 80, "https": 443}

_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\Z")
# WHATWG: a host whose last label is a number is an IPv4 address, in whatever notation.
_NUMBER = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\Z")
_SAFE = "/?%:@!$&'()*+,;=~[]-._"
_BAD = re.compile(r"[\x00-\x20\x7f-\xa0\\^`{|}<>\"]")
# Written out, as the library's own tables differ from one version of Python to the next.
_SPECIAL = [
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
        # Teredo, ORCHID and other uses that carry or stand for something else; 6to4; documentation.
        "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
    )
]  # fmt: skip
_UNICAST_V6 = ipaddress.IPv6Network("2000::/3")


class Destination(NamedTuple):
    """A URL taken apart, with the one address to connect to.

    Attributes:
        host: in ASCII, for the header and the certificate.
        address: numeric.
        target: path and query.
        user: and `password`, decoded; empty if the URL has none.
    """

    scheme: str
    host: str
    port: int
    address: str
    target: str
    user: str
    password: str


def system_resolve(host: str, port: int) -> list[str]:
    """Asks this system's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(row[4][0]) for row in found))


class Guard:
    """Judges URLs and addresses.

    Args:
        allow: addresses, networks and host names that may be connected to although they are not public.
        resolve: looks names up.
    """

    def __init__(self, allow: Sequence[str] = (), *, resolve: Resolve = system_resolve) -> None:
        self._networks = [network for network in map(_network, allow) if network is not None]
        self._names = frozenset(_ascii(text) for text in allow if _network(text) is None)
        self._resolve = resolve

    def destination(self, url: str) -> Destination:
        """Takes a URL apart and decides where to connect.

        Raises:
            DestinationRefused: it leads where no message may go, or nobody can say where it leads.
        """
        parts = _split(url)
        host, port = _host(parts), _port(parts)
        addresses = self.addresses(host, port)
        return Destination(
            scheme=parts.scheme.lower(),
            host=host,
            port=port,
            address=addresses[0],
            target=quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_SAFE),
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
        )

    def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of a host, after each of them was judged.

        Raises:
            DestinationRefused: one of them is not allowed, or there is none.
        """
        try:
            found = [str(ipaddress.ip_address(host))]
        except ValueError:
            found = self._looked_up(host, port)
        # SAFETY: one private address among public ones is how a name is turned against its user.
        if host not in self._names:
            for address in found:
                self.judge(address, host)
        return found

    def judge(self, address: str, host: str = "") -> None:
        """Refuses an address that is neither public nor allowed.

        Raises:
            DestinationRefused: it is not to be connected to.
        """
        try:
            numeric = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            raise DestinationRefused(host=host or address, reason="it is not a numeric address") from None
        allowed = any(numeric.version == network.version and numeric in network for network in self._networks)
        if not allowed and not is_public(numeric):
            raise DestinationRefused(host=host or address, reason="its address is not a public one")

    def allowed_addresses(self, host: str) -> list[str]:
        """The addresses a host has now, if the operator allowed it by name; else none."""
        name = _ascii(host)
        return self._looked_up(name, 0) if name in self._names else []

    @property
    def networks(self) -> list[str]:
        """What is allowed by number."""
        return [str(network) for network in self._networks]

    def _looked_up(self, host: str, port: int) -> list[str]:
        try:
            found = list(self._resolve(host, port))
        except (OSError, UnicodeError):
            found = []
        if not found:
            # SAFETY: a lookup that failed here may succeed, with another answer, where somebody looks again.
            raise DestinationRefused(host=host, reason=NOT_FOUND)
        return found


def is_public(address: Address) -> bool:
    """Whether an address is one of the open internet: not this machine, not a private network, not a special use.

    IPv6 that carries IPv4 inside, mapped, compatible, translated or tunnelled, never is.
    """
    if isinstance(address, ipaddress.IPv6Address) and address not in _UNICAST_V6:
        return False
    return address.is_global and not any(address in network for network in _SPECIAL)


def _split(url: str) -> SplitResult:
    if _BAD.search(url):
        raise DestinationRefused(host="", reason="the URL has characters that do not belong into one")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise DestinationRefused(host="", reason="this is not a URL") from None
    if parts.scheme.lower() not in PORTS:
        raise DestinationRefused(host=parts.hostname or "", reason="only http and https are spoken")
    return parts


def _host(parts: SplitResult) -> str:
    host = _ascii(parts.hostname or "")
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError:
            raise DestinationRefused(host=host, reason="this is not a host") from None
    if not _HOST.match(host):
        raise DestinationRefused(host=parts.hostname or "", reason="this is not a host")
    if _NUMBER.match(host.rpartition(".")[2]):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise DestinationRefused(host=host, reason="write the address as four numbers") from None
    return host


def _port(parts: SplitResult) -> int:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise DestinationRefused(host=parts.hostname or "", reason="this is not a port")
    return port or PORTS[parts.scheme.lower()]


def _ascii(host: str) -> str:
    """The host in the form in which it is looked up: lower case, IDNA, without the dot of the root."""
    name = host.lower().removesuffix(".")
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError:
        return ""


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text.strip("[]"), strict=False)
    except ValueError:
        return None
