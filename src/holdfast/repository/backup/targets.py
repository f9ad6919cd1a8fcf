"""What was asked to be backed up, as the directory shape it takes inside the snapshot.

An absolute target keeps its whole path, each directory on the way with its own metadata; a relative one begins at
its own first component; `.` and `/` give their entries to the root.
"""

from __future__ import annotations

import os

from holdfast.errors import SourceError


class TargetTree:
    """One directory of the shape, or one target.

    Attributes:
        path: the real path, for metadata or for the target itself.
        is_target: everything below is taken; else only `children` are.
    """

    __slots__ = ("children", "is_target", "path")

    def __init__(self, path: bytes, *, is_target: bool = False) -> None:
        self.path = path
        self.is_target = is_target
        self.children: dict[bytes, TargetTree] = {}


def target_tree(targets: list[bytes]) -> TargetTree:
    """Arranges targets. Raises `SourceError` for one that is not there."""
    root = TargetTree(b"")
    for target in targets:
        if not os.path.lexists(target):
            raise SourceError(path=os.fsdecode(target), reason="it does not exist")
        components = _components(target)
        if components:
            _insert(root, target, components)
            continue
        try:
            names = sorted(os.listdir(target))
        except OSError as error:
            raise SourceError(path=os.fsdecode(target), reason=error.strerror or str(error)) from error
        for name in names:
            _insert(root, os.path.join(target, name), [name])
    return root


def snapshot_paths(targets: list[bytes]) -> tuple[str, ...]:
    """The absolute, cleaned paths that the snapshot records, in the order given."""
    return tuple(os.path.abspath(target).decode("utf-8", "surrogateescape") for target in targets)


def _components(target: bytes) -> list[bytes]:
    return [part for part in os.path.normpath(target).split(b"/") if part not in (b"", b".", b"..")]


def _insert(root: TargetTree, target: bytes, components: list[bytes]) -> None:
    steps = len(components)
    clean = os.path.normpath(target)
    here = root
    for depth, name in enumerate(components):
        if here.is_target and here is not root:
            return
        last = depth == steps - 1
        path = clean if last else _ancestor(clean, steps - 1 - depth)
        known = here.children.get(name)
        if known is not None and os.path.abspath(known.path) != os.path.abspath(path):
            name, known = _free_name(here, name, path)
        if known is None:
            known = here.children[name] = TargetTree(path)
        if last:
            known.is_target = True
            known.children = {}
        here = known


def _ancestor(path: bytes, levels: int) -> bytes:
    for _ in range(levels):
        path = os.path.dirname(path)
    return path or b"."


def _free_name(here: TargetTree, name: bytes, path: bytes) -> tuple[bytes, TargetTree | None]:
    """COMPAT(restic): targets of one name get `-1`, `-2`, …"""
    number = 1
    while (known := here.children.get(b"%s-%d" % (name, number))) is not None:
        if os.path.abspath(known.path) == os.path.abspath(path):
            return b"%s-%d" % (name, number), known
        number += 1
    return b"%s-%d" % (name, number), None
