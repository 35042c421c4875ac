"""Days without events: counted as local days, and told in few words."""

import io
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from rich.console import Console
from small_shop import DAY_US, START_US, events_table, make_home, shop_events

from features.local_day import local_midnight_us
from pipelines import train
from pipelines.empty_days import DayCounts, find_empty_days, training_notes
from pipelines.observation import plan_run
from pipelines.render import render_training
from pipelines.train import TrainReport, run_train

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2025, 12, 10, 8, tzinfo=UTC)
LATE = date(2025, 12, 1)
"""Four days after the shop's last event."""

Row = tuple[str, int, str, float | None]


@pytest.mark.parametrize(
    "zone",
    ["Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe", "Asia/Beirut"],
)
def test_events_are_counted_by_local_day_as_one_by_one(zone: str) -> None:
    timezone = ZoneInfo(zone)
    rng = np.random.default_rng(2)
    # Two years, with events right at and right before local midnights.
    days = [date(2024, 1, 5) + timedelta(days=int(i)) for i in rng.integers(0, 700, 300)]
    midnights = [local_midnight_us(day, timezone) for day in days]
    instants = np.array([m + int(d) for m in midnights for d in (-1, 0, 37 * 60_000_000)])
    halves = np.split(rng.permutation(instants), [200])
    found = DayCounts.joined([DayCounts.of(half, timezone) for half in halves])
    local = Counter(
        datetime.fromtimestamp(us // 1_000_000, UTC).astimezone(timezone).date()
        for us in instants.tolist()
    )
    first, last = min(local), max(local)
    every = [first + timedelta(days=i) for i in range((last - first).days + 1)]
    assert found.first == first
    assert found.per_day.tolist() == [local[day] for day in every]


def test_runs_of_empty_days_are_found() -> None:
    empty = find_empty_days(np.array([3, 0, 1, 0, 0, 0, 2]), date(2025, 3, 1), date(2025, 3, 10))
    assert (empty.before_as_of, empty.inside, empty.longest) == (2, 4, 3)
    assert (empty.longest_from, empty.longest_to) == (date(2025, 3, 4), date(2025, 3, 6))
    full = find_empty_days(np.array([1]), date(2025, 3, 1), date(2025, 3, 2))
    assert (full.before_as_of, full.inside, full.longest, full.longest_from) == (0, 0, 0, None)


def fridays(n: int) -> Iterable[date]:
    return (date(2025, 1, 3) + timedelta(days=7 * i) for i in range(n))


def test_a_shop_closed_every_saturday_gets_one_sentence_at_most() -> None:
    first = date(2024, 1, 1)
    per_day = np.array([int((first + timedelta(days=i)).weekday() != 5) for i in range(730)])
    as_of = first + timedelta(days=730)
    sundays = [day + timedelta(days=2) for day in fridays(40)]
    (note,) = training_notes(per_day, first, as_of=as_of, cutoffs=sundays)
    assert note.startswith(
        "40 of 40 cutoffs follow a day without any event: 2025-01-05, 2025-01-12, 2025-01-19 "
        "and 37 more."
    )
    assert len(note) < 200
    assert training_notes(per_day, first, as_of=as_of, cutoffs=fridays(40)) == ()


def test_a_lost_feed_is_named_with_its_days() -> None:
    per_day = np.ones(300, dtype=np.int64)
    per_day[100:110] = 0
    first = date(2025, 1, 1)
    within = first + timedelta(days=105)
    notes = training_notes(
        per_day, first, as_of=first + timedelta(days=301), cutoffs=[within, within, first]
    )
    late, cutoff, inside = notes
    assert late.startswith("No event is known of the last day before 2025-10-29, so days count")
    assert cutoff.startswith(f"1 of 1 cutoffs follow a day without any event: {within}. ")
    assert (
        "10 days inside the data have no event; the longest run is 2025-04-11 to 2025-04-20. "
        in inside
    )


def keep(rows_of: pa.Table, wanted: Callable[[int], bool]) -> pa.Table:
    times = rows_of["occurred_at"].cast(pa.int64()).to_pylist()
    return rows_of.filter(pa.array([wanted(at) for at in times]))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> TrainReport:
    """Trained days after the last event, on a shop that lost the day before its test cutoff."""
    home = tmp_path_factory.mktemp("shop")
    config = make_home(home / "whole", shop_events(500))
    cutoff = plan_run(config, LATE, now=NOW, version=1).folds.test_us
    table = keep(shop_events(500), lambda at: not cutoff - DAY_US <= at < cutoff)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "check_reachable", lambda _config: None)
        patch.setattr(train, "record", lambda *_args, **_options: ())
        return run_train(make_home(home / "lost", table), as_of=LATE, audit=False, now=NOW)


def test_training_tells_of_them_in_json_and_in_the_terminal(report: TrainReport) -> None:
    document = report.to_json()
    late, cutoff = document["notes"]
    assert late.startswith(
        "No event is known of the last 4 days before 2025-12-01, so days count as complete only "
        f"up to {report.observed_until}. "
    )
    (test_day,) = report.models[0].test.days
    assert cutoff.startswith("1 of ") and f"without any event: {test_day}. " in cutoff
    text = io.StringIO()
    render_training(report, Console(file=text, width=400))
    assert late in text.getvalue() and cutoff in text.getvalue()


def test_events_of_the_future_fill_no_day(tmp_path: Path) -> None:
    rows: list[Row] = [
        ("c1", START_US + day * DAY_US, "purchase", 1.0) for day in range(300) if day != 250
    ]
    arrived = [row[1] for row in rows] + [local_midnight_us(LATE, BERLIN)]
    rows.append(("c2", START_US + 250 * DAY_US, "purchase", 1.0))
    config = make_home(tmp_path, events_table(rows, arrived=arrived))
    known = plan_run(config, LATE, now=NOW, version=1).known
    assert np.flatnonzero(known.per_day == 0).tolist() == [250]
    assert (known.first_day, known.last_day) == (date(2025, 1, 1), date(2025, 10, 27))
    later = plan_run(config, LATE + timedelta(days=1), now=NOW, version=1).known
    assert later.per_day.min() == 1
