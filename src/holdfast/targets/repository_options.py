"""What may be said about a target of kind `repository`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

from holdfast.runtime.secret import Secret

Rate = Annotated[int, msgspec.Meta(ge=0)]


class CompressionChoice(StrEnum):
    """How hard new data is compressed, with the names restic uses."""

    AUTO = "auto"
    OFF = "off"
    FASTEST = "fastest"
    BETTER = "better"
    MAX = "max"


class RepositoryOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a repository is, and how to treat it.

    Attributes:
        url: a path (relative ones are relative to the configuration) or `s3:`, `gs:`, `az:`, `sftp:`, `rest:` and what
            follows.
        password: of the repository; an empty one must be allowed by `insecure_no_password`.
        access_key_id, secret_access_key, session_token: credentials of an S3 bucket; by default those of the
            environment or of the machine's role.
        endpoint, region: of an S3 bucket, where the location does not name them.
        options: further settings of the storage by name, such as `sftp.identity` or `cacert`.
        compression: how hard new data is compressed.
        pack_size: size at which a pack is closed, MiB; 0 leaves it to the program.
        limit_upload, limit_download: KiB a second; 0 for no limit.
        connections: requests at once; 0 leaves it to the backend.
        retry_lock: seconds to wait for somebody else's lock.
        max_unused: how much of the repository may be unused after deleting, as `repo prune --max-unused` takes it.
        read_only: refuse everything that writes.
        no_init: do not create the repository if there is none.
        cache: keep derived data on this machine, which saves fetching it again.
    """

    url: str
    password: Secret | None = None
    insecure_no_password: bool = False
    access_key_id: str = ""
    secret_access_key: Secret | None = None
    session_token: Secret | None = None
    endpoint: str = ""
    region: str = ""
    options: dict[str, str] = {}
    compression: CompressionChoice = CompressionChoice.AUTO
    pack_size: Annotated[int, msgspec.Meta(ge=0, le=128)] = 0
    limit_upload: Rate = 0
    limit_download: Rate = 0
    connections: Rate = 0
    retry_lock: Annotated[float, msgspec.Meta(ge=0)] = 60.0
    max_unused: str = "5%"
    read_only: bool = False
    no_init: bool = False
    cache: bool = True
