"""The one document that makes a location a repository."""

from __future__ import annotations

import msgspec


class RepositoryConfig(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Content of the `config` file.

    Attributes:
        version: 1 or 2.
        id: 32 random bytes that name the repository.
        chunker_polynomial: an irreducible polynomial of degree 53 over GF(2), as an integer.
    """

    version: int
    id: bytes
    chunker_polynomial: int
