"""What sources of folders and files are told."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Missing = Literal["fail", "warn", "ignore"]
"""What to do about a path that is not there."""

_Text = Annotated[str, msgspec.Meta(min_length=1)]
_Paths = Annotated[tuple[_Text, ...], msgspec.Meta(min_length=1)]


class FilesOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a source of kind `files`.

    Attributes:
        paths: folders and files; relative ones to the configuration file.
        exclude: patterns of what is left out, in the language of restic, against the paths as they are stored.
        exclude_caches: leave out what is in folders that hold a `CACHEDIR.TAG`.
        one_file_system: keep mount points as empty folders.
        missing: what to do about a path that is not there.
    """

    paths: _Paths
    exclude: tuple[str, ...] = ()
    exclude_caches: bool = False
    one_file_system: bool = False
    missing: Missing = "fail"


class ConfigFilesOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a source of kind `config`: a handful of single files.

    Attributes:
        paths: files; relative ones to the configuration file.
        missing: what to do about a file that is not there; `warn` says so and the backup still counts as whole.
    """

    paths: _Paths
    missing: Missing = "warn"


class DockerVolumeOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a source of kind `docker-volume`.

    Attributes:
        volume: the volume's name.
        mountpoint: the folder that holds it; empty asks `docker volume inspect`.
        exclude: patterns of what is left out, against paths within the volume.
        exclude_caches: leave out what is in folders that hold a `CACHEDIR.TAG`.
    """

    volume: Annotated[str, msgspec.Meta(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]*$")]
    mountpoint: str = ""
    exclude: tuple[str, ...] = ()
    exclude_caches: bool = False
