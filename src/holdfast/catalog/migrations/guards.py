"""Triggers that refuse to change what may only grow."""

from __future__ import annotations

from typing import Protocol

import sqlalchemy as sa

_REFUSAL = "the audit log only grows"

_SQLITE = (
    f"""CREATE TRIGGER holdfast_audit_kept BEFORE DELETE ON holdfast_audit
    BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END""",
    f"""CREATE TRIGGER holdfast_audit_same BEFORE UPDATE ON holdfast_audit
    BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END""",
    # Without this, INSERT OR REPLACE changes an entry without meeting the other two.
    """CREATE TRIGGER holdfast_audit_once BEFORE INSERT ON holdfast_audit
    WHEN EXISTS (SELECT 1 FROM holdfast_audit WHERE number = NEW.number)
    BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END""",
    f"""CREATE TRIGGER holdfast_audit_head_kept BEFORE DELETE ON holdfast_audit_head
    BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END""",
)
_POSTGRESQL = (
    f"""CREATE FUNCTION holdfast_refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$""",
    """CREATE TRIGGER holdfast_audit_same BEFORE UPDATE OR DELETE ON holdfast_audit
    FOR EACH ROW EXECUTE FUNCTION holdfast_refuse()""",
    """CREATE TRIGGER holdfast_audit_kept BEFORE TRUNCATE ON holdfast_audit
    FOR EACH STATEMENT EXECUTE FUNCTION holdfast_refuse()""",
    """CREATE TRIGGER holdfast_audit_head_kept BEFORE DELETE OR TRUNCATE ON holdfast_audit_head
    FOR EACH STATEMENT EXECUTE FUNCTION holdfast_refuse()""",
)


class Operations(Protocol):
    """What a migration may do, as far as this needs it."""

    def get_bind(self) -> sa.Connection:
        """The connection."""
        ...


def guard_audit(operations: Operations) -> None:
    """Makes the triggers of the audit log."""
    connection = operations.get_bind()
    for statement in _SQLITE if connection.dialect.name == "sqlite" else _POSTGRESQL:
        connection.exec_driver_sql(statement)
