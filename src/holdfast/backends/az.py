"""A container of Azure Blob Storage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from obstore.store import AzureStore

from holdfast.backends import urls
from holdfast.backends.object_store import NO_RETRY, ObjectStoreBackend, open_stores
from holdfast.backends.options import BackendOptions

if TYPE_CHECKING:
    from obstore.store import AzureConfig, ClientConfig


class AzureBackend(ObjectStoreBackend):
    """Objects in a container of Azure Blob Storage."""

    @classmethod
    def from_url(cls, url: str, options: BackendOptions) -> AzureBackend:
        """Opens `az://container/prefix` or `azure:container:/prefix`.

        Credentials come from `AZURE_ACCOUNT_NAME` with `AZURE_ACCOUNT_KEY` or `AZURE_ACCOUNT_SAS`. The setting
        `az.endpoint` names another server.
        """
        place = urls.bucket_location(url)
        config = _config(options)

        def make(limits: ClientConfig) -> AzureStore:
            prefix = place.prefix or None
            return AzureStore(place.bucket, prefix=prefix, config=config, client_options=limits, retry_config=NO_RETRY)

        plain_http = config.get("endpoint", "").startswith("http://")
        reader, writer = open_stores(make, url, options, plain_http=plain_http)
        return cls(url, reader, writer, connections=options.connections or 5)


def _config(options: BackendOptions) -> AzureConfig:
    config: AzureConfig = {}
    name = options.setting("az.account-name", "AZURE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_NAME")
    key = options.setting("az.account-key", "AZURE_ACCOUNT_KEY", "AZURE_STORAGE_ACCOUNT_KEY")
    signature = options.setting("az.account-sas", "AZURE_ACCOUNT_SAS", "AZURE_STORAGE_SAS_KEY")
    endpoint = options.setting("az.endpoint", "AZURE_STORAGE_ENDPOINT")
    if name:
        config["account_name"] = name
    if key:
        config["account_key"] = key
    if signature:
        config["sas_key"] = signature
    if endpoint:
        config["endpoint"] = endpoint
    return config
