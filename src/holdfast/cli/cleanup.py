"""`holdfast cleanup`."""

from __future__ import annotations

import click

from holdfast.cli.app_session import (
    AppSession,
    app_command,
    dry_run_option,
    pass_session,
    target_option,
    type_option,
    yes_option,
)


@app_command("cleanup", help="Delete backups that are older than so many days.")
@click.argument("days", type=click.IntRange(min=1))
@type_option
@target_option
@dry_run_option
@yes_option
@pass_session
def command(
    session: AppSession, days: int, kind: str | None, targets: tuple[str, ...], dry_run: bool, yes: bool
) -> int:
    """Cleans up."""
    from holdfast.cli.retention_command import apply_rules
    from holdfast.model.backup import BackupType
    from holdfast.operations.requests import RetentionRequest
    from holdfast.policy.backup_retention import KeepRules

    request = RetentionRequest(rules=KeepRules(days=days), type=BackupType(kind) if kind else None, targets=targets)
    return apply_rules(session, request, dry_run=dry_run, yes=yes)
