"""Plans retention, then applies the plan."""

from __future__ import annotations

from holdfast.operations.context import AppContext
from holdfast.operations.reports import RetentionPlans, RetentionReport
from holdfast.operations.requests import RetentionRequest


def plan_retention(context: AppContext, request: RetentionRequest) -> RetentionPlans:
    """Plans retention, then applies the plan."""
    raise NotImplementedError


def apply_retention(context: AppContext, plans: RetentionPlans) -> RetentionReport:
    """Plans retention, then applies the plan."""
    raise NotImplementedError
