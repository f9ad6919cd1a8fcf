"""Writes a backup into one self-contained file."""

from __future__ import annotations

from holdfast.operations.context import AppContext
from holdfast.operations.reports import ExportReport
from holdfast.operations.requests import ExportRequest


def export_backup(context: AppContext, request: ExportRequest) -> ExportReport:
    """Writes a backup into one self-contained file."""
    raise NotImplementedError
