"""Deletes backups that were named."""

from __future__ import annotations

from holdfast.operations.context import AppContext
from holdfast.operations.reports import DeletePlan, DeleteReport
from holdfast.operations.requests import DeleteRequest


def plan_delete(context: AppContext, request: DeleteRequest) -> DeletePlan:
    """Deletes backups that were named."""
    raise NotImplementedError


def apply_delete(context: AppContext, plan: DeletePlan) -> DeleteReport:
    """Deletes backups that were named."""
    raise NotImplementedError
