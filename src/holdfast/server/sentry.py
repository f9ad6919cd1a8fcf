"""Tells whose token it is, and lets nobody try many."""

from __future__ import annotations

from holdfast.catalog.tokens import Tokens
from holdfast.errors import NotAuthenticated, TooManyRequests
from holdfast.model.access import Token
from holdfast.runtime.clock import Clock, SystemClock
from holdfast.server.guesses import Guesses

_SECRET_CHARACTERS = 256


class Sentry:
    """Authenticates requests against the tokens of the catalog, at every request, so that a revoked one ends at once.

    Args:
        per_minute: wrong tokens from one address that are looked at.
    """

    def __init__(self, tokens: Tokens, *, per_minute: int = 20, clock: Clock | None = None) -> None:
        self._tokens = tokens
        self._clock = clock or SystemClock()
        self._guesses = Guesses(per_minute, self._clock)

    def token_of(self, secret: str, address: str) -> Token:
        """The token that a secret belongs to.

        Raises:
            NotAuthenticated: it belongs to none that is good.
            TooManyRequests: too many wrong ones came from there; this one was not looked at.
        """
        wait_s = self._guesses.wait_s(address, secret)
        if wait_s:
            raise TooManyRequests(seconds=wait_s)
        token = None
        if len(secret) <= _SECRET_CHARACTERS:
            token = self._tokens.authenticate(secret, self._clock.now().at())
        if token is None:
            self._guesses.wrong(address)
            raise NotAuthenticated
        self._guesses.right(secret)
        return token
