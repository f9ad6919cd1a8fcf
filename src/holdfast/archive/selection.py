"""Which entries of a component were asked for."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.model.node import NodeType


class Selection:
    """Paths with everything below them, and the directories that lead there.

    Args:
        paths: relative, raw; empty for everything.
    """

    def __init__(self, paths: Sequence[bytes] = ()) -> None:
        self._paths = frozenset(path.strip(b"/") for path in paths)
        self._everything = not paths or b"" in self._paths
        self._leading = frozenset(
            path[:at] for path in self._paths for at in range(len(path)) if at == 0 or path[at : at + 1] == b"/"
        )

    def takes(self, path: bytes, kind: NodeType) -> bool:
        """Whether an entry belongs to what was asked for."""
        if self._everything or path in self._paths:
            return True
        if kind is NodeType.DIR and path in self._leading:
            return True
        return any(path[:at] in self._paths for at, byte in enumerate(path) if byte == 0x2F)
