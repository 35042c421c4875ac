"""Local days as instants."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def local_midnight_us(day: date, timezone: ZoneInfo) -> int:
    """The instant at which a local date begins, microseconds since 1970-01-01 UTC.

    Where clocks skip midnight it is the instant of the change.
    """
    start = datetime.combine(day, time(), tzinfo=timezone).astimezone(UTC)
    return (start - _EPOCH) // timedelta(microseconds=1)
