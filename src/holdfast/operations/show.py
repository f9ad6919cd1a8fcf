"""Shows one backup and its copies."""

from __future__ import annotations

from holdfast.operations.context import AppContext
from holdfast.operations.reports import ListedBackup
from holdfast.operations.requests import ShowRequest


def show_backup(context: AppContext, request: ShowRequest) -> ListedBackup:
    """Shows one backup and its copies."""
    raise NotImplementedError
