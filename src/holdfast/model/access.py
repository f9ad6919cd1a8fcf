"""Who may do what, and what was done: tokens and the audit log."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec


class Scope(StrEnum):
    """What a token is for. Each includes `read`; `admin` includes all."""

    READ = "read"
    BACKUP = "backup"
    RESTORE = "restore"
    ADMIN = "admin"


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token without its secret, which is shown once and kept nowhere.

    Attributes:
        token_id: public; the first part of the secret, by which it is looked up.
        name: what people call it.
        last_used_at: to the minute.
    """

    token_id: str
    name: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    def allows(self, scope: Scope) -> bool:
        """Whether it is good for something, leaving time aside."""
        return scope in self.scopes or Scope.ADMIN in self.scopes or (scope is Scope.READ and bool(self.scopes))

    def valid_at(self, moment: datetime) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or moment < self.expires_at)


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody did something. Holds no secret.

    Attributes:
        number: 1, 2, 3, … without gaps.
        actor: a token's id, `user:<name>` on this machine, `scheduler`, or `anonymous`.
        action: such as `backup.create`, `token.revoke`, `backup.download`.
        subject: what it was done to, such as a backup's id.
        outcome: `done`, `refused` or `failed`, with an error's code as `failed:<code>`.
        address: where the request came from; empty on this machine.
        chain: hexadecimal MAC over this entry and the chain value of the one before.
    """

    number: int
    at: datetime
    actor: str
    action: str
    subject: str = ""
    outcome: str = "done"
    address: str = ""
    detail: dict[str, str] = {}
    chain: str = ""


class AuditVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether an audit log is what was written. `first_bad` is the number of the first entry that is not; 0 for none.

    Attributes:
        head: chain value of the last entry, to be kept elsewhere.
        reason: what is wrong, a word: `edited`, `missing`, `reordered`, `cut`; empty if nothing is.
    """

    entries: int
    head: str
    first_bad: int = 0
    reason: str = ""

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.first_bad
