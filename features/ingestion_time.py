"""Local times become instants: exactly, with clock changes known and counted."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import pyarrow as pa

DAY_US = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_YEAR = 1900
OFFSETS_TABLE = "winback_offsets"

# A sign or letter after the minutes or seconds is a zone: DuckDB would drop it in a cast
# to TIMESTAMP, so such texts are cast to TIMESTAMPTZ.
_HAS_ZONE = r"':\d{2}(\.\d+)?\s*([A-Za-z]|[+-])'"


@dataclass(frozen=True, slots=True)
class ClockChange:
    """An instant at which a zone's offset changes, in microseconds."""

    at_us: int
    before_us: int
    after_us: int


@lru_cache(maxsize=32)
def clock_changes(zone: str, until_year: int) -> tuple[ClockChange, ...]:
    """All changes of a zone's offset from 1900 to the end of a year, in time order.

    Found by comparing the offsets of successive days and halving the day to the second.
    """
    tz = ZoneInfo(zone)
    changes = []
    day = datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC)
    end = datetime(until_year + 1, 1, 1, tzinfo=UTC)
    before = _offset(tz, day)
    while day < end:
        following = day + timedelta(days=1)
        after = _offset(tz, following)
        if after != before:
            low, high = day, following
            while high - low > timedelta(seconds=1):
                middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
                if _offset(tz, middle) == before:
                    low = middle
                else:
                    high = middle
            at_us = instant_us(high)
            changes.append(ClockChange(at_us, before, after))
            before = after
        day = following
    return tuple(changes)


def offset_table(zone: str, *, until_year: int) -> pa.Table:
    """One row per local day with what turns its local times into instants.

    A local time that does not exist (the clock jumped over it) is read with the offset
    before the jump, which shifts it forward; one that exists twice means the first. These
    are the rules of PEP 495 with fold = 0.

    Returns
    -------
    Columns `day` (days since 1970-01-01), `offset_us` (offset at the start of the day),
    `switch_us` and `after_us` (local time from which another offset holds; null on
    most days), `gap_from_us`, `gap_until_us`, `overlap_from_us`, `overlap_until_us` (local
    times that do not exist, or exist twice; null on most days). Microseconds throughout.
    """
    changes = clock_changes(zone, until_year)
    first = datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC)
    n_days = (datetime(until_year + 1, 1, 1, tzinfo=UTC) - first).days
    first_day = (first - _EPOCH).days
    start = changes[0].before_us if changes else _offset(ZoneInfo(zone), first)
    rows = {name: [None] * n_days for name in _COLUMNS}
    offsets = [start] * n_days
    for change in changes:
        # With fold = 0 the old offset holds to the end of the gap or of the overlap.
        switch = change.at_us + max(change.before_us, change.after_us)
        odd_from = change.at_us + min(change.before_us, change.after_us)
        kind = "gap" if change.after_us > change.before_us else "overlap"
        for index in range(
            max(0, odd_from // DAY_US - first_day),
            min(n_days, (switch - 1) // DAY_US - first_day + 1),
        ):
            rows[f"{kind}_from_us"][index] = odd_from  # type: ignore[call-overload]
            rows[f"{kind}_until_us"][index] = switch  # type: ignore[call-overload]
        index = switch // DAY_US - first_day
        if 0 <= index < n_days and switch % DAY_US:
            rows["switch_us"][index] = switch  # type: ignore[call-overload]
            rows["after_us"][index] = change.after_us  # type: ignore[call-overload]
            index += 1
        if 0 <= index < n_days:
            offsets[index:] = [change.after_us] * (n_days - index)
    days = list(range(first_day, first_day + n_days))
    return pa.table(
        {
            "day": pa.array(days, pa.int64()),
            "offset_us": pa.array(offsets, pa.int64()),
            **{name: pa.array(values, pa.int64()) for name, values in rows.items()},
        }
    )


_COLUMNS = (
    "switch_us",
    "after_us",
    "gap_from_us",
    "gap_until_us",
    "overlap_from_us",
    "overlap_until_us",
)


def has_zone_sql(value: str) -> str:
    """Whether a text states a zone or an offset after its clock time."""
    return f"regexp_matches({value}, {_HAS_ZONE})"


def naive_sql(value: str, sql_type: str, time_format: str | None) -> str:
    """Local microseconds of a value without zone, null where it has one or is no time.

    `value` names a column `c_given`; for text there is a column `c_has_zone`.
    """
    if sql_type != "VARCHAR":
        return "NULL::BIGINT" if is_zoned(sql_type) else f"epoch_us({value})"
    mark = value.removesuffix("_given") + "_has_zone"
    iso = f"CASE WHEN NOT {mark} THEN epoch_us(TRY_CAST({value} AS TIMESTAMP)) END"
    if time_format is None or "%z" in time_format.lower():
        return iso
    return f"coalesce(epoch_us(try_strptime({value}, {quote(time_format)})), {iso})"


def zoned_sql(value: str, sql_type: str, time_format: str | None) -> str:
    """UTC microseconds of a value that states its zone, else null; `value` as above."""
    if sql_type != "VARCHAR":
        return f"epoch_us({value})" if is_zoned(sql_type) else "NULL::BIGINT"
    mark = value.removesuffix("_given") + "_has_zone"
    iso = f"CASE WHEN {mark} THEN epoch_us(TRY_CAST({value} AS TIMESTAMPTZ)) END"
    if time_format is None or "%z" not in time_format.lower():
        return iso
    parsed = f"epoch_us(try_strptime({value}, {quote(time_format)})::TIMESTAMPTZ)"
    return f"coalesce({parsed}, {iso})"


def is_zoned(sql_type: str) -> bool:
    """Whether values of a DuckDB type are instants."""
    return sql_type == "TIMESTAMP WITH TIME ZONE" or sql_type.startswith("TIMESTAMPTZ")


def instant_sql(local: str, offsets: str) -> str:
    """UTC microseconds of a local time, given the alias of its joined offset row."""
    return (
        f"({local} - CASE WHEN {local} >= {offsets}.switch_us THEN {offsets}.after_us "
        f"ELSE {offsets}.offset_us END)"
    )


def odd_sql(local: str, offsets: str, kind: str) -> str:
    """Whether a local time falls in a "gap" or an "overlap"; never null."""
    return (
        f"coalesce({local} >= {offsets}.{kind}_from_us AND {local} < {offsets}.{kind}_until_us, "
        "false)"
    )


def instant_us(moment: datetime) -> int:
    """Microseconds since 1970-01-01 UTC of an aware time."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def quote(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def _offset(tz: ZoneInfo, moment: datetime) -> int:
    offset = moment.astimezone(tz).utcoffset() or timedelta()
    return offset // timedelta(microseconds=1)
