"""From the beginning of a name, as a person types it, to the one object that is meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from holdfast.cli.text import N_
from holdfast.errors import NameNotFound

if TYPE_CHECKING:
    from holdfast.protocols import FileKind
    from holdfast.repository.repository import Repository

_PREFIX = re.compile(r"[0-9a-f]{1,64}\Z")
_ID = re.compile(r"[0-9a-f]{64}\Z")


def find_name(repository: Repository, kind: FileKind, text: str) -> bytes:
    """The one stored file of a kind whose name begins like this. Raises `NameNotFound`."""
    label = "pack" if kind.value == "data" else kind.value.removesuffix("s")
    if not _PREFIX.match(text):
        raise NameNotFound(kind=label, wanted=text, reason="it is not the beginning of a name")
    found = [name for name in repository.names(kind) if name.hex().startswith(text)]
    if len(found) == 1:
        return found[0]
    reason = N_("several names begin like this") if found else N_("no name begins like this")
    raise NameNotFound(kind=label, wanted=text, reason=reason)


def whole_id(kind: str, text: str) -> bytes:
    """An id of 64 digits. Raises `NameNotFound` for anything else."""
    if not _ID.match(text):
        raise NameNotFound(kind=kind, wanted=text, reason="it is not a whole id of 64 digits")
    return bytes.fromhex(text)
