"""Removing what writers that died left behind, wherever the storage can have such a thing."""

from __future__ import annotations

from holdfast.protocols import Backend

DEAD_WRITER_S = 24 * 3600.0


def collect_leftovers(backend: Backend, older_than_s: float = DEAD_WRITER_S) -> int:
    """Removes temporary files that no living writer can still be at work on.

    Args:
        backend: a storage, with or without wrappers; what stands behind a read-only one is not touched.
        older_than_s: age from which a file counts as left behind.

    Returns:
        How many were removed; 0 where objects come into being as a whole.
    """
    inner: Backend | None = backend
    while inner is not None:
        collect = getattr(inner, "collect_garbage", None)
        if collect is not None:
            return int(collect(older_than_s))
        inner = getattr(inner, "storage", None)
    return 0
