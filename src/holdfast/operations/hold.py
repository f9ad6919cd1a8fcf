"""Holds backups and releases them."""

from __future__ import annotations

from holdfast.operations.context import AppContext
from holdfast.operations.reports import HoldReport
from holdfast.operations.requests import HoldRequest


def hold_backup(context: AppContext, request: HoldRequest) -> HoldReport:
    """Holds backups and releases them."""
    raise NotImplementedError


def release_backup(context: AppContext, request: HoldRequest) -> HoldReport:
    """Holds backups and releases them."""
    raise NotImplementedError
