"""What sources that are databases of a server have in common."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from holdfast.errors import RestoreRefused
from holdfast.model.component import Role
from holdfast.protocols import LoadPlan, LoadReport, LoadRequest, StoredContent
from holdfast.sources.content_file import DumpFile, is_folder
from holdfast.sources.server_tools import Tool


class ServerLoad(Protocol):
    """One restore into a server."""

    def plan(self) -> LoadPlan:
        """Says what `load` would do."""
        ...

    def load(self) -> LoadReport:
        """Restores. Raises `RestoreError` or `DamageError`."""
        ...


class ServerSource(ABC):
    """One database of a server; see `holdfast.protocols.Source`.

    Args:
        name: the operator's name for it.
        location: of the database, for people.
        tools: where client programs are looked for; empty for the usual places.
        base_dir: relative paths begin there.
    """

    role = Role.DATABASE

    def __init__(self, name: str, location: str, tools: str | None, base_dir: Path) -> None:
        self._name = name
        self._location = location
        self._tools = str(base_dir / tools) if tools else ""
        self._base_dir = base_dir
        self._asked: tuple[str, Tool] | None = None

    @property
    def name(self) -> str:
        """The operator's name for it."""
        return self._name

    def preflight(self) -> None:
        """Connects, and asks the dump program for its version. Raises `SourceError`."""
        server = self._server_version()
        self._asked = (server, self._dump_tool(server, lambda: None))

    def facts(self) -> dict[str, str]:
        """Versions of the server and of the dump program, for people. Raises `SourceError`."""
        server = self._server_version()
        return {"server_version": server, "tool": shown_tool(self._dump_tool(server, lambda: None))}

    def plan(self, chain: Sequence[StoredContent], request: LoadRequest) -> LoadPlan:
        """Says what `load` would do."""
        return self._checked_load(chain, request).plan()

    def load(self, chain: Sequence[StoredContent], request: LoadRequest) -> LoadReport:
        """Restores beside the live database, judges it, and swaps it in. Raises `RestoreError` or `DamageError`."""
        return self._checked_load(chain, request).load()

    def _checked_load(self, chain: Sequence[StoredContent], request: LoadRequest) -> ServerLoad:
        if request.paths:
            raise RestoreRefused(destination=self._location, reason="a database has tables and no paths")
        if is_folder(request.destination):
            return DumpFile(chain, request, self._base_dir)
        return self._load(chain, request)

    def _tool(self, server: str, cancelled: Callable[[], None]) -> Tool:
        """The dump program for a server: the one that `preflight` just asked, or else one that is asked now."""
        asked, self._asked = self._asked, None
        return asked[1] if asked is not None and asked[0] == server else self._dump_tool(server, cancelled)

    @abstractmethod
    def _server_version(self) -> str:
        """What the server says it is. Raises `SourceError`."""

    @abstractmethod
    def _dump_tool(self, server: str, cancelled: Callable[[], None]) -> Tool:
        """The dump program for a server of this version. Raises `SourceError`."""

    @abstractmethod
    def _load(self, chain: Sequence[StoredContent], request: LoadRequest) -> ServerLoad:
        """A restore of this content."""


def shown_tool(tool: Tool) -> str:
    """Name and version of a program, for people."""
    return f"{os.path.basename(tool.path)} {tool.version}"
