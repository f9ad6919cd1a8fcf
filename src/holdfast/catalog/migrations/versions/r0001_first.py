"""All tables of the first version."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from holdfast.catalog.migrations.guards import guard_audit

revision = "1"
down_revision = None
branch_labels = None
depends_on = None

_PREFIX = "holdfast_"


def _text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _number(name: str, *, optional: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=optional)


def _key(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), primary_key=True) for name in names]


def _index(table: str, name: str, *columns: str) -> None:
    op.create_index(f"{_PREFIX}{table}_{name}", f"{_PREFIX}{table}", list(columns))


def upgrade() -> None:
    """Makes them."""
    op.create_table(_PREFIX + "facts", *_key("name"), *_text("value"))
    op.execute("INSERT INTO holdfast_facts (name, value) VALUES ('oldest_program', '1')")
    _runs()
    op.create_table(_PREFIX + "leases", *_key("name"), *_text("holder"), _number("fence"), _number("expires_at"))
    op.create_table(_PREFIX + "settings", *_key("key"), *_text("value"))
    _access()
    _deliveries()
    _copies()
    guard_audit(op)


def downgrade() -> None:
    """There is nothing before the first version."""
    raise NotImplementedError


def _runs() -> None:
    op.create_table(
        _PREFIX + "runs",
        *_key("run_id"),
        *_text("app", "operation", "trigger", "state"),
        _number("created_at"),
        *_text("type", "policy", "actor"),
        sa.Column("attempt", sa.Integer(), nullable=False),
        *[_number(f"{name}", optional=True) for name in ("due_at", "not_before", "started_at", "finished_at")],
        _number("heartbeat_at", optional=True),
        *_text("holder", "backup_id"),
        _number("content_bytes"),
        _number("stored_bytes"),
        *_text("seconds", "request", "report"),
        sa.Column("error", sa.Text(), nullable=True),
        sa.UniqueConstraint("app", "policy", "due_at", "attempt", name=_PREFIX + "runs_due"),
    )
    _index("runs", "newest", "app", "created_at", "run_id")
    _index("runs", "state", "app", "state")
    _index("runs", "backup", "app", "backup_id")


def _access() -> None:
    op.create_table(
        _PREFIX + "tokens",
        *_key("token_id"),
        *_text("name", "scopes", "digest"),
        _number("created_at"),
        *[_number(name, optional=True) for name in ("expires_at", "revoked_at", "last_used_at")],
    )
    op.create_table(
        _PREFIX + "audit",
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        _number("at"),
        *_text("actor", "action", "subject", "outcome", "address", "detail", "chain"),
    )
    op.create_table(
        _PREFIX + "audit_head",
        sa.Column("one", sa.Integer(), primary_key=True, autoincrement=False),
        _number("entries"),
        *_text("chain", "mac"),
    )


def _deliveries() -> None:
    op.create_table(
        _PREFIX + "deliveries",
        *_key("delivery_id"),
        *_text("channel", "occasion", "app"),
        _number("created_at"),
        *_text("title", "body", "run_id", "state"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        _number("next_at", optional=True),
        _number("delivered_at", optional=True),
        *_text("error"),
    )
    _index("deliveries", "next", "state", "next_at")
    _index("deliveries", "newest", "created_at", "delivery_id")


def _copies() -> None:
    op.create_table(
        _PREFIX + "copies",
        *_key("app", "backup_id", "target"),
        *_text("type"),
        _number("created_at"),
        _number("stored_bytes"),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("damaged", sa.Boolean(), nullable=False),
        _number("seen_at"),
        *_text("digest", "backup"),
    )
    _index("copies", "newest", "app", "created_at", "backup_id")
    _index("copies", "type", "app", "type", "created_at", "backup_id")
    _index("copies", "totals", "app", "backup_id", "type", "created_at", "stored_bytes", "held", "damaged")
    _index("copies", "target", "app", "target", "backup_id", "digest", "seen_at")
    op.create_table(_PREFIX + "totals", *_key("app"), *_text("totals"))
    op.create_table(_PREFIX + "listings", *_key("app", "target"), _number("refreshed_at"))
