"""Volumes of a container engine, through the folder that holds them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from holdfast.errors import DumpStalled, HoldfastError, Phrase, SourceError, SourceMissing
from holdfast.model.component import Role
from holdfast.policy.patterns import Excludes
from holdfast.runtime.programs import Patience, find_program, run_program
from holdfast.sources.files_options import DockerVolumeOptions
from holdfast.sources.trees.source import TreeSource
from holdfast.sources.trees.tops import Top, real_paths
from holdfast.sources.trees.walk import Limits

__all__ = ["DockerVolume", "DockerVolumeOptions"]

_VOLUMES = Path("/var/lib/docker/volumes")
_INSPECT_S = 30.0


class DockerVolume(TreeSource):
    """A source of kind `docker-volume`. The tree holds one folder, named like the volume.

    Containers hold the folder of a volume open, so a restore replaces what is in it and leaves the folder itself.

    Args:
        name: the operator's name for it.
        base_dir: what a relative mount point starts from.
        skip: places of our own that are never backed up, even if they lie inside.
    """

    kind = "docker-volume"
    role = Role.STORAGE

    def __init__(self, name: str, options: DockerVolumeOptions, base_dir: Path, skip: Iterable[Path] = ()) -> None:
        limits = Limits(
            excludes=Excludes(map(os.fsencode, options.exclude)),
            caches=options.exclude_caches,
            skip=real_paths(skip),
        )
        super().__init__(name, base_dir, limits, in_place=True)
        self._options = options
        self._mountpoint: Path | None = None

    def tops(self) -> list[Top]:
        """Where the volume is.

        Raises:
            SourceMissing: there is no such volume.
        """
        if self._mountpoint is None:
            self._mountpoint = self._found()
        return [Top(os.fsencode(self._options.volume), self._mountpoint, self._options.volume)]

    def _found(self) -> Path:
        if self._options.mountpoint:
            return Path(os.path.realpath(self._base_dir / self._options.mountpoint))
        program = find_program(["docker"])
        inspected = self._inspected(program) if program else ""
        path = Path(inspected) if inspected else _VOLUMES / self._options.volume / "_data"
        if not path.is_dir():
            raise SourceMissing(
                source=self.name,
                path=Phrase("the volume {volume} ({path})", {"volume": self._options.volume, "path": path}),
            )
        return Path(os.path.realpath(path))

    def _inspected(self, program: str) -> str:
        """What the engine says; empty if it does not know the volume."""
        command = [program, "volume", "inspect", "--format", "{{ .Mountpoint }}", "--", self._options.volume]
        try:
            output, ending = run_program(command, Patience(_INSPECT_S, self._stalled, lambda: None))
        except OSError as error:
            raise SourceError(path=program, reason=error.strerror or str(error)) from error
        text = os.fsdecode(output).strip()
        return text if ending.succeeded and text.startswith("/") and "\n" not in text else ""

    def _stalled(self, seconds: float) -> HoldfastError:
        return DumpStalled(source=self.name, seconds=f"{seconds:g}")
