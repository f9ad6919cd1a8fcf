"""A source in memory that keeps every promise of the protocol, and breaks one when told to."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path

from holdfast.errors import DamageError, NoBase, RestoreError, SourceError
from holdfast.model.component import Component, Form, Problem, Role, Shape
from holdfast.model.node import Node, NodeType
from holdfast.protocols.content import ContentReader, Entry, StoredContent
from holdfast.protocols.source import Dump, DumpRequest, LoadPlan, LoadReport, LoadRequest

_BLOCK_BYTES = 1 << 16
_EXISTING = b".holdfast-existing"

Step = Callable[[str], None]
"""Told the name of each step, with what it is about after a colon, before it is done; what it raises happens there."""


def nothing(_step: str) -> None:
    """Lets every step be done."""


class FakeSource:
    """Files in memory as one file, several files, or a tree.

    Attributes:
        files: by path; for one file, the one there is.
        rows: what the component says it counted.
        schema: changes are refused when it differs from that of the base.
        safety: former files, by the name of the safety copy.
        loads: how often it was loaded.
    """

    def __init__(
        self,
        name: str,
        files: Mapping[str, bytes],
        *,
        role: Role = Role.STORAGE,
        shape: Shape = Shape.TREE,
        rows: Mapping[str, int] | None = None,
        step: Step = nothing,
    ) -> None:
        self.name = name
        self.kind = "fake"
        self.role = role
        self.files = dict(files)
        self.rows = dict(rows or {})
        self.schema = "1"
        self.step = step
        self.safety: dict[str, dict[str, bytes]] = {}
        self.directory: Path | None = None
        self.loads = 0
        self._shape = shape

    def preflight(self) -> None:
        """Can always be dumped unless told otherwise."""
        self.step("preflight")

    def estimate_bytes(self) -> int | None:
        """Exactly what is there."""
        self.step("estimate")
        return sum(map(len, self.files.values()))

    @contextlib.contextmanager
    def dump(self, request: DumpRequest) -> Generator[Dump]:
        """What is there now, whatever happens to the source meanwhile."""
        self.step("dump")
        yield FakeDump(self, dict(self.files), self._shape, request)
        self.step("release")

    def plan(self, chain: Sequence[StoredContent], request: LoadRequest) -> LoadPlan:
        """Replaces what is there."""
        self.step("plan")
        needed = sum(content.component.content_bytes for content in chain)
        replaces = (self.name,) if self.files and request.destination is None else ()
        return LoadPlan(
            destination=request.destination or self.name,
            replaces=replaces,
            safety_copies=tuple(f"{name}.before-restore-{request.stamp}" for name in replaces),
            directory=self.directory,
            needed_bytes=needed,
        )

    def load(self, chain: Sequence[StoredContent], request: LoadRequest) -> LoadReport:
        """All or nothing."""
        self.step("load")
        files: dict[str, bytes] = {}
        for content in chain:
            _apply(files, content, request)
        self.step("replace")
        copies: tuple[str, ...] = ()
        if self.files and request.safety_copy and request.destination is None:
            copies = (f"{self.name}.before-restore-{request.stamp}",)
            self.safety[copies[0]] = self.files
        self.files = {**self.files, **files} if request.paths else files
        self.loads += 1
        self.step("replaced")
        return LoadReport(
            destination=request.destination or self.name,
            safety_copies=copies,
            undo=f"mv {copies[0]} {self.name}" if copies else "",
            rows=dict(self.rows),
            file_count=len(files),
            content_bytes=sum(map(len, files.values())),
            checks=("files counted",),
        )


class FakeDump:
    """One state of a fake source."""

    def __init__(self, source: FakeSource, files: dict[str, bytes], shape: Shape, request: DumpRequest) -> None:
        self._source = source
        self._files = files
        self._shape = shape
        self._request = request
        self._problems: list[Problem] = []

    def forms(self) -> Sequence[Form]:
        """The content as it is, as text, and as changes."""
        return (Form.NATIVE, Form.SQL, Form.CHANGES)

    def shape(self, form: Form) -> Shape:
        """The same for all forms but changes, which are always a tree here."""
        return Shape.TREE if form is Form.CHANGES else self._shape

    def file_name(self, form: Form) -> str:
        """Different for each form."""
        return f"{self._source.name}.{form.value}"

    def entries(self, form: Form) -> Iterator[Entry]:
        """Files in the order of their names."""
        self._source.step(f"entries:{form.value}")
        files = self._changed() if form is Form.CHANGES else self._files
        if self.shape(form) is Shape.TREE:
            yield Entry(path=b"", node=Node(name=b"", type=NodeType.DIR))
        for path in sorted(files):
            self._request.cancelled()
            self._source.step(f"entry:{path}")
            yield self._file(path.encode(), files[path])
        if self._request.state is not None:
            self._request.state.write_text("\n".join([self._source.schema, *sorted(map(repr, self._files.items()))]))
        self._source.step("end")

    def component(self, form: Form) -> Component:
        """What the entries were."""
        self._source.step("component")
        return Component(
            name=self._source.name,
            kind=self._source.kind,
            role=self._source.role,
            form=form,
            shape=self.shape(form),
            file_name=self.file_name(form),
            rows=dict(self._source.rows),
            problems=tuple(self._problems),
        )

    def problem(self, problem: Problem) -> None:
        """Kept for the component."""
        self._problems.append(problem)

    def _changed(self) -> dict[str, bytes]:
        base = self._request.base
        known = base.read_text().split("\n") if base is not None else [self._source.schema]
        if known[0] != self._source.schema:
            raise NoBase(target=self._source.name, reason="the schema changed")
        changed = {path: data for path, data in self._files.items() if repr((path, data)) not in known[1:]}
        return {_EXISTING.decode(): "\n".join(self._files).encode(), **changed}

    def _file(self, path: bytes, data: bytes) -> Entry:
        node = Node(name=path, type=NodeType.FILE, size=len(data))
        return Entry(path=path, node=node, open=lambda: self._open(path.decode(), data))

    def _open(self, path: str, data: bytes) -> ContentReader:
        self._source.step(f"open:{path}")
        return _Reader(self._source.step, path, data)


class _Reader:
    def __init__(self, step: Step, path: str, data: bytes) -> None:
        self._step = step
        self._path = path
        self._left = memoryview(data)

    def read(self, size: int = -1, /) -> bytes:
        self._step(f"read:{self._path}")
        wanted = min(_BLOCK_BYTES, len(self._left) if size < 0 else size)
        block, self._left = bytes(self._left[:wanted]), self._left[wanted:]
        return block

    def close(self) -> None:
        self._left = memoryview(b"")


def _apply(files: dict[str, bytes], content: StoredContent, request: LoadRequest) -> None:
    existing: set[str] | None = None
    for entry in content.entries(request.paths):
        request.cancelled()
        if entry.open is None:
            continue
        data = read_all(entry.open())
        if entry.path == _EXISTING:
            existing = set(data.decode().split("\n"))
        else:
            files[entry.path.decode()] = data
    if existing is not None:
        for path in files.keys() - existing:
            del files[path]


def read_all(reader: ContentReader) -> bytes:
    """Everything that is left in a reader, which is then closed."""
    try:
        return b"".join(iter(lambda: reader.read(_BLOCK_BYTES), b""))
    finally:
        reader.close()


def unreadable(path: str) -> SourceError:
    """What a file that cannot be read raises."""
    return SourceError(path=path, reason="told to fail")


def unloadable(path: str) -> RestoreError:
    """What a destination that takes nothing raises."""
    return RestoreError(path=path, reason="told to fail")


def rotten(name: str) -> DamageError:
    """What damaged content raises."""
    return DamageError(object=name, reason="told to fail")
