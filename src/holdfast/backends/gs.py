"""A bucket of Google Cloud Storage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from obstore.store import GCSStore

from holdfast.backends import urls
from holdfast.backends.object_store import NO_RETRY, ObjectStoreBackend, open_stores
from holdfast.backends.options import BackendOptions

if TYPE_CHECKING:
    from obstore.store import ClientConfig, GCSConfig


class GoogleBackend(ObjectStoreBackend):
    """Objects in a bucket of Google Cloud Storage."""

    @classmethod
    def from_url(cls, url: str, options: BackendOptions) -> GoogleBackend:
        """Opens `gs://bucket/prefix` or `gs:bucket:/prefix`.

        Credentials come from `GOOGLE_APPLICATION_CREDENTIALS` or `GOOGLE_ACCESS_TOKEN`, or from the machine's role.
        """
        place = urls.bucket_location(url)
        config: GCSConfig = {}
        credentials = options.setting("gs.credentials", "GOOGLE_APPLICATION_CREDENTIALS")
        token = options.setting("gs.token", "GOOGLE_ACCESS_TOKEN")
        if credentials:
            config["application_credentials"] = credentials
        if token:
            config["bearer_token"] = token

        def make(limits: ClientConfig) -> GCSStore:
            prefix = place.prefix or None
            return GCSStore(place.bucket, prefix=prefix, config=config, client_options=limits, retry_config=NO_RETRY)

        reader, writer = open_stores(make, url, options)
        return cls(url, reader, writer, connections=options.connections or 5)
