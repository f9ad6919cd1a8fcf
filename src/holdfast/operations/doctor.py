"""Looks for what will make the next backup or restore fail."""

from __future__ import annotations

from holdfast.operations.context import AppContext
from holdfast.operations.reports import DoctorReport


def examine(context: AppContext) -> DoctorReport:
    """Looks for what will make the next backup or restore fail."""
    raise NotImplementedError
