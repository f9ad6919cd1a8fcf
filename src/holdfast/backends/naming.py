"""Where an object lies inside a repository, and which names are names at all."""

from __future__ import annotations

import re
from collections.abc import Iterator

from holdfast.errors import BackendError
from holdfast.protocols import FileKind, Handle

DATA_FOLDERS = tuple(f"{number:02x}" for number in range(256))
FOLDERS = tuple(kind.value for kind in FileKind if kind is not FileKind.CONFIG)

_NAME = re.compile(r"[0-9a-f]{64}", re.ASCII)


def is_object_name(name: str) -> bool:
    """Whether a listed name can be an object: 64 lower-case hexadecimal digits and nothing else."""
    return _NAME.fullmatch(name) is not None


def relative_path(handle: Handle, url: str) -> str:
    """The path of an object below the repository, with `/` between folders.

    Packs lie in `data/<first two digits>/`, everything else flat in the folder of its kind.

    Args:
        handle: the object.
        url: the backend, for the error.

    Raises:
        BackendError: the name is not an object name, so that it could leave the repository.
    """
    kind, name = handle
    # SAFETY: no name but 64 hexadecimal digits ever becomes part of a path or a request.
    if kind is FileKind.CONFIG:
        if name:
            raise BackendError(url=url, object="config", reason="the config takes no name")
        return "config"
    if _NAME.fullmatch(name) is None:
        raise BackendError(url=url, object=kind.value, reason="the name is not 64 hexadecimal digits")
    if kind is FileKind.PACK:
        return f"data/{name[:2]}/{name}"
    return f"{kind.value}/{name}"


def check_range(handle: Handle, offset: int, length: int | None, url: str) -> None:
    """Refuses a range that no object can hold.

    Raises:
        BackendError: the offset or length is negative.
    """
    if offset < 0 or (length is not None and length < 0):
        raise BackendError(url=url, object=str(handle), reason="the range asked for is negative")


def folders_of(kind: FileKind) -> Iterator[str]:
    """The folders that hold objects of a kind, as relative paths."""
    if kind is FileKind.PACK:
        for folder in DATA_FOLDERS:
            yield f"data/{folder}"
    elif kind is not FileKind.CONFIG:
        yield kind.value
