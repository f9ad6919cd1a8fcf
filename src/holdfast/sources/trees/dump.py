"""A tree as it is found: not one moment, as no file system offers one, but each file whole or named as a problem."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from holdfast.errors import SourceError
from holdfast.model.component import Component, Form, Problem, Role, Shape
from holdfast.model.node import NodeType
from holdfast.protocols import ContentReader, DumpRequest, Entry
from holdfast.sources.place_entries import OpenFile, file_entry
from holdfast.sources.trees.changes import Found, compare, found_things
from holdfast.sources.trees.state import StateWriter, is_settled, line_of
from holdfast.sources.trees.tops import EXISTING, Top, is_below, order_of
from holdfast.sources.trees.walk import Item, Limits, Opener, Walk


class TreeDump:
    """A `Dump` of folders and files.

    Args:
        about: the component, without what is found out on the way.
        tops: what is there of the configured paths.
        problems: what is known to be missing already.
    """

    def __init__(
        self, about: Component, tops: Sequence[Top], limits: Limits, problems: Sequence[Problem], request: DumpRequest
    ) -> None:
        self._about = about
        self._tops = tops
        self._request = request
        self._problems = list(problems)
        self._failed: set[bytes] = set()
        self._filled: set[str] = set()
        self._walk = Walk(tops, limits, self._problems.append, request.cancelled)

    def forms(self) -> Sequence[Form]:
        """The tree, or what changed in it."""
        return (Form.NATIVE, Form.CHANGES)

    def shape(self, form: Form) -> Shape:  # noqa: ARG002 - both forms are trees
        """A tree."""
        return Shape.TREE

    def file_name(self, form: Form) -> str:  # noqa: ARG002 - the same for both
        """The folder's name if it is one, else the source's."""
        return self._about.file_name

    def entries(self, form: Form) -> Iterator[Entry]:
        """The tree in order. A file that cannot be read raises when it is opened or read, and the walk goes on."""
        state = self._request.state
        with contextlib.ExitStack() as stack:
            writer = None if state is None else stack.enter_context(StateWriter(state))
            if form is Form.CHANGES:
                yield from self._changes(writer)
                return
            for item in self._items():
                if item.node is None:
                    continue
                yield self._entry(item)
                if writer is not None and item.path not in self._failed and is_settled(item.node):
                    writer.add(line_of(item.path, item.node))

    def component(self, form: Form) -> Component:
        """What was found."""
        return Component(
            name=self._about.name,
            kind=self._about.kind,
            role=self._about.role,
            form=form,
            shape=Shape.TREE,
            file_name=self._about.file_name,
            original=self._about.original,
            facts={**self._about.facts, **self._filling()},
            problems=tuple(self._problems),
        )

    def problem(self, problem: Problem) -> None:
        """Notes a problem of the reader."""
        self._problems.append(problem)

    def _items(self) -> Iterator[Item]:
        """What the walk finds; also notes below which of the configured paths there is anything but folders."""
        filled: Top | None = None
        for item in self._walk.items():
            is_content = item.node is not None and item.node.type is not NodeType.DIR
            if is_content and (filled is None or not is_below(item.path, filled.prefix)):
                filled = next((top for top in self._tops if is_below(item.path, top.prefix)), None)
                if filled is not None:
                    self._filled.add(filled.given)
            yield item

    def _filling(self) -> dict[str, str]:
        """A folder that is a mount point without its disk looks like one from which everything was deleted."""
        paths = {"filled": self._filled, "empty": {top.given for top in self._tops} - self._filled}
        return {fact: "\n".join(sorted(given)) for fact, given in paths.items() if given}

    def _entry(self, item: Item) -> Entry:
        assert item.node is not None
        opener = item.open
        if opener is None:
            return Entry(path=item.path, node=item.node)
        return Entry(path=item.path, node=item.node, open=lambda: self._reader(item.path, opener))

    def _reader(self, path: bytes, opener: Callable[[], ContentReader]) -> ContentReader:
        self._failed.add(path)
        return _Watched(opener(), lambda: self._failed.discard(path))

    # --- changes --------------------------------------------------------------------------------

    def _changes(self, writer: StateWriter | None) -> Iterator[Entry]:
        spool, existing = self._request.scratch / "found", self._request.scratch / "existing"
        compare(self._items(), self._request.base, self._about.name, spool, existing)
        listed = file_entry(
            EXISTING.decode(),
            lambda: OpenFile(existing, _unreadable(existing)),
            size_bytes=existing.stat().st_size,
            mtime_ns=0,
        )
        is_listed = False
        with Opener(self._tops) as opener:
            for found in found_things(spool):
                if not is_listed and order_of(found.path) > order_of(EXISTING):
                    is_listed = True
                    yield listed
                yield from self._changed(found, opener)
                self._note_state(found, writer)
        if not is_listed:
            yield listed
        spool.unlink()
        existing.unlink()

    def _changed(self, found: Found, opener: Opener) -> Iterator[Entry]:
        node = found.node
        if node is None or not found.changed:
            return
        open_file = opener.of(found.path, node) if node.type is NodeType.FILE else None
        yield self._entry(Item(found.path, node, open_file))

    def _note_state(self, found: Found, writer: StateWriter | None) -> None:
        """INVARIANT: what could not be read is not in the state, so that the next backup takes it for a change."""
        if writer is None or found.path in self._failed:
            return
        if found.node is None or is_settled(found.node):
            writer.add(found.line)


class _Watched:
    """A reader that tells when its content was read to the end."""

    def __init__(self, reader: ContentReader, ended: Callable[[], None]) -> None:
        self._reader = reader
        self._ended = ended
        self._whole = True

    def read(self, size: int = -1, /) -> bytes:
        """As the reader does."""
        try:
            return self._reader.read(size)
        except SourceError:
            self._whole = False
            raise

    def close(self) -> None:
        """As the reader does."""
        self._reader.close()
        if self._whole:
            self._ended()


def _unreadable(path: Path) -> Callable[[OSError], SourceError]:
    return lambda error: SourceError(path=str(path), reason=error.strerror or str(error))


def component_of(name: str, kind: str, role: Role, tops: Sequence[Top]) -> Component:
    """What is known of a tree before it is walked."""
    single = tops[0] if len(tops) == 1 else None
    return Component(
        name=name,
        kind=kind,
        role=role,
        form=Form.NATIVE,
        shape=Shape.TREE,
        file_name=(single.path.name if single and single.prefix else "") or name,
        original=", ".join(str(top.path) for top in tops),
    )
