"""Tokens: who may talk to the server. What is kept of one opens nothing."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec
import sqlalchemy as sa

from holdfast.catalog.columns import micros, plain
from holdfast.catalog.schema import tokens
from holdfast.catalog.storage import Storage
from holdfast.errors import CatalogUnavailable
from holdfast.model.access import Scope, Token
from holdfast.runtime.randomness import RandomBytes, random_bytes

_SECRET = re.compile(r"hf_([0-9a-f]{12})_[A-Za-z0-9_-]{43}\Z")
_ID_BYTES = 6
_SECRET_BYTES = 32
_NOBODY = Token(token_id="", name="", scopes=(), created_at=datetime.min.replace(tzinfo=UTC))
_TOUCH_AFTER = timedelta(minutes=1)
_SHOWN = [column for column in tokens.c if column.name != "digest"]


class Tokens:
    """The tokens of a catalog.

    SAFETY: the database holds HMACs under a key that is kept elsewhere, so that who reads the database, or writes to
    it, cannot make a token or give one more scopes or a longer life.
    """

    def __init__(self, storage: Storage, key: bytes, *, random: RandomBytes = random_bytes) -> None:
        self._storage = storage
        self._pepper = hmac.digest(key, b"holdfast tokens 1", "sha256")
        self._random = random
        self._of_nobody = self._digest("", _NOBODY)

    def create(
        self, name: str, scopes: Iterable[Scope], *, expires_at: datetime | None, at: datetime
    ) -> tuple[Token, str]:
        """Makes a token.

        Returns:
            The token, and its secret, which cannot be had again: `hf_<12 hexadecimal digits>_<43 characters>`.
        """
        token_id = self._random(_ID_BYTES).hex()
        secret = f"hf_{token_id}_{base64.urlsafe_b64encode(self._random(_SECRET_BYTES)).decode().rstrip('=')}"
        ordered = tuple(scope for scope in Scope if scope in frozenset(scopes))
        token = Token(token_id=token_id, name=name, scopes=ordered, created_at=at, expires_at=expires_at)
        with self._storage.write() as connection:
            connection.execute(
                sa.insert(tokens).values(**msgspec.structs.asdict(token), digest=self._digest(secret, token))
            )
        return token, secret

    def authenticate(self, secret: str, at: datetime) -> Token | None:
        """The valid token that a secret belongs to; None for everything else, after the same work.

        Notes when the token was used, to the minute; where that cannot be written, it is valid nevertheless.
        """
        match = _SECRET.match(secret)
        row = self._row(match.group(1)) if match else None
        token = _token(row) if row is not None else _NOBODY
        expected = str(row["digest"]) if row is not None else self._of_nobody
        # SAFETY: always one comparison of 64 digits, whether there is such a token or not.
        same = hmac.compare_digest(self._digest(secret, token).encode(), expected.encode())
        if row is None or not same or not token.valid_at(at):
            return None
        return self._touched(token, at)

    def list(self) -> list[Token]:
        """All tokens, oldest first, revoked and expired ones too."""
        with self._storage.read() as connection:
            rows = connection.execute(sa.select(*_SHOWN).order_by(tokens.c.created_at, tokens.c.token_id)).mappings()
            return [_token(row) for row in rows]

    def revoke(self, token_id: str, at: datetime) -> bool:
        """Makes a token worthless at once, for ever; False if there is no such token or it was revoked before."""
        standing = (tokens.c.token_id == token_id, tokens.c.revoked_at.is_(None))
        statement = sa.update(tokens).where(*standing).values(revoked_at=at).returning(tokens.c.token_id)
        with self._storage.write() as connection:
            return connection.execute(statement).first() is not None

    def count_valid(self, at: datetime) -> int:
        """How many tokens are good at a moment."""
        lasting = sa.or_(tokens.c.expires_at.is_(None), tokens.c.expires_at > at)
        statement = sa.select(sa.func.count()).select_from(tokens).where(tokens.c.revoked_at.is_(None), lasting)
        with self._storage.read() as connection:
            return connection.execute(statement).scalar_one()

    def _row(self, token_id: str) -> sa.RowMapping | None:
        with self._storage.read() as connection:
            return connection.execute(sa.select(tokens).where(tokens.c.token_id == token_id)).mappings().first()

    def _touched(self, token: Token, at: datetime) -> Token:
        if token.last_used_at is not None and abs(at - token.last_used_at) < _TOUCH_AFTER:
            return token
        statement = sa.update(tokens).where(tokens.c.token_id == token.token_id).values(last_used_at=at)
        try:
            with self._storage.write() as connection:
                connection.execute(statement)
        except CatalogUnavailable:
            # A full disk must not lock out the people who come to make room.
            return token
        return msgspec.structs.replace(token, last_used_at=at)

    def _digest(self, secret: str, token: Token) -> str:
        # What a token is good for is part of it, so that who can write to the database cannot give it more.
        until = "" if token.expires_at is None else str(micros(token.expires_at))
        parts = (secret, token.token_id, ",".join(token.scopes), until)
        return hmac.digest(self._pepper, "\0".join(parts).encode("utf-8", "replace"), "sha256").hex()


def _token(row: sa.RowMapping) -> Token:
    return msgspec.convert({name: value for name, value in plain(row).items() if name != "digest"}, Token)
