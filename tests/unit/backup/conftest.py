"""A place to back up from, and one call to do it."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from holdfast.model.event import Event
from holdfast.model.node import Node
from holdfast.repository.backup.report import BackupOptions, BackupReport
from holdfast.repository.backup.run import Stream, backup
from holdfast.repository.index import Index
from holdfast.repository.locks import acquire
from holdfast.repository.reader import Reader
from holdfast.repository.repository import Repository
from holdfast.runtime.workers import WorkerPool
from repository_kit import new_repository


@dataclass
class Kit:
    """A repository in memory and what a test asks of it."""

    repository: Repository
    index: Index
    events: list[Event] = field(default_factory=list)
    pool: WorkerPool = field(default_factory=lambda: WorkerPool(0))

    def backup(self, *targets: Path | str, streams: dict[str, bytes] | None = None, **options: Any) -> BackupReport:
        with acquire(self.repository, False) as lock:
            self.index.sync()
            return backup(
                self.repository,
                self.index,
                lock,
                [str(target) for target in targets],
                BackupOptions(**options),
                streams=[Stream(name, io.BytesIO(data)) for name, data in (streams or {}).items()],
                listener=self.events.append,
                pool=self.pool,
            )

    def files(self, report: BackupReport) -> dict[bytes, Node]:
        """Every entry of a snapshot by its path."""
        reader = Reader(self.repository, self.index)
        found: dict[bytes, Node] = {}
        stack = [(b"", report.tree)]
        while stack:
            path, tree = stack.pop()
            for node in reader.load_tree(tree):
                found[path + b"/" + node.name] = node
                if node.subtree is not None:
                    stack.append((path + b"/" + node.name, node.subtree))
        return found

    def read(self, node: Node) -> bytes:
        """A file's content."""
        from holdfast.model.blob import BlobType

        reader = Reader(self.repository, self.index)
        return b"".join(bytes(reader.load_blob(BlobType.DATA, blob_id)) for blob_id in node.content or ())


@pytest.fixture
def kit(tmp_path: Path) -> Iterator[Kit]:
    repository = new_repository()
    repository.cache_dir = tmp_path / "cache"
    repository.cache_dir.mkdir()
    with Index(repository) as index:
        yield Kit(repository, index)


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "source"
    folder.mkdir()
    yield folder
    # Thousands of levels are more than Python's own clean-up can take.
    subprocess.run(["rm", "-rf", str(folder)], check=True)


@pytest.fixture
def write(source: Path) -> Callable[..., Path]:
    """Writes a file below the source folder."""

    def do(name: str, content: bytes = b"content") -> Path:
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return do
