"""What the options of a target tell the storage behind it."""

from __future__ import annotations

from typing import Protocol

from holdfast.runtime.secret import Secret


class StorageOptions(Protocol):
    """The options that targets of both kinds have in common."""

    @property
    def access_key_id(self) -> str: ...

    @property
    def secret_access_key(self) -> Secret | None: ...

    @property
    def session_token(self) -> Secret | None: ...

    @property
    def endpoint(self) -> str: ...

    @property
    def region(self) -> str: ...

    @property
    def options(self) -> dict[str, str]: ...


def storage_settings(options: StorageOptions) -> dict[str, str]:
    """Settings by name, `<scheme>.<setting>`; a key of its own wins over one in `options`."""
    settings = dict(options.options)
    for name, text in (
        ("access-key-id", options.access_key_id),
        ("endpoint", options.endpoint),
        ("region", options.region),
    ):
        if text:
            settings[f"s3.{name}"] = text
    for name, secret in (
        ("secret-access-key", options.secret_access_key),
        ("session-token", options.session_token),
    ):
        if secret is not None:
            settings[f"s3.{name}"] = secret.reveal().decode()
    return settings
