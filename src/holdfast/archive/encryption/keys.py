"""What archives are encrypted and opened with."""

from __future__ import annotations

from typing import Literal

import msgspec

from holdfast.errors import Phrase, UsageError
from holdfast.runtime.secret import Secret

SUFFIXES = {"age": ".age", "gpg": ".gpg", "openssl": ".enc"}


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """How new files are encrypted, and everything there is to open files with.

    Attributes:
        encryption: of new files; empty for none.
        passphrase: for GPG, for age without recipients, and for files of openssl.
        recipients: public keys for age.
        identity: the private key for age; need not be there to write.
    """

    encryption: Literal["age", "gpg", ""] = ""
    passphrase: Secret | None = None
    recipients: tuple[str, ...] = ()
    identity: Secret | None = None

    def check(self, target: str) -> None:
        """Finds out before anything is written whether new files can be encrypted.

        Raises:
            UsageError: the settings contradict each other or say too little.
        """
        if not self.encryption:
            return
        if self.encryption == "gpg" and self.recipients:
            raise UsageError(
                detail=Phrase(
                    "target {target}: recipients are for age; gpg takes a passphrase here", {"target": target}
                )
            )
        if self.passphrase and self.recipients:
            raise UsageError(
                detail=Phrase(
                    "target {target}: age takes either a passphrase or recipients, not both", {"target": target}
                )
            )
        if not self.passphrase and not self.recipients:
            raise UsageError(
                detail=Phrase(
                    "target {target}: encryption {encryption} needs a passphrase or recipients",
                    {"target": target, "encryption": self.encryption},
                )
            )

    @property
    def opens_what_it_writes(self) -> bool:
        """Whether files that are written with these keys can be read with them."""
        return not self.recipients or self.identity is not None
