"""Where a database server is: URLs as applications write them, options beside them, and what people may see."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import msgspec

from holdfast.errors import ConfigInvalid, NameRefused
from holdfast.runtime.secret import Secret


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """One database on one server.

    Attributes:
        host: name, address, or a path: the folder of PostgreSQL's socket, the socket of MySQL. Empty for the default.
        port: 0 for the default.
        parameters: what else the URL says.
    """

    host: str = ""
    port: int = 0
    user: str = ""
    database: str = ""
    password: Secret | None = None
    parameters: dict[str, str] = {}

    def with_database(self, database: str) -> Address:
        """Another database of the same server."""
        return msgspec.structs.replace(self, database=database)

    def shown(self, scheme: str) -> str:
        """The URL, without password and parameters, for people."""
        host = quote(self.host, safe=":") if self.host.startswith("/") else self.host
        if ":" in host:
            host = f"[{host}]"
        user = f"{quote(self.user, safe='')}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        return f"{scheme}://{user}{host}{port}/{quote(self.database, safe='')}"


def parse_url(url: Secret, schemes: Sequence[str]) -> Address:
    """Reads a URL such as `postgresql+psycopg://user:password@host:port/database?name=value`.

    Raises:
        ValueError: it is none; the reason never holds the URL, which may hold a password.
    """
    try:
        parts = urlsplit(url.reveal().decode())
        port = parts.port or 0
        parameters = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except (ValueError, UnicodeDecodeError):
        # The text of these errors quotes what it could not read, and that may be a part of a password.
        raise ValueError("the URL cannot be read; special characters in a password are written as %XX") from None
    if parts.scheme.partition("+")[0] not in schemes:
        raise ValueError(f"the URL does not begin with {schemes[0]}://")
    if parts.fragment:
        raise ValueError("the URL has a #; a # in a password is written as %23")
    password = None if parts.password is None else Secret(unquote(parts.password).encode())
    return Address(
        # `hostname` is lower case, which the path of a socket must not become.
        host=unquote(_host(parts.netloc)),
        port=port,
        user=unquote(parts.username or ""),
        database=unquote(parts.path.removeprefix("/")),
        password=password,
        parameters=parameters,
    )


def merged(url: Address | None, own: Address, source: str) -> Address:
    """An address from a URL and the options beside it, which win.

    Raises:
        ConfigInvalid: no database is named.
        NameRefused: a name holds a NUL byte, which no server and no program takes.
    """
    url = url or Address()
    whole = Address(
        host=own.host or url.host,
        port=own.port or url.port,
        user=own.user or url.user,
        database=own.database or url.database,
        password=url.password if own.password is None else own.password,
        parameters={**url.parameters, **own.parameters},
    )
    if not whole.database:
        raise config_invalid(source, "database", "no database is named")
    for name in (whole.host, whole.user, whole.database, *whole.parameters.values()):
        if "\0" in name:
            raise NameRefused(source=source, name=name)
    return whole


def config_invalid(source: str, key: str, reason: str) -> ConfigInvalid:
    """What is wrong with an option of a source."""
    return ConfigInvalid(path="holdfast.toml", line=0, key=f"sources.{source}.{key}", reason=reason)


def _host(netloc: str) -> str:
    place = netloc.rpartition("@")[2]
    if place.startswith("["):
        return place[1:].partition("]")[0]
    return place.partition(":")[0]
