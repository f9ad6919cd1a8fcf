"""What `[server]` says, typed."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from holdfast.runtime.secret import Secret

HostName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]{0,252})$(?!\n)|^\[[0-9a-fA-F:.]+\]$(?!\n)",
        description="a host name such as backups.example.org, without a port",
    ),
]
WebUrl = Annotated[
    str,
    msgspec.Meta(pattern=r"^https?://[^\s/]+(/\S*)?$(?!\n)", description="a URL such as https://backups.example.org"),
]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class Server(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[server]`: how `holdfast serve` is reached, and where the catalog is.

    Attributes:
        host, port: where it listens.
        catalog: URL of the catalog, which may hold a password; None keeps a SQLite file in the state directory.
        allowed_hosts: names under which it may be asked, besides those of this machine.
        tls_cert, tls_key: files in PEM form; with them it speaks TLS.
        language: of its answers; that of the application by default.
        schedule: whether it runs what is due.
        public_url: where people reach it, for links in messages.
        trusted_proxies: addresses or networks whose word about the caller's address is believed.
    """

    host: Annotated[str, msgspec.Meta(min_length=1)] = "127.0.0.1"
    port: Port = 8321
    catalog: Secret | None = None
    allowed_hosts: tuple[HostName, ...] = ()
    tls_cert: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    tls_key: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    language: Literal["en", "fa", "ru", "tr"] | None = None
    schedule: bool = True
    public_url: WebUrl | None = None
    trusted_proxies: tuple[str, ...] = ()
