"""Lists backups."""

from __future__ import annotations

from holdfast.operations.context import AppContext
from holdfast.operations.reports import Listing
from holdfast.operations.requests import ListRequest


def list_backups(context: AppContext, request: ListRequest) -> Listing:
    """Lists backups."""
    raise NotImplementedError
