"""What the options of `restore` stand for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.repo.backup_options import patterns_from_files
from holdfast.errors import ContradictoryOptions

if TYPE_CHECKING:
    from holdfast.repository.restore.report import RestoreOptions

_Decorated = Callable[..., Any]


def pattern_options(function: _Decorated) -> _Decorated:
    """Adds --include, --exclude and their relatives."""
    for option in reversed(
        [
            click.option("-i", "--include", multiple=True, metavar="PATTERN", help="Only what matches."),
            click.option(
                "--iinclude", multiple=True, metavar="PATTERN", help="The same, whatever the case of letters."
            ),
            click.option("--include-file", multiple=True, metavar="FILE", help="Read such patterns from a file."),
            click.option(
                "--iinclude-file", multiple=True, metavar="FILE", help="The same, whatever the case of letters."
            ),
            click.option("-e", "--exclude", multiple=True, metavar="PATTERN", help="Leave out what matches."),
            click.option(
                "--iexclude", multiple=True, metavar="PATTERN", help="The same, whatever the case of letters."
            ),
            click.option("--exclude-file", multiple=True, metavar="FILE", help="Read patterns from a file."),
            click.option(
                "--iexclude-file", multiple=True, metavar="FILE", help="The same, whatever the case of letters."
            ),
        ]
    ):
        function = option(function)
    return function


def read_patterns(given: dict[str, Any], name: str) -> tuple[bytes, ...]:
    """The patterns of an option and of the files that its relative names. Raises `SourceError`."""
    return _encoded([*given[name], *patterns_from_files(given[f"{name}_file"])])


def read_restore_options(given: dict[str, Any], subfolder: str) -> RestoreOptions:
    """What the options stand for.

    Raises:
        ContradictoryOptions: both includes and excludes were given.
    """
    from holdfast.repository.restore.report import Overwrite, RestoreOptions

    options = RestoreOptions(
        subfolder=os.fsencode(subfolder),
        includes=read_patterns(given, "include"),
        insensitive_includes=read_patterns(given, "iinclude"),
        excludes=read_patterns(given, "exclude"),
        insensitive_excludes=read_patterns(given, "iexclude"),
        overwrite=Overwrite(given["overwrite"]),
        delete=given["delete"],
        sparse=given["sparse"],
        verify=given["verify"],
        dry_run=given["dry_run"],
    )
    refuse_both_patterns(given)
    return options


def refuse_both_patterns(given: dict[str, Any]) -> None:
    """Raises `ContradictoryOptions` if both includes and excludes were given."""
    used = {
        start: any(given[f"{letter}{start}{end}"] for letter in ("", "i") for end in ("", "_file"))
        for start in ("include", "exclude")
    }
    if all(used.values()):
        raise ContradictoryOptions(first="--include", second="--exclude")


def _encoded(patterns: Iterable[str]) -> tuple[bytes, ...]:
    return tuple(map(os.fsencode, patterns))
