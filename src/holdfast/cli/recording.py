"""Writes runs of commands down, where there is somewhere to, and never lets that change what a command does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import msgspec

from holdfast.cli.app_session import AppSession
from holdfast.errors import HoldfastError

if TYPE_CHECKING:
    from holdfast.service.commands import CommandRun

R = TypeVar("R", bound=msgspec.Struct)


def recorded(
    session: AppSession, operation: str, request: msgspec.Struct, act: Callable[[], R], *, policy: str = ""
) -> R:
    """Acts; writes down that it began and what came of it, and tells people.

    Args:
        operation: its name in the catalog.
        request: what was asked for.
        act: does it.
        policy: whose run it is; empty if it belongs to none.
    """
    run = _begun(session, operation, request, policy)
    if run is None:
        return act()
    report: R | None = None
    error: BaseException | None = None
    try:
        report = act()
    except BaseException as raised:
        error = raised
        raise
    else:
        return report
    finally:
        _ended(session, run, report, error)


def _begun(session: AppSession, operation: str, request: msgspec.Struct, policy: str) -> CommandRun | None:
    app = session.app()
    from holdfast.app.catalog_of import is_kept

    if not is_kept(app.config):
        return None
    try:
        from holdfast.service.commands import CommandRun

        return CommandRun(app, operation, request, policy=policy)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("holdfast"):
            raise
        session.printer.warn(
            "nobody will be told of this run, and it is not written down: {name} is missing; "
            "install it with pip install 'holdfast[server]'",
            name=error.name or "",
        )
    except HoldfastError as error:
        session.printer.warn("this run is not written down: {reason}", reason=error.phrase)
    return None


def _ended(session: AppSession, run: CommandRun, report: msgspec.Struct | None, error: BaseException | None) -> None:
    try:
        run.end(report, error)
    except HoldfastError as problem:
        session.printer.warn("what came of this run is not written down: {reason}", reason=problem.phrase)
    finally:
        run.close()
