"""What a caller may change about a configuration for one run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from holdfast.config.model import Config, Keep, TargetConfig
from holdfast.errors import UnknownName
from holdfast.targets.archive_options import ArchiveOptions

Compression = Literal["gz", "zst", ""]


class Overrides(msgspec.Struct, frozen=True, kw_only=True):
    """Changes to a configuration; None leaves what it says.

    Attributes:
        archive_url: where the first archive is kept.
        compression: of all archives; empty for none.
        compress_databases: whether archives compress databases.
        keep_last: keep the newest so many of each type in every target, and nothing by other rules.
    """

    archive_url: str | None = None
    compression: Compression | None = None
    compress_databases: bool | None = None
    keep_last: int | None = None


def overridden(config: Config, overrides: Overrides) -> Config:
    """The configuration with the changes made.

    Raises:
        UnknownName: an archive is to be kept elsewhere, and there is no archive.
    """
    targets = {name: _changed(target, overrides) for name, target in config.targets.items()}
    if overrides.archive_url is not None:
        name, options = _first_archive(targets)
        options = msgspec.structs.replace(options, url=overrides.archive_url)
        targets[name] = msgspec.structs.replace(targets[name], options=options)
    return msgspec.structs.replace(config, targets=targets)


def _changed(target: TargetConfig, overrides: Overrides) -> TargetConfig:
    options, keep = target.options, target.keep
    if isinstance(options, ArchiveOptions) and overrides.compression is not None:
        options = msgspec.structs.replace(options, compression=overrides.compression)
    if isinstance(options, ArchiveOptions) and overrides.compress_databases is not None:
        options = msgspec.structs.replace(options, compress_databases=overrides.compress_databases)
    if overrides.keep_last is not None:
        keep = Keep(last=overrides.keep_last)
    return msgspec.structs.replace(target, options=options, keep=keep)


def _first_archive(targets: Mapping[str, TargetConfig]) -> tuple[str, ArchiveOptions]:
    for name, target in targets.items():
        if isinstance(target.options, ArchiveOptions):
            return name, target.options
    raise UnknownName(what="target of kind archive", name="*", known=", ".join(targets) or "none")
