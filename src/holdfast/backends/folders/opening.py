"""From a location to an open folder, loading only the module that is needed."""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import Protocol, cast

from holdfast.backends import urls
from holdfast.backends.options import BackendOptions
from holdfast.errors import Phrase, UsageError
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
    return _load(urls.scheme_of(url), url).from_url(url, options)


def _load(scheme: str, url: str) -> FolderClass:
    target = FOLDERS.get(scheme)
    if target is None:
        from importlib import metadata

        found = next(iter(metadata.entry_points(group=ENTRY_POINTS, name=scheme)), None)
        if found is None:
            known = ", ".join(sorted(FOLDERS))
            shown = urls.without_secrets(url)
            raise UsageError(
                detail=Phrase(
                    "{shown} names no known kind of storage ({known}); for a folder, write local:{shown}",
                    {"shown": shown, "known": known},
                )
            )
        return cast(FolderClass, found.load())
    module, _, name = target.partition(":")
    try:
        return cast(FolderClass, getattr(import_module(module), name))
    except ModuleNotFoundError as error:
        if error.name != "asyncssh":
            raise
        raise UsageError(
            detail=Phrase("storage of kind {scheme} needs: pip install holdfast[sftp]", {"scheme": scheme})
        ) from error
