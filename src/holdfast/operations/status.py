"""Says how fresh backups are."""

from __future__ import annotations

from holdfast.operations.context import AppContext
from holdfast.operations.reports import StatusReport
from holdfast.operations.requests import StatusRequest


def backup_status(context: AppContext, request: StatusRequest) -> StatusReport:
    """Says how fresh backups are."""
    raise NotImplementedError
