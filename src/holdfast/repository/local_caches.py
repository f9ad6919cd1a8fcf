"""The folders that keep derived data of repositories on this machine: which there are, and clearing old ones away."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from holdfast.errors import BackendError
from holdfast.model.ids import is_hex_id
from holdfast.runtime.clock import Clock

OLD_DAYS = 30
"""Unused for longer than this, a folder is hardly needed again."""

_DAY_S = 24 * 3600


class LocalCache(msgspec.Struct, frozen=True, kw_only=True):
    """One repository's folder. `size_bytes` is 0 where it was not asked for."""

    repository: bytes
    folder: Path
    age_days: int
    size_bytes: int = 0


def list_caches(root: Path, clock: Clock, *, with_sizes: bool = True) -> list[LocalCache]:
    """The folders below a root, those not used for longest last. There are none where there is no root."""
    now_s = clock.now().ns / 1e9
    found: list[LocalCache] = []
    for folder in root.iterdir() if root.is_dir() else ():
        if is_hex_id(folder.name) and folder.is_dir() and not folder.is_symlink():
            age_days = int(max(0.0, now_s - folder.stat().st_mtime) // _DAY_S)
            size = _size(folder) if with_sizes else 0
            name = bytes.fromhex(folder.name)
            found.append(LocalCache(repository=name, folder=folder, age_days=age_days, size_bytes=size))
    return sorted(found, key=lambda cache: (cache.age_days, cache.repository))


def remove_caches(caches: Iterable[LocalCache]) -> None:
    """Deletes folders of derived data.

    Raises:
        BackendError: one of them cannot be deleted.
    """
    for cache in caches:
        try:
            # SAFETY: derived data only; the next command makes it again.
            shutil.rmtree(cache.folder)
        except OSError as error:
            reason = error.strerror or str(error)
            raise BackendError(url=str(cache.folder.parent), object=cache.folder.name, reason=reason) from error


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def default_root(environment: Mapping[str, str]) -> Path:
    """Where derived data of all repositories is kept by default: `holdfast` among the user's caches."""
    home = environment.get("XDG_CACHE_HOME", "")
    return (Path(home) if os.path.isabs(home) else Path.home() / ".cache") / "holdfast"
