"""Calendar arithmetic on whole numbers: any year, any offset, no `datetime` limits."""

from __future__ import annotations

from typing import NamedTuple

from holdfast.model.instant import Instant

SECOND_NS = 1_000_000_000
HOUR_NS = 3600 * SECOND_NS
DAY_NS = 24 * HOUR_NS

_ERA_DAYS = 146_097
_ERA_YEARS = 400
_EPOCH_DAYS = 719_468
_THURSDAY = 3


class LocalTime(NamedTuple):
    """A point in time as a calendar and a clock on the wall show it."""

    year: int
    month: int
    day: int
    hour: int
    day_number: int


def local_time(instant: Instant) -> LocalTime:
    """What the calendar showed at that instant in the instant's own zone."""
    day_number, within_day = divmod(instant.ns + instant.offset_s * SECOND_NS, DAY_NS)
    year, month, day = civil_of(day_number)
    return LocalTime(year, month, day, within_day // HOUR_NS, day_number)


def civil_of(day_number: int) -> tuple[int, int, int]:
    """(year, month, day) of a day counted from 1970-01-01, in the Gregorian calendar extended both ways."""
    era, day_of_era = divmod(day_number + _EPOCH_DAYS, _ERA_DAYS)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted_month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted_month + 2) // 5 + 1
    month = shifted_month + 3 if shifted_month < 10 else shifted_month - 9
    return era * _ERA_YEARS + year_of_era + (month <= 2), month, day


def day_number_of(year: int, month: int, day: int) -> int:
    """The inverse of `civil_of`; a month or day out of range runs over into its neighbours."""
    carry, month_index = divmod(month - 1, 12)
    year, month = year + carry, month_index + 1
    if month <= 2:
        year -= 1
    era, year_of_era = divmod(year, _ERA_YEARS)
    day_of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * _ERA_DAYS + day_of_era - _EPOCH_DAYS + day - 1


def iso_week(day_number: int) -> tuple[int, int]:
    """(ISO year, ISO week) of a day: weeks begin on Monday and belong to the year of their Thursday."""
    monday_based = (day_number + _THURSDAY) % 7
    thursday = day_number - monday_based + _THURSDAY
    year = civil_of(thursday)[0]
    return year, (thursday - day_number_of(year, 1, 1)) // 7 + 1
