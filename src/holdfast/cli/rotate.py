"""`holdfast rotate`."""

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


@app_command("rotate", help="Delete backups that the rules do not keep.")
@click.option(
    "--max-backups",
    type=click.IntRange(min=1),
    metavar="N",
    help="Keep the newest N of each type, in the place of the rules of the configuration.",
)
@type_option
@target_option
@dry_run_option
@yes_option
@pass_session
def command(
    session: AppSession, max_backups: int | None, kind: str | None, targets: tuple[str, ...], dry_run: bool, yes: bool
) -> int:
    """Rotates."""
    from holdfast.cli.retention_command import apply_rules
    from holdfast.model.backup import BackupType
    from holdfast.operations.requests import RetentionRequest
    from holdfast.policy.backup_retention import KeepRules

    request = RetentionRequest(
        rules=None if max_backups is None else KeepRules(last=max_backups),
        type=BackupType(kind) if kind else None,
        targets=targets,
    )
    return apply_rules(session, request, dry_run=dry_run, yes=yes)
