"""`holdfast repo cache`."""

from __future__ import annotations

import click

from holdfast.cli import values
from holdfast.cli.output import count
from holdfast.cli.repo.command import repo_command
from holdfast.cli.repo.session import RepoSession
from holdfast.cli.text import _, ngettext
from holdfast.errors import ContradictoryOptions


@repo_command("cache", help="List what is kept on this machine, and clear it away.")
@click.option("--cleanup", is_flag=True, help="Remove what has not been used for some time.")
@click.option(
    "--max-age", type=click.IntRange(min=0), default=30, metavar="DAYS", help="Days after which it counts as old."
)
@click.option("--no-size", is_flag=True, help="Do not count bytes.")
@click.pass_obj
def command(session: RepoSession, cleanup: bool, max_age: int, no_size: bool) -> None:
    """Lists caches."""
    from holdfast.repository.local_caches import list_caches, remove_caches
    from holdfast.runtime.clock import SystemClock

    root = session.cache_root()
    if root is None:
        raise ContradictoryOptions(first="--no-cache", second="cache")
    printer = session.printer
    caches = list_caches(root, SystemClock(), with_sizes=not no_size)
    old = [cache for cache in caches if cache.age_days > max_age]
    if cleanup:
        remove_caches(old)
        printer.message("summary", removed=[cache.repository.hex() for cache in old])
        if not printer.quiet:
            printer.line(count(len(old), "{count} old folder was removed.", "{count} old folders were removed."))
        return
    printer.document(
        [
            {
                "repository_id": cache.repository.hex(),
                "age_days": cache.age_days,
                "old": cache in old,
                **({} if no_size else {"size": cache.size_bytes}),
            }
            for cache in caches
        ]
    )
    rows = [
        [
            cache.repository.hex()[:10],
            ngettext("{count} day ago", "{count} days ago", cache.age_days).replace("{count}", str(cache.age_days)),
            _("yes") if cache in old else "",
            *([] if no_size else [values.size(cache.size_bytes)]),
        ]
        for cache in caches
    ]
    header = [_("Repository"), _("Last used"), _("Old"), *([] if no_size else [_("Size")])]
    printer.table(header, rows, right=() if no_size else (3,))
    printer.note("These folders are in {folder}.", folder=str(root))
