"""What may be asked of a backend besides where it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from holdfast.errors import Phrase, UsageError
from holdfast.model.event import Listener, ignore
from holdfast.runtime.cancel import CancelToken

_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"0", "false", "no", "off"})


class BackendOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to open a backend.

    Attributes:
        connections: how many requests at once; 0 leaves it to the backend.
        read_only: refuse everything that writes.
        upload_bytes_per_s: most bytes a second to send; 0 is no limit.
        download_bytes_per_s: most bytes a second to fetch; 0 is no limit.
        retry_deadline_s: how long a failing request is repeated; 0 repeats nothing.
        cancel: stops waiting and repeating.
        listener: hears of every repetition.
        extra: further settings by name, `<scheme>.<setting>`, such as `sftp.identity`.
        environment: where credentials are looked up; by default this process's environment.
    """

    connections: int = 0
    read_only: bool = False
    upload_bytes_per_s: int = 0
    download_bytes_per_s: int = 0
    retry_deadline_s: float = 900.0
    cancel: CancelToken | None = None
    listener: Listener = ignore
    extra: Mapping[str, str] = MappingProxyType({})
    environment: Mapping[str, str] | None = None

    def setting(self, name: str, *variables: str) -> str:
        """A further setting: from `extra`, else from the first of the variables that is set, else empty."""
        if name in self.extra:
            return self.extra[name]
        environment = os.environ if self.environment is None else self.environment
        return next((environment[variable] for variable in variables if environment.get(variable)), "")

    @property
    def ca_file(self) -> str:
        """A file of certificates to trust instead of those of the system; empty for none."""
        return self.setting("cacert", "HOLDFAST_CACERT", "RESTIC_CACERT")

    @property
    def client_certificate(self) -> str:
        """A PEM file of a certificate and its key to show to the server; empty for none."""
        return self.setting("tls-client-cert", "HOLDFAST_TLS_CLIENT_CERT", "RESTIC_TLS_CLIENT_CERT")

    @property
    def insecure_tls(self) -> bool:
        """Whether the server need not prove who it is."""
        return self.switch("insecure-tls", False)

    def switch(self, name: str, default: bool) -> bool:
        """A further setting that is on or off.

        Raises:
            UsageError: the value is neither.
        """
        value = self.extra.get(name, "").lower()
        if not value:
            return default
        if value not in _YES | _NO:
            raise UsageError(
                detail=Phrase(
                    "option {name} is {value}, which is neither yes nor no", {"name": name, "value": repr(value)}
                )
            )
        return value in _YES
