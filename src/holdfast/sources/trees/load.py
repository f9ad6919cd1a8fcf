"""Restoring a tree or parts of it: staged, proved, then exchanged."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from holdfast.archive.digest import ContentDigest
from holdfast.errors import DamageError, Phrase, RestoreError, RestoreMismatch, RestoreRefused
from holdfast.model.component import Form, Problem
from holdfast.model.event import Progress
from holdfast.model.node import Node, NodeType
from holdfast.policy.patterns import Excludes
from holdfast.protocols import Entry, LoadPlan, LoadReport, LoadRequest, StoredContent
from holdfast.repository.restore.metadata import Rights, apply, metadata_of
from holdfast.repository.restore.safe_fs import restore_error
from holdfast.sources.place_rename import inner_safety_name, safety_name, shell_word, sync_directory
from holdfast.sources.trees.chain import spoiled_in, tree_entries
from holdfast.sources.trees.places import Place, places_elsewhere, places_in_place, protected_paths
from holdfast.sources.trees.stage import Stage
from holdfast.sources.trees.swap import Swapper, clear_leftovers, drop_empty, refuse_conflicts
from holdfast.sources.trees.tops import Top, is_below
from holdfast.sources.trees.walk import Limits, Walk

_PRIVATE = 0o700
_PROGRESS_ITEMS = 1000


class TreeLoad:
    """One restore.

    Args:
        source: the source's name.
        tops: where its paths are.
        limits: what its backups leave out; what of that is there now is kept with what is replaced.
        base_dir: what a relative destination starts from.
        in_place: whether tops are held open by others.
    """

    def __init__(
        self,
        source: str,
        tops: Sequence[Top],
        limits: Limits,
        chain: Sequence[StoredContent],
        request: LoadRequest,
        base_dir: Path,
        *,
        in_place: bool,
    ) -> None:
        self._source = source
        self._chain = chain
        self._request = request
        self._limits = limits
        self._protected = protected_paths(limits.skip)
        self._problems: list[Problem] = []
        self._items = 0
        self._checked = ""
        self._parents: dict[bytes, Node] = {}
        if request.destination is None:
            self._folder = None
            self._places = places_in_place(tops, request.paths, self._protected, source, in_place=in_place)
        else:
            self._folder = Path(os.path.realpath(base_dir / request.destination))
            self._places = places_elsewhere(tops, request.paths, self._folder)
        # What is excluded is not in the backup: with the safety copy it would be lost.
        self._keep = request.safety_copy or bool(limits.excludes) or limits.caches or limits.one_file_system

    def plan(self) -> LoadPlan:
        """What would be done."""
        taken = [place for place in self._places if os.path.lexists(place.path) and not place.exclusive]
        copies = [str(self._copy_of(place)) for place in taken] if self._keep else []
        return LoadPlan(
            destination=self._destination(),
            replaces=tuple(str(place.path) for place in taken),
            safety_copies=tuple(copies),
            directory=_existing((self._folder or self._places[0].parent) if self._places else Path("/")),
            needed_bytes=sum(content.component.content_bytes for content in self._chain),
        )

    def _destination(self) -> str:
        return str(self._folder) if self._folder else ", ".join(str(place.path) for place in self._places)

    def _copy_of(self, place: Place) -> Path:
        if place.keep_folder:
            return inner_safety_name(place.path, self._request.stamp)
        return safety_name(place.path, self._request.stamp)

    def run(self) -> LoadReport:
        """Does it."""
        made: list[Path] = []
        with contextlib.ExitStack() as stack:
            try:
                stages = self._stages(stack, made)
                self._fill(stages)
                written = [stage for stage in stages if stage.written]
                self._prove(stages, written)
                for stage in written:
                    stage.finish()
                copies = self._exchange(written)
            except OSError as error:
                raise restore_error(os.fsencode(self._destination()), error) from error
            finally:
                self._clean(made)
        self._judge(written)
        return LoadReport(
            destination=self._destination(),
            safety_copies=tuple(dict.fromkeys(str(copy) for _, copy in copies)),
            undo=_undo(copies),
            file_count=sum(stage.file_count for stage in written),
            content_bytes=sum(stage.content_bytes for stage in written),
            checks=(self._checked, "files and bytes counted in the destination"),
            problems=tuple(self._problems),
        )

    # --- staging --------------------------------------------------------------------------------

    def _stages(self, stack: contextlib.ExitStack, made: list[Path]) -> list[Stage]:
        stages: list[Stage] = []
        for place in self._places:
            self._make_parents(place.parent, made)
            clear_leftovers(place, self._request.stamp, self._note)
            stages.append(stack.enter_context(Stage(place, self._note, self._request.cancelled)))
        return stages

    def _make_parents(self, folder: Path, made: list[Path]) -> None:
        missing = [one for one in (folder, *folder.parents) if not one.exists()]
        for one in reversed(missing):
            one.mkdir(_PRIVATE)
            made.append(one)

    def _fill(self, stages: list[Stage]) -> None:
        digest = ContentDigest()
        self._checked = "content read to its end"
        outside: list[bytes] = []
        for entry in self._entries():
            stage = next((one for one in stages if is_below(entry.path, one.place.prefix)), None)
            if stage is None:
                _elsewhere(entry, stages, self._parents, outside)
                digest.feed(entry)
                continue
            read = stage.add(entry)
            if read is None:
                digest.feed(entry)
            else:
                digest.feed(entry, *read)
            self._tell(entry)
        if outside and not self._request.paths:
            shown = os.fsdecode(outside[0])
            raise RestoreRefused(
                destination=self._destination(),
                reason=Phrase("the backup holds {shown}, which is not one of its paths", {"shown": shown}),
            )
        expected = self._chain[-1].component.content_sha256
        if expected and len(self._chain) == 1 and not self._request.paths:
            self._checked = "SHA-256 of all content compared"
            if digest.hexdigest() != expected:
                raise DamageError(object=self._source, reason="its content is not what was backed up")

    def _entries(self) -> Iterator[Entry]:
        paths = sorted(place.prefix for place in self._places) if self._request.paths else []
        if b"" in paths:
            paths = []
        return tree_entries(self._chain, paths, self._request.scratch, self._request.cancelled)

    def _tell(self, entry: Entry) -> None:
        self._items += 1
        if self._items % _PROGRESS_ITEMS == 0:
            current = entry.path.decode("utf-8", "backslashreplace")
            self._request.listener(Progress(phase="restoring", items_done=self._items, current=current))

    def _prove(self, stages: list[Stage], written: list[Stage]) -> None:
        """Compares counts, and looks that everything that was asked for is there."""
        if self._request.paths and not written:
            wanted = ", ".join(os.fsdecode(path) for path in self._request.paths)
            raise RestoreRefused(
                destination=self._destination(), reason=Phrase("the backup does not hold {wanted}", {"wanted": wanted})
            )
        for stage in stages:
            if not stage.written:
                path = str(stage.place.path)
                self._note(Problem(code="not-in-backup", subject=path, detail="it is left as it is"))
        component = self._chain[-1].component
        for subject in sorted(spoiled_in(component)):
            detail = "it could not be read when the backup was made, and is not restored as it was then"
            self._note(Problem(code="spoiled-in-backup", subject=subject, detail=detail))
        count = sum(stage.file_count for stage in stages)
        is_whole = component.form is not Form.CHANGES and not self._request.paths and not component.problems
        if is_whole and component.file_count and count != component.file_count:
            raise RestoreMismatch(
                destination=self._destination(),
                reason=Phrase(
                    "{count} of {expected} files were there", {"count": count, "expected": component.file_count}
                ),
            )
        refuse_conflicts(written)

    # --- placing --------------------------------------------------------------------------------

    def _exchange(self, written: list[Stage]) -> list[tuple[Path, Path]]:
        swapper = Swapper(self._request.stamp, self._protected)
        places = [stage.place for stage in written]
        try:
            for stage in written:
                self._request.cancelled()
                drop_empty(stage.place)
                swapper.swap(stage)
        except BaseException:
            swapper.rollback()
            raise
        swapper.commit(places, keep=self._keep)
        return swapper.copies

    def _clean(self, made: list[Path]) -> None:
        """Removes what was staged, and folders that were made for nothing; gives those that stay their metadata."""
        for place in self._places:
            with contextlib.suppress(OSError, RestoreError):
                clear_leftovers(place, self._request.stamp, self._note)
        for folder in reversed(made):
            with contextlib.suppress(OSError):
                folder.rmdir()
                continue
            self._dress(folder)

    def _dress(self, folder: Path) -> None:
        for prefix, node in self._parents.items():
            if any(_leads(folder, prefix, place) for place in self._places):
                with contextlib.suppress(OSError):
                    apply(os.fspath(folder), metadata_of(node), Rights.of_process(set_ids=False))
                    sync_directory(folder.parent)

    def _judge(self, written: list[Stage]) -> None:
        """Counts what is in the destination now."""
        for stage in written:
            if stage.place.keep_folder:
                continue
            top = Top(b"", stage.place.path, "")
            files = [
                item.node
                for item in Walk([top], Limits(Excludes()), self._note, self._request.cancelled).items()
                if item.node is not None and item.node.type is NodeType.FILE
            ]
            found = (len(files), sum(node.size for node in files))
            if found != (stage.file_count, stage.content_bytes):
                raise RestoreMismatch(
                    destination=str(stage.place.path),
                    reason=Phrase(
                        "it has {files} files of {bytes} bytes, not {file_count} of {content_bytes}",
                        {
                            "files": found[0],
                            "bytes": found[1],
                            "file_count": stage.file_count,
                            "content_bytes": stage.content_bytes,
                        },
                    ),
                )

    def _note(self, problem: Problem) -> None:
        if problem not in self._problems:
            self._problems.append(problem)


def _elsewhere(entry: Entry, stages: list[Stage], parents: dict[bytes, Node], outside: list[bytes]) -> None:
    """An entry of no place: a directory that leads to one, or something that should not be there."""
    leads = any(is_below(stage.place.prefix, entry.path) for stage in stages)
    if leads and entry.node.type is NodeType.DIR:
        if entry.path:
            parents[entry.path] = entry.node
    else:
        outside.append(entry.path)


def _leads(folder: Path, prefix: bytes, place: Place) -> bool:
    """Whether a folder stands for a path in the tree, which leads to a place."""
    if not place.prefix.startswith(prefix + b"/"):
        return False
    depth = place.prefix[len(prefix) + 1 :].count(b"/")
    return place.path.parents[depth] == folder


def _existing(folder: Path) -> Path:
    return next((one for one in (folder, *folder.parents) if one.is_dir()), folder)


def _undo(copies: list[tuple[Path, Path]]) -> str:
    """Commands that bring the former state back."""
    commands: list[str] = []
    for path, copy in copies:
        quoted, kept = shell_word(path), shell_word(copy)
        if copy.parent == path.parent:
            commands.append(f"rm -rf {quoted} && mv {kept} {quoted}")
        else:
            commands.append(f"cp -a {kept}/. {quoted}/")
    return " && ".join(commands)
