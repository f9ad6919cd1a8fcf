"""Folders in buckets: the stores that the backends of the same kinds use, with repetition of their own."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, cast

from holdfast.backends import urls
from holdfast.backends.az import AzureBackend
from holdfast.backends.folders.object import ObjectFolder
from holdfast.backends.gs import GoogleBackend
from holdfast.backends.object_store import ObjectStoreBackend
from holdfast.backends.options import BackendOptions
from holdfast.backends.s3 import S3Backend
from holdfast.protocols.folder import Folder

if TYPE_CHECKING:
    from obstore.store import AzureStore, GCSStore, RetryConfig, S3Store

    Store = S3Store | GCSStore | AzureStore

_RETRIES_MAX = 12


class S3Folder:
    """A bucket of Amazon S3, or of any server that speaks its protocol."""

    @classmethod
    def from_url(cls, url: str, options: BackendOptions) -> Folder:
        """Opens `s3:host/bucket/prefix` or `s3://bucket/prefix`; settings are those of the backend `s3`."""
        return _folder(_S3.from_url(url, options), url, options)


class GoogleFolder:
    """A bucket of Google Cloud Storage."""

    @classmethod
    def from_url(cls, url: str, options: BackendOptions) -> Folder:
        """Opens `gs://bucket/prefix`; settings are those of the backend `gs`."""
        return _folder(_Google.from_url(url, options), url, options)


class AzureFolder:
    """A container of Azure Blob Storage."""

    @classmethod
    def from_url(cls, url: str, options: BackendOptions) -> Folder:
        """Opens `az://container/prefix`; settings are those of the backend `az`."""
        return _folder(_Azure.from_url(url, options), url, options)


class _Stores(ObjectStoreBackend):
    """Gives away the two stores that a backend opened."""

    def stores(self) -> tuple[Store, Store]:
        """For reading and for writing."""
        return self._reader, self._writer


class _S3(S3Backend, _Stores):
    pass


class _Google(GoogleBackend, _Stores):
    pass


class _Azure(AzureBackend, _Stores):
    pass


def _folder(backend: ObjectStoreBackend, url: str, options: BackendOptions) -> Folder:
    reader, writer = cast(_Stores, backend).stores()
    # A stream cannot be sent again from its start, as the wrapper for repositories does it: the library repeats parts.
    seconds = min(options.retry_deadline_s, 180.0)
    retries = _RETRIES_MAX if options.retry_deadline_s > 0 else 0
    retry: RetryConfig = {"max_retries": retries, "retry_timeout": timedelta(seconds=seconds)}
    return ObjectFolder(urls.without_secrets(url), _again(reader, retry), _again(writer, retry))


def _again(store: Store, retry: RetryConfig) -> Store:
    make = cast("type[S3Store]", type(store))
    config = cast("S3Store", store).config
    return make(prefix=store.prefix, config=config, client_options=store.client_options, retry_config=retry)
