"""The options that make a retention policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from holdfast.errors import Phrase, UsageError

if TYPE_CHECKING:
    from holdfast.policy.durations import CalendarDuration
    from holdfast.policy.retention import KeepPolicy

_Decorated = Callable[..., Any]


def keep_options(function: _Decorated) -> _Decorated:
    """Adds the --keep options."""
    for option in reversed(_options()):
        function = option(function)
    return function


def _options() -> list[_Decorated]:
    return [
        click.option("-l", "--keep-last", metavar="N", help="Keep the newest N snapshots, or unlimited."),
        click.option("-H", "--keep-hourly", metavar="N", help="Keep the newest of each of N hours."),
        click.option("-d", "--keep-daily", metavar="N", help="Keep the newest of each of N days."),
        click.option("-w", "--keep-weekly", metavar="N", help="Keep the newest of each of N weeks."),
        click.option("-m", "--keep-monthly", metavar="N", help="Keep the newest of each of N months."),
        click.option("-y", "--keep-yearly", metavar="N", help="Keep the newest of each of N years."),
        click.option("--keep-within", metavar="DURATION", help="Keep all younger than this, such as 1y5m7d2h."),
        click.option("--keep-within-hourly", metavar="DURATION", help="Keep one an hour of those younger than this."),
        click.option("--keep-within-daily", metavar="DURATION", help="Keep one a day of those younger than this."),
        click.option("--keep-within-weekly", metavar="DURATION", help="Keep one a week of those younger than this."),
        click.option("--keep-within-monthly", metavar="DURATION", help="Keep one a month of those younger than this."),
        click.option("--keep-within-yearly", metavar="DURATION", help="Keep one a year of those younger than this."),
        click.option("--keep-tag", multiple=True, metavar="TAG[,TAG…]", help="Keep snapshots with all these tags."),
        click.option(
            "--unsafe-allow-remove-all", is_flag=True, help="Let the policy remove every snapshot of a group."
        ),
    ]


def read_policy(given: dict[str, Any]) -> KeepPolicy:
    """The policy that the options stand for. Raises `UsageError`."""
    from holdfast.policy.durations import parse
    from holdfast.policy.retention import KeepPolicy
    from holdfast.policy.selection import parse_tags

    def number(name: str) -> int:
        return _count(f"--keep-{name}", given[f"keep_{name}"])

    def duration(name: str) -> CalendarDuration:
        return parse(given[f"keep_{name}"] or "")

    return KeepPolicy(
        last=number("last"),
        hourly=number("hourly"),
        daily=number("daily"),
        weekly=number("weekly"),
        monthly=number("monthly"),
        yearly=number("yearly"),
        within=duration("within"),
        within_hourly=duration("within_hourly"),
        within_daily=duration("within_daily"),
        within_weekly=duration("within_weekly"),
        within_monthly=duration("within_monthly"),
        within_yearly=duration("within_yearly"),
        tags=tuple(parse_tags(text) for text in given["keep_tag"]),
    )


def _count(option: str, text: str | None) -> int:
    from holdfast.policy.retention import UNLIMITED

    if text is None:
        return 0
    if text in ("unlimited", "-1"):
        return UNLIMITED
    if not text.isascii() or not text.isdecimal():
        named = {"option": option, "text": text}
        raise UsageError(detail=Phrase("{option} takes a number or the word unlimited, not {text!r}", named))
    return int(text)
