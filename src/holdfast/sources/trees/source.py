"""What all sources of files have in common."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from holdfast.errors import Phrase, SourceError, SourceMissing
from holdfast.model.component import Problem, Role
from holdfast.protocols import DumpRequest, LoadPlan, LoadReport, LoadRequest, StoredContent
from holdfast.sources.files_options import Missing
from holdfast.sources.trees.dump import TreeDump, component_of
from holdfast.sources.trees.load import TreeLoad
from holdfast.sources.trees.tops import Top
from holdfast.sources.trees.walk import Limits
from holdfast.sources.trees.weigh import total_bytes

ACCEPTED = "missing-accepted"
MISSING = "missing"


class TreeSource:
    """A source over paths of this machine. Subclasses say which.

    Args:
        name: the operator's name for it.
        limits: what is left out.
        missing: what to do about a path that is not there.
        accepted: whether the backup counts as whole when `missing` says to warn.
        in_place: replace what is in a top, and not the top itself, because others hold it open.
    """

    kind: ClassVar[str]
    role: ClassVar[Role]

    def __init__(
        self,
        name: str,
        base_dir: Path,
        limits: Limits,
        *,
        missing: Missing = "fail",
        accepted: bool = False,
        in_place: bool = False,
    ) -> None:
        self.name = name
        self._base_dir = base_dir
        self._limits = limits
        self._missing = missing
        self._accepted = accepted
        self._in_place = in_place

    def tops(self) -> list[Top]:
        """Where the configured paths are. Raises `SourceError`."""
        raise NotImplementedError

    def preflight(self) -> None:
        """Looks whether the paths are there.

        Raises:
            SourceMissing: one is not, and that is not accepted.
            SourceError: one cannot be read.
        """
        present, _ = self._present()
        for top in present:
            if not os.access(top.path, os.R_OK | (os.X_OK if top.path.is_dir() else 0)):
                raise SourceError(path=str(top.path), reason="this user may not read it")

    def estimate_bytes(self) -> int | None:
        """The sizes of all files, looked up and not read."""
        return total_bytes(self.tops(), self._limits)

    @contextmanager
    def dump(self, request: DumpRequest) -> Generator[TreeDump]:
        """Begins a walk. Raises `SourceMissing`."""
        present, problems = self._present()
        about = component_of(self.name, self.kind, self.role, self.tops())
        yield TreeDump(about, present, self._limits, problems, request)

    def plan(self, chain: Sequence[StoredContent], request: LoadRequest) -> LoadPlan:
        """Says what `load` would do."""
        return self._load(chain, request).plan()

    def load(self, chain: Sequence[StoredContent], request: LoadRequest) -> LoadReport:
        """Brings the tree back, or a part of it, in place or in another folder.

        Raises:
            RestoreError: the destination is as it was.
            DamageError: the content is not whole; the destination is as it was.
        """
        return self._load(chain, request).run()

    def _load(self, chain: Sequence[StoredContent], request: LoadRequest) -> TreeLoad:
        return TreeLoad(self.name, self.tops(), self._limits, chain, request, self._base_dir, in_place=self._in_place)

    def _present(self) -> tuple[list[Top], list[Problem]]:
        present: list[Top] = []
        problems: list[Problem] = []
        for top in self.tops():
            if os.path.lexists(top.path):
                present.append(top)
            elif self._missing == "fail":
                raise SourceMissing(source=self.name, path=str(top.path))
            elif self._missing == "warn":
                code = ACCEPTED if self._accepted else MISSING
                problems.append(
                    Problem(code=code, subject=top.given, detail=Phrase("{path} is not there", {"path": top.path}))
                )
        return present, problems
