"""The list of everything that exists, which comes with the changes of a tree: what is not on it was deleted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote_from_bytes, unquote_to_bytes

import msgspec

from holdfast.errors import DamageError, Phrase
from holdfast.model.node import NodeType

_FIRST = {"holdfast": "existing", "version": 1}
_encode = msgspec.json.encode


class ExistingWriter:
    """Writes the list, in the order of the walk."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "wb")  # noqa: SIM115 - closed by `__exit__`
        self._count = 0
        self._file.write(_encode(_FIRST) + b"\n")

    def add(self, path: bytes, kind: str) -> None:
        """The next path and its type."""
        self._file.write(_encode((quote_from_bytes(path), kind)) + b"\n")
        self._count += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._file.write(_encode({"count": self._count}) + b"\n")
        self._file.close()


def read_existing(path: Path, name: str) -> Iterator[tuple[bytes, NodeType]]:
    """Paths and types, in order. Raises `DamageError`."""
    count = 0
    try:
        with open(path, "rb") as file:
            if msgspec.json.decode(file.readline()) != _FIRST:
                raise DamageError(object=name, reason="its list of what exists is of another version")
            for text in file:
                if text.startswith(b"{"):
                    if msgspec.json.decode(text) != {"count": count}:
                        break
                    return
                quoted, kind = msgspec.json.decode(text, type=tuple[str, NodeType])
                count += 1
                yield unquote_to_bytes(quoted), kind
    except msgspec.MsgspecError as error:
        raise DamageError(
            object=name, reason=Phrase("its list of what exists cannot be read: {reason}", {"reason": str(error)})
        ) from error
    raise DamageError(object=name, reason="its list of what exists is not whole")
