"""From a location to an open folder, loading only the module that is needed."""

from __future__ import annotations

from types import MappingProxyType
from typing import Protocol, cast

from holdfast.backends.lookup import find_opener
from holdfast.backends.options import BackendOptions
from holdfast.protocols.folder import Folder

FOLDERS = MappingProxyType(
    {
        "local": "holdfast.backends.folders.local:LocalFolder",
        "memory": "holdfast.backends.folders.memory:MemoryFolder",
        "s3": "holdfast.backends.folders.buckets:S3Folder",
        "gs": "holdfast.backends.folders.buckets:GoogleFolder",
        "az": "holdfast.backends.folders.buckets:AzureFolder",
        "azure": "holdfast.backends.folders.buckets:AzureFolder",
        "sftp": "holdfast.backends.folders.sftp:SftpFolder",
    }
)
ENTRY_POINTS = "holdfast.folders"


class FolderClass(Protocol):
    """What stands behind a row of the table."""

    def from_url(self, url: str, options: BackendOptions) -> Folder:
        """Opens the location. Raises `UsageError` if it cannot be read; need not contact the storage yet."""
        ...


def open_folder(url: str, options: BackendOptions | None = None) -> Folder:
    """Opens the folder at a location.

    Args:
        url: a path, or `s3:`, `gs:`, `az:`, `sftp:`, `local:` and what follows.
        options: how to open it.

    Raises:
        UsageError: the location cannot be read, or its kind is not installed.
    """
    options = BackendOptions() if options is None else options
    return cast("FolderClass", find_opener(FOLDERS, ENTRY_POINTS, url)).from_url(url, options)
