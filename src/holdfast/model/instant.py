"""A point in time with nanoseconds and the zone offset it was written in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import msgspec


class Instant(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Nanoseconds since 1970-01-01 UTC, and the offset of the writer's zone at that instant.

    Two instants order by `ns` alone; the offset matters only for calendar questions (retention buckets) and
    for writing the time back as it was read.
    """

    ns: int
    offset_s: int = 0

    def at(self) -> datetime:
        """The instant as an aware `datetime` in its own zone, truncated to microseconds.

        An instant outside the years 1 to 9999, which a hostile document may name, becomes the nearest there is.
        """
        zone = timezone(timedelta(seconds=self.offset_s)) if self.offset_s else UTC
        try:
            return datetime(1970, 1, 1, tzinfo=UTC).astimezone(zone) + timedelta(microseconds=self.ns // 1000)
        except OverflowError:
            return datetime.min.replace(tzinfo=zone) if self.ns < 0 else datetime.max.replace(tzinfo=zone)

    @classmethod
    def of(cls, moment: datetime) -> Instant:
        """The instant of an aware `datetime`, keeping its zone offset."""
        offset = moment.utcoffset()
        if offset is None:
            raise ValueError("a naive datetime names no instant")
        delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
        micros = (delta.days * 86400 + delta.seconds) * 1_000_000 + delta.microseconds
        return cls(ns=micros * 1000, offset_s=int(offset.total_seconds()))
