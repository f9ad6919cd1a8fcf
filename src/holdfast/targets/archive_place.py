"""Where an archive is: opening its folder, and noticing that its disk is not mounted."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec

from holdfast.archive.layouts.layout import plain
from holdfast.backends import urls
from holdfast.backends.folders.opening import open_folder
from holdfast.backends.options import BackendOptions
from holdfast.errors import BackendError
from holdfast.protocols.folder import Folder
from holdfast.targets.archive_options import ArchiveOptions
from holdfast.targets.storage_settings import storage_settings

_OWN = ".holdfast"


def open_place(options: ArchiveOptions, base_dir: Path) -> Folder:
    """Opens the folder that the options name; a relative path starts at `base_dir`."""
    url = options.url
    prefix = options.prefix.strip("/")
    if urls.scheme_of(url) == "local":
        path = os.path.join(base_dir, os.path.expanduser(urls.local_path(url)))
        url = f"local:{os.path.join(path, prefix) if prefix else path}"
    elif prefix:
        url = f"{url.rstrip('/')}/{prefix}"
    return open_folder(url, BackendOptions(extra=storage_settings(options)))


class _Memory(msgspec.Struct, frozen=True):
    path: str
    device: int


class Mount:
    """Remembers on which disk an archive is.

    SAFETY: an archive on a disk that is not mounted looks like an empty folder. Backing up into that would fill another
    disk, and retention would see nothing to keep. So a folder that has turned empty *and* lies on another disk than
    before is refused; one that a person emptied is not.

    Args:
        root: the archive's folder on this machine; None for one that is elsewhere.
        state_dir: where to remember; None remembers nothing.
        name: the target's name.
    """

    def __init__(self, root: Path | None, state_dir: Path | None, name: str) -> None:
        self._root = root
        self._memory = None if state_dir is None else state_dir / f"archive-{plain(name)}.json"

    def check(self) -> None:
        """Raises `BackendError` if the archive's disk does not seem to be mounted."""
        known = self._known()
        if self._root is None or known is None or known.path != str(self._root):
            return
        if not (self._root / _OWN).is_dir() and self._device() != known.device:
            reason = "it is empty and on another disk than before; is its disk mounted?"
            raise BackendError(url=str(self._root), object="the archive", reason=reason)

    def remember(self) -> None:
        """Notes the disk on which the archive is now."""
        if self._root is None or self._memory is None:
            return
        now = _Memory(str(self._root), self._device())
        if now == self._known():
            return
        # What cannot be noted now is noted by a later run; no backup must fail for it.
        with contextlib.suppress(OSError):
            self._memory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary = self._memory.with_name(f".{self._memory.name}.{os.getpid()}")
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(fd, "wb") as target:
                target.write(msgspec.json.encode(now))
            temporary.replace(self._memory)

    def _known(self) -> _Memory | None:
        if self._memory is None:
            return None
        try:
            return msgspec.json.decode(self._memory.read_bytes(), type=_Memory)
        except (OSError, msgspec.DecodeError, ValueError):
            return None

    def _device(self) -> int:
        """The disk of the folder, or of what is nearest above it."""
        path = self._root or Path("/")
        while not path.exists():
            path = path.parent
        return path.stat().st_dev
