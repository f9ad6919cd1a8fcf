"""Exchanging what was staged for what is there.

SAFETY: everything is done by two steps, both of which can be taken back: exchanging two names, and moving something to
a name that is free. Nothing is deleted before all of it is done.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from holdfast.errors import Phrase, RestoreRefused
from holdfast.model.component import Problem
from holdfast.repository.restore.metadata import Rights, apply, metadata_of
from holdfast.repository.restore.removal import remove_tree
from holdfast.sources.place_rename import exchange, inner_safety_name, rename_new, safety_name, sync_directory
from holdfast.sources.trees.places import Place
from holdfast.sources.trees.stage import Stage
from holdfast.sources.trees.tops import is_below, is_reserved

_PRIVATE = 0o700


class Swapper:
    """Puts staged places where they belong, and takes everything back if one of them fails.

    Attributes:
        copies: what was replaced, by where it is kept now.
    """

    def __init__(self, stamp: str, protected: frozenset[bytes]) -> None:
        self._stamp = stamp
        self._protected = protected
        self._undo: list[Callable[[], object]] = []
        self.copies: list[tuple[Path, Path]] = []

    def swap(self, stage: Stage) -> None:
        """Puts one place where it belongs.

        DURABILITY: its folder is renamed first. Under the new name it may hold what was replaced, and nobody removes it
        unseen. Where the whole place is exchanged, its name stands for the old or for the new at every moment.

        Raises:
            OSError: it could not be done; `rollback` takes back what was done so far.
        """
        place = stage.place
        self._move(place.staging, place.swapping)
        sync_directory(place.parent)
        if place.keep_folder:
            self._children(place.swapping, place.path, inner_safety_name(place.path, self._stamp))
            if stage.folder_node is not None:
                fd = os.open(place.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    apply(fd, metadata_of(stage.folder_node), Rights.of_process(set_ids=False))
                finally:
                    os.close(fd)
        else:
            self._whole(place.swapping / place.path.name, place)
        sync_directory(place.parent)

    def rollback(self) -> None:
        """Brings everything back to where it was. Raises `OSError`."""
        while self._undo:
            self._undo.pop()()

    def commit(self, places: list[Place], *, keep: bool) -> None:
        """Removes what is left over; what was replaced as well unless it is to be kept. Raises `OSError`."""
        self._undo.clear()
        for place in places:
            # SAFETY: all of its content was exchanged and moved; only the folder itself is left.
            _remove(place.swapping)
        if not keep:
            for copy in {copy for _, copy in self.copies}:
                # SAFETY: asked for. The restored content is in place and durable.
                _remove(copy)
            self.copies.clear()

    def _whole(self, staged: Path, place: Place) -> None:
        if place.exclusive or not os.path.lexists(place.path):
            self._move(staged, place.path)
            return
        copy = safety_name(place.path, self._stamp)
        if exchange(staged, place.path):
            self._undo.append(lambda: exchange(staged, place.path))
            sync_directory(place.parent)
            self._move(staged, copy)
        else:
            # No exchange on this file system: for a moment the name stands for nothing, and never for a half.
            self._move(place.path, copy)
            self._move(staged, place.path)
        self.copies.append((place.path, copy))

    def _children(self, staged: Path, folder: Path, copy: Path) -> None:
        """Exchanges what is in a folder, name by name; what is protected stays where it is."""
        names = {os.fsencode(name) for path in (staged, folder) for name in os.listdir(path)}
        for name in sorted(names):
            if is_reserved(name):
                continue
            text = os.fsdecode(name)
            new, old, kept = staged / text, folder / text, copy / text
            if self._holds_protected(old):
                if os.fsencode(old) not in self._protected and _is_folder(new) and _is_folder(old):
                    self._children(new, old, kept)
                continue
            self._child(new, old, kept, folder)
        sync_directory(folder)

    def _child(self, new: Path, old: Path, kept: Path, folder: Path) -> None:
        if not os.path.lexists(old):
            self._move(new, old)
            return
        self._make_folders(kept.parent)
        if os.path.lexists(new) and exchange(new, old):
            self._undo.append(lambda: exchange(new, old))
            self._move(new, kept)
        else:
            self._move(old, kept)
            if os.path.lexists(new):
                self._move(new, old)
        if (folder, kept.parent) not in self.copies:
            self.copies.append((folder, kept.parent))

    def _holds_protected(self, path: Path) -> bool:
        real = os.fsencode(path)
        return any(is_below(kept, real) for kept in self._protected)

    def _move(self, path: Path, name: Path) -> None:
        rename_new(path, name)
        self._undo.append(lambda: rename_new(name, path))

    def _make_folders(self, folder: Path) -> None:
        missing = [one for one in (folder, *folder.parents) if not os.path.lexists(one)]
        for one in reversed(missing):
            os.mkdir(one, _PRIVATE)
            self._undo.append(one.rmdir)


def clear_leftovers(place: Place, stamp: str, problem: Callable[[Problem], None]) -> None:
    """Removes what an interrupted restore of the same place wrote, and keeps what it may have replaced.

    Raises:
        OSError: it cannot be removed.
    """
    if not place.parent.is_dir():
        return
    # SAFETY: under this name nothing has replaced anything yet.
    _remove(place.staging)
    swapping = place.swapping
    if not os.path.lexists(swapping):
        return
    with suppress(OSError):
        swapping.rmdir()
        return
    kept = swapping.with_name(f".holdfast-before-restore-{stamp}-interrupted-{place.key}")
    rename_new(swapping, kept)
    detail = Phrase(
        "an earlier restore was interrupted here; what it had replaced, or had still to place, is in {kept}",
        {"kept": kept},
    )
    problem(Problem(code="interrupted-restore", subject=str(place.path), detail=detail))


def refuse_conflicts(stages: list[Stage]) -> None:
    """Raises `RestoreRefused` if a place that must be free is not. An empty folder is free."""
    taken: list[str] = []
    for stage in stages:
        place = stage.place
        if not place.exclusive:
            continue
        if place.keep_folder:
            taken += [
                str(place.path / name) for name in os.listdir(place.staging) if os.path.lexists(place.path / name)
            ]
        elif os.path.lexists(place.path) and not _is_empty_folder(place.path):
            taken.append(str(place.path))
    if taken:
        shown = ", ".join(sorted(taken)[:3])
        more = Phrase(" and {count} more", {"count": len(taken) - 3}) if len(taken) > 3 else ""
        raise RestoreRefused(
            destination=os.path.dirname(min(taken)),
            reason=Phrase("{shown}{more} exist already", {"shown": shown, "more": more}),
        )


def drop_empty(place: Place) -> None:
    """Removes an empty folder that is in the way of a place that must be free. Raises `OSError`."""
    if place.exclusive and not place.keep_folder and _is_empty_folder(place.path):
        place.path.rmdir()


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def _is_empty_folder(path: Path) -> bool:
    return _is_folder(path) and not os.listdir(path)


def _remove(path: Path) -> None:
    if os.path.lexists(path):
        fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            remove_tree(fd, os.fsencode(path.name))
        finally:
            os.close(fd)
