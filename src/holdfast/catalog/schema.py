"""The tables of a catalog. What makes them is in `migrations`; a test holds both to the same."""

from __future__ import annotations

import sqlalchemy as sa

from holdfast.catalog.columns import Document, Line, Moment

# One prefix for all, so that a catalog can share a PostgreSQL database with other programs.
PREFIX = "holdfast_"
VERSION_TABLE = PREFIX + "version"

metadata = sa.MetaData()


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, Line(), nullable=False)


def _moment(name: str, *, optional: bool = True) -> sa.Column[object]:
    return sa.Column(name, Moment(), nullable=optional)


facts = sa.Table(PREFIX + "facts", metadata, sa.Column("name", Line(), primary_key=True), _text("value"))

runs = sa.Table(
    PREFIX + "runs",
    metadata,
    sa.Column("run_id", Line(), primary_key=True),
    _text("app"),
    _text("operation"),
    _text("trigger"),
    _text("state"),
    _moment("created_at", optional=False),
    _text("type"),
    _text("policy"),
    _text("actor"),
    sa.Column("attempt", sa.Integer(), nullable=False),
    _moment("due_at"),
    _moment("not_before"),
    _moment("started_at"),
    _moment("finished_at"),
    _moment("heartbeat_at"),
    _text("holder"),
    _text("backup_id"),
    sa.Column("content_bytes", sa.BigInteger(), nullable=False),
    sa.Column("stored_bytes", sa.BigInteger(), nullable=False),
    sa.Column("seconds", Document(), nullable=False),
    sa.Column("request", Document(), nullable=False),
    sa.Column("report", Document(), nullable=False),
    sa.Column("error", Document(), nullable=True),
    # INVARIANT: a policy's moment is run once. Runs that were asked for have no due_at, and nothing equals NULL.
    sa.UniqueConstraint("app", "policy", "due_at", "attempt", name=PREFIX + "runs_due"),
    sa.Index(PREFIX + "runs_newest", "app", "created_at", "run_id"),
    sa.Index(PREFIX + "runs_state", "app", "state"),
    sa.Index(PREFIX + "runs_backup", "app", "backup_id"),
)

leases = sa.Table(
    PREFIX + "leases",
    metadata,
    sa.Column("name", Line(), primary_key=True),
    _text("holder"),
    sa.Column("fence", sa.BigInteger(), nullable=False),
    _moment("expires_at", optional=False),
)

settings = sa.Table(
    PREFIX + "settings",
    metadata,
    sa.Column("key", Line(), primary_key=True),
    sa.Column("value", Document(), nullable=False),
)

tokens = sa.Table(
    PREFIX + "tokens",
    metadata,
    sa.Column("token_id", Line(), primary_key=True),
    _text("name"),
    sa.Column("scopes", Document(), nullable=False),
    _text("digest"),
    _moment("created_at", optional=False),
    _moment("expires_at"),
    _moment("revoked_at"),
    _moment("last_used_at"),
)

audit = sa.Table(
    PREFIX + "audit",
    metadata,
    sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
    _moment("at", optional=False),
    _text("actor"),
    _text("action"),
    _text("subject"),
    _text("outcome"),
    _text("address"),
    sa.Column("detail", Document(), nullable=False),
    _text("chain"),
)

audit_head = sa.Table(
    PREFIX + "audit_head",
    metadata,
    sa.Column("one", sa.Integer(), primary_key=True, autoincrement=False),
    sa.Column("entries", sa.BigInteger(), nullable=False),
    _text("chain"),
    _text("mac"),
)

deliveries = sa.Table(
    PREFIX + "deliveries",
    metadata,
    sa.Column("delivery_id", Line(), primary_key=True),
    _text("channel"),
    _text("occasion"),
    _text("app"),
    _moment("created_at", optional=False),
    _text("title"),
    _text("body"),
    _text("run_id"),
    _text("state"),
    sa.Column("attempts", sa.Integer(), nullable=False),
    _moment("next_at"),
    _moment("delivered_at"),
    _text("error"),
    sa.Index(PREFIX + "deliveries_next", "state", "next_at"),
    sa.Index(PREFIX + "deliveries_newest", "created_at", "delivery_id"),
)

copies = sa.Table(
    PREFIX + "copies",
    metadata,
    sa.Column("app", Line(), primary_key=True),
    sa.Column("backup_id", Line(), primary_key=True),
    sa.Column("target", Line(), primary_key=True),
    _text("type"),
    _moment("created_at", optional=False),
    sa.Column("stored_bytes", sa.BigInteger(), nullable=False),
    sa.Column("held", sa.Boolean(), nullable=False),
    sa.Column("damaged", sa.Boolean(), nullable=False),
    _moment("seen_at", optional=False),
    _text("digest"),
    _text("backup"),
    # The first two let a page be read in order, the third holds all that the totals add up.
    sa.Index(PREFIX + "copies_newest", "app", "created_at", "backup_id"),
    sa.Index(PREFIX + "copies_type", "app", "type", "created_at", "backup_id"),
    sa.Index(PREFIX + "copies_totals", "app", "backup_id", "type", "created_at", "stored_bytes", "held", "damaged"),
    sa.Index(PREFIX + "copies_target", "app", "target", "backup_id", "digest", "seen_at"),
)

# What `Copies.totals` added up last; not there once a copy has changed since.
totals = sa.Table(
    PREFIX + "totals",
    metadata,
    sa.Column("app", Line(), primary_key=True),
    sa.Column("totals", Document(), nullable=False),
)

listings = sa.Table(
    PREFIX + "listings",
    metadata,
    sa.Column("app", Line(), primary_key=True),
    sa.Column("target", Line(), primary_key=True),
    _moment("refreshed_at", optional=False),
)
