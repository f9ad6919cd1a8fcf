"""The operations that can be run for somebody, by the name under which runs are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from holdfast.errors import UnknownName
from holdfast.model.access import Scope
from holdfast.operations.context import AppContext
from holdfast.operations.create import create_backup
from holdfast.operations.delete import apply_delete, plan_delete
from holdfast.operations.hold import hold_backup, release_backup
from holdfast.operations.requests import (
    CreateRequest,
    DeleteRequest,
    HoldRequest,
    RestoreRequest,
    RetentionRequest,
    VerifyRequest,
)
from holdfast.operations.restore import plan_restore, run_restore
from holdfast.operations.retention import apply_retention, plan_retention
from holdfast.operations.verify import verify_backups


class Operation(NamedTuple):
    """One operation: what it is asked for, what does it, and what a token needs for it."""

    request_type: type[msgspec.Struct]
    act: Callable[[AppContext, Any], msgspec.Struct]
    scope: Scope


def _restore(context: AppContext, request: RestoreRequest) -> msgspec.Struct:
    return run_restore(context, plan_restore(context, request))


def _retain(context: AppContext, request: RetentionRequest) -> msgspec.Struct:
    return apply_retention(context, plan_retention(context, request))


def _delete(context: AppContext, request: DeleteRequest) -> msgspec.Struct:
    return apply_delete(context, plan_delete(context, request))


OPERATIONS = {
    "create": Operation(CreateRequest, create_backup, Scope.BACKUP),
    "restore": Operation(RestoreRequest, _restore, Scope.RESTORE),
    "verify": Operation(VerifyRequest, verify_backups, Scope.BACKUP),
    "rotate": Operation(RetentionRequest, _retain, Scope.ADMIN),
    "cleanup": Operation(RetentionRequest, _retain, Scope.ADMIN),
    "delete": Operation(DeleteRequest, _delete, Scope.ADMIN),
    "hold": Operation(HoldRequest, hold_backup, Scope.BACKUP),
    "release": Operation(HoldRequest, release_backup, Scope.ADMIN),
}


def operation_of(name: str) -> Operation:
    """The operation of a name.

    Raises:
        UnknownName: there is none.
    """
    if name not in OPERATIONS:
        raise UnknownName(what="operation", name=name, known=", ".join(OPERATIONS))
    return OPERATIONS[name]
