"""Errors that nobody foresaw where they were raised: those of the machine, and those that are a defect."""

from __future__ import annotations

import errno
import tempfile

from holdfast.errors import HoldfastError, InternalError, MachineFailed

_OF_THE_MACHINE = frozenset(
    {
        *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.ENXIO, errno.ENODEV, errno.ESTALE),
        *(errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EMLINK),
    }
)
_SQLITE_OF_THE_MACHINE = frozenset({7, 8, 10, 13, 14})  # NOMEM, READONLY, IOERR, FULL, CANTOPEN


def named(error: BaseException) -> HoldfastError:
    """The error as one of ours: a disk that is full is no defect of this program, wherever it was met."""
    if isinstance(error, HoldfastError):
        return error
    reason = _reason_of_machine(error)
    if reason:
        return MachineFailed(reason=reason)
    return InternalError(kind=type(error).__name__, reason=" ".join(str(error).split()) or "-")


def _reason_of_machine(error: BaseException) -> str:
    """What the system said; empty if it is not to blame."""
    if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
        said = error.strerror or str(error)
        return f"{said}: {error.filename}" if error.filename else said
    if isinstance(error, FileNotFoundError) and tempfile.tempdir is None and "temporary directory" in str(error):
        return str(error.strerror)
    # Importing SQLite here would make every command slower to start.
    if type(error).__module__ == "sqlite3" and getattr(error, "sqlite_errorcode", 0) & 0xFF in _SQLITE_OF_THE_MACHINE:
        return str(error)
    return ""
