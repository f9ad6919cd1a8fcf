"""The options of a prune, which `prune` and `forget --prune` share."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.repo.backup_options import size_of
from holdfast.errors import UsageError

if TYPE_CHECKING:
    from holdfast.cli.repo.session import RepoSession
    from holdfast.repository.prune.options import MaxUnused, PruneOptions

_Decorated = Callable[..., Any]
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)%\Z")


def prune_options(function: _Decorated) -> _Decorated:
    """Adds the options that say how thoroughly to prune."""
    for option in (
        click.option("--repack-small", is_flag=True, help="Repack packs below 80 % of the pack size."),
        click.option("--repack-smaller-than", metavar="SIZE", help="Repack packs below this size."),
        click.option("--repack-uncompressed", is_flag=True, help="Compress data that was stored uncompressed."),
        click.option("--repack-cacheable-only", is_flag=True, help="Repack only packs that every command reads."),
        click.option("--max-repack-size", metavar="SIZE", help="Stop after repacking this much, such as 10G."),
        click.option(
            "--max-unused",
            default="5%",
            metavar="LIMIT",
            help="Let this much unused data stay: 5%, 500M or unlimited.",
        ),
    ):
        function = option(function)
    return function


def read_prune_options(session: RepoSession, given: dict[str, Any]) -> PruneOptions:
    """What the options stand for. Raises `UsageError`."""
    from holdfast.repository.prune.options import PruneOptions

    repack = given["max_repack_size"]
    return PruneOptions(
        max_unused=_max_unused(given["max_unused"]),
        max_repack_bytes=size_of(repack) if repack else None,
        repack_smaller_than_bytes=size_of(given["repack_smaller_than"]),
        repack_small=given["repack_small"],
        repack_cacheable_only=given["repack_cacheable_only"],
        repack_uncompressed=given["repack_uncompressed"],
        unsafe_recover_no_free_space=bool(given.get("unsafe_recover_no_free_space")),
        compression=session.compression(),
        pack_bytes=session.pack_bytes(),
        dry_run=given["dry_run"],
    )


def _max_unused(text: str) -> MaxUnused:
    from holdfast.repository.prune.options import UNLIMITED_UNUSED, MaxUnused

    if text.strip().lower() == "unlimited":
        return UNLIMITED_UNUSED
    if found := _PERCENT.match(text.strip()):
        percent = float(found[1])
        if percent >= 100:
            raise UsageError(detail="--max-unused takes less than 100%, or the word unlimited")
        return MaxUnused(percent=percent)
    if not text.strip():
        raise UsageError(detail="--max-unused needs a limit such as 5%, 500M or unlimited")
    return MaxUnused(size_bytes=size_of(text))
