"""A lock file's content."""

from __future__ import annotations

import msgspec

from holdfast.model.instant import Instant


class Lock(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Who holds a repository, since when, and whether alone."""

    time: Instant
    exclusive: bool
    hostname: str
    username: str
    pid: int
    uid: int = 0
    gid: int = 0
