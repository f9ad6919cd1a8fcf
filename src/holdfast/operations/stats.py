"""Adds up what targets keep."""

from __future__ import annotations

from holdfast.operations.context import AppContext
from holdfast.operations.reports import StatsReport
from holdfast.operations.requests import ListRequest


def backup_stats(context: AppContext, request: ListRequest) -> StatsReport:
    """Adds up what targets keep."""
    raise NotImplementedError
