"""What an error of the operating system means for a repository on a disk."""

from __future__ import annotations

import errno

from holdfast.errors import AccessDenied, BackendError, BackendUnavailable, ObjectNotFound, OutOfSpace

MISSING = frozenset({errno.ENOENT, errno.ENOTDIR})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_PASSING = frozenset({errno.EAGAIN, errno.ETIMEDOUT, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.ENOBUFS})


def failure_of(error: OSError, url: str, what: str) -> BackendError:
    """The error of ours that says the same.

    Args:
        error: what a system call raised.
        url: the backend.
        what: the object.
    """
    number = error.errno
    reason = error.strerror or str(error)
    if number in MISSING:
        return ObjectNotFound(url=url, object=what)
    if number in _FULL:
        return OutOfSpace(url=url, object=what)
    if number in _DENIED:
        return AccessDenied(url=url, object=what, reason=reason)
    if number in _PASSING:
        return BackendUnavailable(url=url, object=what, reason=reason)
    return BackendError(url=url, object=what, reason=reason)
