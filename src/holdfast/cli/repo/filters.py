"""The options that choose among snapshots, alike on every command that has them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from holdfast.policy.selection import SnapshotFilter

_Decorated = Callable[..., Any]


def filter_options(function: _Decorated) -> _Decorated:
    """Adds --host, --tag and --path."""
    return _add(function, "-H", "--host")


def long_filter_options(function: _Decorated) -> _Decorated:
    """The same where -H means something else."""
    return _add(function, "--host")


def _add(function: _Decorated, *host_flags: str) -> _Decorated:
    for option in (
        click.option("--path", multiple=True, metavar="PATH", help="Only snapshots of this path; may be repeated."),
        click.option("--tag", multiple=True, metavar="TAG[,TAG…]", help="Only snapshots with all these tags."),
        click.option(*host_flags, multiple=True, metavar="NAME", help="Only snapshots of this host."),
    ):
        function = option(function)
    return function


def default_host() -> str:
    """The host that is meant where none is named; empty for this machine, or for all of them."""
    return os.environ.get("HOLDFAST_HOST") or os.environ.get("RESTIC_HOST", "")


def snapshot_filter(host: Sequence[str], tag: Sequence[str], path: Sequence[str]) -> SnapshotFilter:
    """The filter that the options stand for. An empty host takes back the one of the environment."""
    from holdfast.policy.selection import SnapshotFilter, parse_tags

    hosts = tuple(filter(None, host or [default_host()]))
    return SnapshotFilter(hosts=hosts, tags=tuple(map(parse_tags, tag)), paths=tuple(path))
