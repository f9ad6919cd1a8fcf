"""Makes a backup: one reading of every source into all targets."""

from __future__ import annotations

from holdfast.operations.context import AppContext
from holdfast.operations.reports import CreateReport
from holdfast.operations.requests import CreateRequest


def create_backup(context: AppContext, request: CreateRequest) -> CreateReport:
    """Makes a backup: one reading of every source into all targets."""
    raise NotImplementedError
