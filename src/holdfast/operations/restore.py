"""Brings a backup back."""

from __future__ import annotations

from holdfast.operations.context import AppContext
from holdfast.operations.reports import RestorePlan, RestoreReport
from holdfast.operations.requests import RestoreRequest


def plan_restore(context: AppContext, request: RestoreRequest) -> RestorePlan:
    """Brings a backup back."""
    raise NotImplementedError


def run_restore(context: AppContext, plan: RestorePlan) -> RestoreReport:
    """Brings a backup back."""
    raise NotImplementedError
