"""Names of files in a folder, and of files that are not finished."""

from __future__ import annotations

import os
import re

from holdfast.errors import BackendError

_TEMPORARY = re.compile(r"\.holdfast-tmp-[0-9a-f]{32}", re.ASCII)
_MAX_NAME_BYTES = 1024  # what S3 takes for a key
_MAX_SEGMENT_BYTES = 255


def check_name(name: str, url: str) -> str:
    """Returns a name that stays within the folder.

    Raises:
        BackendError: it is empty, absolute, leads upwards, holds a control character, or is that of a temporary file.
    """
    # SAFETY: no name that was not checked here ever becomes part of a path or a request.
    segments = name.split("/")
    plain = all(segment not in {"", ".", ".."} and not is_temporary(segment) for segment in segments)
    if not plain or any(ord(character) < 0x20 or ord(character) == 0x7F for character in name):
        raise BackendError(url=url, object=repr(name), reason="this is no name for a file of an archive")
    try:
        long = max(len(segment.encode()) for segment in segments) > _MAX_SEGMENT_BYTES
        long = long or len(name.encode()) > _MAX_NAME_BYTES
    except UnicodeEncodeError:
        raise BackendError(url=url, object=repr(name), reason="the name is not UTF-8") from None
    if long:
        raise BackendError(url=url, object=repr(name), reason="the name is too long")
    return name


def is_temporary(name: str) -> bool:
    """Whether the last part of a name is that of a file that is being written."""
    return _TEMPORARY.fullmatch(name) is not None


def temporary_name() -> str:
    """A name for a file that is being written: hidden, without the ending of the final name, unlike any other."""
    return f".holdfast-tmp-{os.urandom(16).hex()}"
