"""Reads backups again."""

from __future__ import annotations

from holdfast.operations.context import AppContext
from holdfast.operations.reports import VerifyReport
from holdfast.operations.requests import VerifyRequest


def verify_backups(context: AppContext, request: VerifyRequest) -> VerifyReport:
    """Reads backups again."""
    raise NotImplementedError
