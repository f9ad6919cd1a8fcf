"""What a server was told about itself."""

from __future__ import annotations

import msgspec

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How one server answers.

    Attributes:
        language: of answers to requests that ask for none.
        allowed_hosts: names besides those of this machine's loopback under which it may be asked, without port.
        trusted_proxies: addresses or networks whose `X-Forwarded-For` is believed about where a request comes from.
        encrypted: whether it is reached over TLS only, so that browsers may be told to insist on it.
        body_bytes: what the body of a request may have; none needs more than a few hundred.
        header_bytes: what all headers together may have.
        guesses_per_minute: wrong tokens from one address that are looked at; all others are refused unseen.
    """

    language: str = "en"
    allowed_hosts: frozenset[str] = frozenset()
    trusted_proxies: tuple[str, ...] = ()
    encrypted: bool = False
    body_bytes: int = 64 * 1024
    header_bytes: int = 16 * 1024
    guesses_per_minute: int = 20
