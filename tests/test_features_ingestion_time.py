from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.ingestion_time import DAY_US, clock_changes, instant_us, offset_table

ZONES = (
    "Europe/Berlin",
    "America/Sao_Paulo",
    "Asia/Beirut",
    "Pacific/Apia",
    "Africa/Casablanca",
    "America/Havana",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "UTC",
)
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - local times are the subject here


@cache
def columns(zone: str) -> dict[str, list[int | None]]:
    return offset_table(zone, until_year=2030).to_pydict()  # type: ignore[no-any-return]


def read_local(local_us: int, zone: str) -> tuple[int, bool, bool]:
    """What the table says: offset, in a gap, in an overlap."""
    table = columns(zone)
    index = local_us // DAY_US - (table["day"][0] or 0)
    row = {name: values[index] for name, values in table.items()}

    def within(kind: str) -> bool:
        start, end = row[f"{kind}_from_us"], row[f"{kind}_until_us"]
        return start is not None and end is not None and start <= local_us < end

    switch = row["switch_us"]
    offset = row["after_us"] if switch is not None and local_us >= switch else row["offset_us"]
    assert offset is not None
    return offset, within("gap"), within("overlap")


def by_zoneinfo(local_us: int, zone: str) -> tuple[int, bool, bool]:
    """The same by PEP 495."""
    moment = (EPOCH + timedelta(microseconds=local_us)).replace(tzinfo=ZoneInfo(zone))
    offsets = []
    for fold in (0, 1):
        offset = moment.replace(fold=fold).utcoffset()
        assert offset is not None
        offsets.append(offset // timedelta(microseconds=1))
    return offsets[0], offsets[0] < offsets[1], offsets[0] > offsets[1]


@settings(deadline=None)  # the first moment of a zone makes its table
@given(
    st.sampled_from(ZONES),
    st.datetimes(datetime(1901, 1, 2), datetime(2030, 12, 30)),  # noqa: DTZ001
)
def test_local_times_are_read_as_zoneinfo_does(zone: str, moment: datetime) -> None:
    local_us = (moment - EPOCH) // timedelta(microseconds=1)
    assert read_local(local_us, zone) == by_zoneinfo(local_us, zone)


@pytest.mark.parametrize("zone", ZONES)
def test_local_times_around_every_clock_change_are_read_as_zoneinfo_does(zone: str) -> None:
    for change in clock_changes(zone, 2029):
        switch = change.at_us + max(change.before_us, change.after_us)
        odd_from = change.at_us + min(change.before_us, change.after_us)
        for edge in (switch, odd_from, (switch + odd_from) // 2):
            for shift in (-DAY_US, -1_000_000, -1, 0, 1, 1_000_000, DAY_US):
                local_us = edge + shift
                assert read_local(local_us, zone) == by_zoneinfo(local_us, zone)


def test_a_zone_without_changes_has_one_offset() -> None:
    assert set(columns("UTC")["offset_us"]) == {0}
    assert set(columns("UTC")["switch_us"]) == {None}


def test_instants_keep_their_microseconds() -> None:
    assert instant_us(datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)) == -1
    assert instant_us(datetime(2026, 1, 1, tzinfo=UTC)) == 1_767_225_600_000_000
