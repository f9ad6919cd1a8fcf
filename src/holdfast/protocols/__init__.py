"""The extension points, in one place."""

from __future__ import annotations

from holdfast.protocols.backend import (
    CONFIG_HANDLE,
    Backend,
    FileKind,
    Handle,
    Payload,
    StoredObject,
)
from holdfast.protocols.content import (
    ContentReader,
    Entry,
    StoredContent,
)
from holdfast.protocols.folder import (
    Folder,
    FolderFile,
    FolderWriter,
)
from holdfast.protocols.source import (
    Dump,
    DumpRequest,
    LoadPlan,
    LoadReport,
    LoadRequest,
    Source,
)
from holdfast.protocols.target import (
    BackupWriter,
    ComponentWriter,
    Target,
)

__all__ = [
    "CONFIG_HANDLE",
    "Backend",
    "BackupWriter",
    "ComponentWriter",
    "ContentReader",
    "Dump",
    "DumpRequest",
    "Entry",
    "FileKind",
    "Folder",
    "FolderFile",
    "FolderWriter",
    "Handle",
    "LoadPlan",
    "LoadReport",
    "LoadRequest",
    "Payload",
    "Source",
    "StoredContent",
    "StoredObject",
    "Target",
]
