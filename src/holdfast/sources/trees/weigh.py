"""How much is in a tree, roughly and quickly."""

from __future__ import annotations

import os
from collections.abc import Sequence

from holdfast.sources.trees.tops import Top, is_reserved
from holdfast.sources.trees.walk import Limits


def total_bytes(tops: Sequence[Top], limits: Limits) -> int:
    """Sizes of all files that a walk would take; what cannot be looked at weighs nothing."""
    total = 0
    waiting = [(os.fsencode(top.path), top.prefix) for top in tops]
    while waiting:
        real, path = waiting.pop()
        if real in limits.skip or (path and limits.excludes and not limits.excludes.select(b"/" + path)):
            continue
        try:
            with os.scandir(real) as listing:
                for entry in listing:
                    if is_reserved(entry.name):
                        continue
                    below = path + b"/" + entry.name if path else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((entry.path, below))
                    elif not limits.excludes or limits.excludes.select(b"/" + below):
                        total += entry.stat(follow_symlinks=False).st_size
        except NotADirectoryError:
            total += os.lstat(real).st_size
        except OSError:
            continue
    return total
