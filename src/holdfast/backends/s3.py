"""A bucket of Amazon S3, or of any server that speaks its protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from obstore.store import S3Store

from holdfast.backends import urls
from holdfast.backends.object_store import NO_RETRY, ObjectStoreBackend, open_stores
from holdfast.backends.options import BackendOptions

if TYPE_CHECKING:
    from obstore.store import ClientConfig, S3Config


class S3Backend(ObjectStoreBackend):
    """Objects in an S3 bucket, each sent with its SHA-256."""

    @classmethod
    def from_url(cls, url: str, options: BackendOptions) -> S3Backend:
        """Opens `s3:host/bucket/prefix` or `s3://bucket/prefix`.

        Credentials come from `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, or from the
        machine's role. Settings: `s3.region`, `s3.storage-class`, `s3.bucket-lookup` (`path` or `dns`).
        """
        place = urls.s3_location(url)
        config = _config(place, options)

        def make(limits: ClientConfig) -> S3Store:
            prefix = place.prefix or None
            return S3Store(place.bucket, prefix=prefix, config=config, client_options=limits, retry_config=NO_RETRY)

        plain_http = config.get("endpoint", "").startswith("http://")
        reader, writer = open_stores(make, url, options, plain_http=plain_http)
        storage_class = options.extra.get("s3.storage-class", "")
        connections = options.connections or 5
        return cls(url, reader, writer, connections=connections, storage_class=storage_class)


def _config(place: urls.BucketLocation, options: BackendOptions) -> S3Config:
    endpoint = place.endpoint or options.setting("s3.endpoint", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    region = options.setting("s3.region", "AWS_REGION", "AWS_DEFAULT_REGION") or place.region or "us-east-1"
    config: S3Config = {"region": region, "checksum_algorithm": "SHA256", "disable_bulk_delete": True}
    key = options.setting("s3.access-key-id", "AWS_ACCESS_KEY_ID")
    secret = options.setting("s3.secret-access-key", "AWS_SECRET_ACCESS_KEY")
    token = options.setting("s3.session-token", "AWS_SESSION_TOKEN")
    if key:
        config["access_key_id"] = key
    if secret:
        config["secret_access_key"] = secret
    if token:
        config["session_token"] = token
    by_name = options.extra.get("s3.bucket-lookup") == "dns"
    if by_name:
        config["virtual_hosted_style_request"] = True
    if endpoint:
        config["endpoint"] = endpoint.replace("://", f"://{place.bucket}.", 1) if by_name else endpoint
    return config
