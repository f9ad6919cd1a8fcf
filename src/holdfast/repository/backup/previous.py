"""Small questions to the parent snapshot's entries, asked of their JSON text."""

from __future__ import annotations

import re

from holdfast.model.ids import BlobId

_SUBTREE = re.compile(rb',"subtree":"([0-9a-f]{64})"\}\Z')


def subtree_of(entry: bytes | None) -> BlobId | None:
    """The tree of a directory's entry, or None where there is none to be seen."""
    if entry is None or b',"type":"dir"' not in entry:
        return None
    found = _SUBTREE.search(entry)
    return BlobId(bytes.fromhex(found[1].decode())) if found else None
