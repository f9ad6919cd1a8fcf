"""What may be said about a target of kind `archive`."""

from __future__ import annotations

from typing import Literal

import msgspec

from holdfast.runtime.secret import Secret


class ArchiveOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the plain files go and what they look like.

    Attributes:
        url: a path, or `s3:`, `gs:`, `az:`, `sftp:` and what follows; a relative path starts at the configuration file.
        layout: how files are named and put into folders.
        compression: of trees and, where `compress_databases` says so, of databases and tables; empty for none.
        compression_level: 0 is the usual one: 6 for gzip, 3 for zstd.
        compress_databases: None leaves it to the layout: `typed` keeps databases as they are, `flat` compresses them.
        encryption: `age` or `gpg`; empty for none.
        passphrase: for `gpg`, and for `age` without recipients.
        recipients: public keys of age (`age1…`) or of SSH (`ssh-ed25519 …`, `ssh-rsa …`).
        identity: the private key that belongs to a recipient; only reading needs it.
        access_key_id, secret_access_key, session_token: credentials of an S3 bucket; by default those of the
            environment or of the machine's role.
        endpoint, region: of an S3 bucket, where the location does not name them.
        options: settings of the storage, `<scheme>.<setting>`, such as `sftp.identity`.
        prefix: a folder below the location; everything of this target lies there.
    """

    url: str
    layout: Literal["typed", "flat", "bundle", "directory"] = "typed"
    compression: Literal["gz", "zst", ""] = "gz"
    compression_level: int = 0
    compress_databases: bool | None = None
    encryption: Literal["age", "gpg", ""] = ""
    passphrase: Secret | None = None
    recipients: tuple[str, ...] = ()
    identity: Secret | None = None
    access_key_id: str = ""
    secret_access_key: Secret | None = None
    session_token: Secret | None = None
    endpoint: str = ""
    region: str = ""
    options: dict[str, str] = {}
    prefix: str = ""
