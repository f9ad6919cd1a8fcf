"""From a location to an open backend, loading only the module that is needed."""

from __future__ import annotations

from types import MappingProxyType
from typing import Protocol, cast

from holdfast.backends.lookup import find_opener
from holdfast.backends.options import BackendOptions
from holdfast.protocols import Backend

BACKENDS = MappingProxyType(
    {
        "local": "holdfast.backends.local:LocalBackend",
        "memory": "holdfast.backends.memory:MemoryBackend",
        "s3": "holdfast.backends.s3:S3Backend",
        "gs": "holdfast.backends.gs:GoogleBackend",
        "az": "holdfast.backends.az:AzureBackend",
        "azure": "holdfast.backends.az:AzureBackend",
        "sftp": "holdfast.backends.sftp:SftpBackend",
        "rest": "holdfast.backends.rest:RestBackend",
    }
)
ENTRY_POINTS = "holdfast.backends"


class BackendClass(Protocol):
    """What stands behind a row of the table."""

    def from_url(self, url: str, options: BackendOptions) -> Backend:
        """Opens the location. Raises `UsageError` if it cannot be read; need not contact the storage yet."""
        ...


def open_backend(url: str, *, options: BackendOptions | None = None) -> Backend:
    """Opens the backend at a location, with repetition, limits and the read-only guard as asked.

    Args:
        url: a path, or `s3:`, `gs:`, `az:`, `sftp:`, `rest:`, `local:` and what follows.
        options: how to open it.

    Raises:
        UsageError: the location cannot be read, or its kind is not installed.
    """
    options = BackendOptions() if options is None else options
    backend = cast("BackendClass", find_opener(BACKENDS, ENTRY_POINTS, url)).from_url(url, options)
    atomic = bool(getattr(backend, "saves_are_atomic", True))
    if options.upload_bytes_per_s or options.download_bytes_per_s:
        from holdfast.backends.wrappers.limit import LimitBackend

        backend = LimitBackend(
            backend,
            upload_bytes_per_s=options.upload_bytes_per_s,
            download_bytes_per_s=options.download_bytes_per_s,
        )
    if options.retry_deadline_s > 0:
        from holdfast.backends.wrappers.retry import RetryBackend, RetryPolicy

        policy = RetryPolicy(deadline_s=options.retry_deadline_s)
        backend = RetryBackend(backend, policy=policy, atomic=atomic, cancel=options.cancel, listener=options.listener)
    if options.read_only:
        from holdfast.backends.wrappers.read_only import ReadOnlyBackend

        backend = ReadOnlyBackend(backend)
    return backend
