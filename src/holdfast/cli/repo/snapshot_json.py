"""A snapshot as `--json` prints it: the stored document with its id, keys as restic prints them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast.model.snapshot import Snapshot


def snapshot_document(snapshot: Snapshot) -> dict[str, Any]:
    """The snapshot's fields with `id` and `short_id`."""
    from holdfast.format import snapshot as snapshot_format

    document: dict[str, Any] = json.loads(snapshot_format.encode(snapshot))
    if snapshot.id is not None:
        document["id"] = snapshot.id.hex()
        document["short_id"] = snapshot.id.hex()[:8]
    return document
