"""Room for temporary files of a run."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Generator
from pathlib import Path

from holdfast.errors import Phrase, TargetError
from holdfast.operations.context import AppContext
from holdfast.operations.lock import private_directory


def scratch_base(context: AppContext) -> Path:
    """Where temporary files of this application go; need not exist."""
    if context.scratch_dir is None:
        return context.state_dir / "scratch"
    return context.scratch_dir / f"holdfast-{context.app}"


@contextlib.contextmanager
def scratch_directory(context: AppContext) -> Generator[Path]:
    """An empty directory of mode 0700 that is gone afterwards. The caller holds the application's lock."""
    base = private_directory(scratch_base(context))
    # SAFETY: the lock is held, so whatever lies in this directory, which nobody else uses, a killed run left.
    _clear(base)
    try:
        yield base
    finally:
        _clear(base)


def clear_scratch(context: AppContext) -> None:
    """Removes what a killed run left, if it left anything. The caller holds the application's lock."""
    base = scratch_base(context)
    if base.is_dir():
        _clear(private_directory(base))


@contextlib.contextmanager
def part(scratch: Path, name: str) -> Generator[Path]:
    """An empty directory of mode 0700 below another, gone afterwards."""
    path = scratch / name
    try:
        os.mkdir(path, 0o700)
    except OSError as error:
        raise TargetError(
            detail=Phrase(
                "no temporary files can be made in {scratch}: {reason}", {"scratch": scratch, "reason": error.strerror}
            )
        ) from error
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _clear(base: Path) -> None:
    for entry in os.scandir(base):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                os.unlink(entry.path)
