"""Gaps on stages: against the lab's walk, a slow pandas oracle, and blind to what comes later."""

import itertools
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from small_shop import DAY_US, history_of

from features.history import History
from features.spec import FeatureSpec
from features.stage import Stage
from features.stage_gaps import MAX_DAYS, StageGaps, stage_gaps
from features.stage_state import StageStates, stage_states
from training.definition_silence import Calendar
from training.definition_walk import walk

SPEC = FeatureSpec(
    event_types=("visit", "purchase", "banner"),
    activity=("visit", "purchase"),
    orders=("purchase",),
)
LADDER = (
    Stage("guest", "guest", ("visit",), ("visit",), ("purchase",), 10.0),
    Stage("buyer", "buyer", ("purchase",), ("purchase",), ("purchase",), 30.0),
)
UNCOUNTED = (
    Stage("buyer", "buyer", ("purchase",), ("purchase",), ("purchase",), None),
    Stage("guest", "guest", ("visit",), ("visit",), ("purchase",), 10.0),
)
TIME = pa.timestamp("us", tz="UTC")
MIDNIGHT = 20_000 * DAY_US
AS_OF = MIDNIGHT + 400 * DAY_US


def random_events(seed: int, *, customers: int = 25) -> pd.DataFrame:
    """Visits and purchases with pauses, some of them late to arrive; never after 11 p.m."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(customers):
        gap, at = rng.uniform(0.3, 40), rng.uniform(0, 400)
        while at < 420:
            time = MIDNIGHT + int(at) * DAY_US + int(rng.uniform(0, 22.9) * DAY_US / 24)
            delay = int(rng.exponential(9) * DAY_US) * int(rng.random() < 0.3)
            kind = str(rng.choice(["visit", "purchase", "purchase", "banner"]))
            rows.append((f"c{number:02d}", time, time + delay, kind))
            at += rng.exponential(gap)
    return pd.DataFrame(rows, columns=["customer", "occurred_at", "arrived_at", "event_type"])


def history(events: pd.DataFrame) -> History:
    table = {
        "customer_id": pa.array(events.customer.tolist(), pa.string()),
        "occurred_at": pa.array(events.occurred_at.tolist(), pa.int64()).cast(TIME),
        "arrived_at": pa.array(events.arrived_at.tolist(), pa.int64()).cast(TIME),
        "event_type": pa.array(events.event_type.tolist(), pa.string()),
    }
    return history_of(pa.table(table), spec=SPEC)


def states_of(read: History, stages: tuple[Stage, ...], as_of: int = AS_OF) -> StageStates:
    return stage_states(read, stages, spec=SPEC, as_ofs=np.array([as_of]))


@pytest.mark.parametrize("stages", [LADDER, UNCOUNTED], ids=["ladder", "uncounted"])
@pytest.mark.parametrize("seed", range(3))
def test_gaps_are_those_of_the_definition_lab(stages: tuple[Stage, ...], seed: int) -> None:
    read = history(random_events(seed))
    states = states_of(read, stages)
    found, totals = stage_gaps(read, stages, spec=SPEC, states=states)
    days = Calendar(MIDNIGHT + np.arange(401) * DAY_US, last_day=399)
    silences, standing, rhythm, _ = walk(read, spec=SPEC, stages=stages, as_of_us=AS_OF, days=days)
    counted = np.array([s.silence_days is not None for s in stages])
    mine = counted[states.stage]
    seen = states.customer
    np.testing.assert_array_equal(found.gaps[mine], standing.gaps[seen][mine])
    np.testing.assert_allclose(found.log_mean[mine], standing.log_mean[seen][mine], rtol=1e-6)
    limit = np.array([s.silence_days or np.inf for s in stages])
    broke = standing.broken_days[seen] >= limit[standing.broken_stage[seen]]
    np.testing.assert_array_equal(found.was_dormant[mine], broke[mine])
    np.testing.assert_allclose(totals.rhythm.sums, rhythm.sums, rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(totals.rhythm.tally, rhythm.tally, rtol=1e-12, atol=1e-9)
    for stage in np.flatnonzero(counted):
        for ended, counts in ((True, totals.ended), (False, totals.still_open)):
            own = silences.days[(silences.stage == stage) & (silences.ended == ended)]
            np.testing.assert_array_equal(
                counts[stage], np.bincount(np.minimum(own, MAX_DAYS), minlength=MAX_DAYS + 1)
            )


def slow_gaps(events: pd.DataFrame, as_of: int) -> dict[str, tuple[int, float, bool]]:
    """Gaps between purchase days of buyers who never did anything else, day by day."""
    known = events[(events.occurred_at < as_of) & (events.arrived_at < as_of)]
    told = {}
    for name, rows in known.groupby("customer"):
        days = sorted({(t - MIDNIGHT) // DAY_US for t in rows.occurred_at})
        gaps = [b - a for a, b in itertools.pairwise(days)]
        mean = math.fsum(map(math.log, gaps)) / len(gaps) if gaps else math.nan
        told[str(name)] = (len(gaps), mean, bool(gaps) and gaps[-1] >= 30)
    return told


@pytest.mark.parametrize("seed", range(3))
def test_gaps_of_buyers_are_those_of_a_slow_count(seed: int) -> None:
    events = random_events(seed, customers=40).assign(event_type="purchase")
    read = history(events)
    states = states_of(read, LADDER)
    found, _ = stage_gaps(read, LADDER, spec=SPEC, states=states)
    slow = slow_gaps(events, AS_OF)
    names = read.customer_id[states.customer]
    assert sorted(slow) == list(names)
    for row, name in enumerate(names):
        gaps, mean, was_dormant = slow[name]
        assert found.gaps[row] == gaps
        assert found.log_mean[row] == pytest.approx(mean, rel=1e-6, nan_ok=True)
        assert found.was_dormant[row] == was_dormant


def columns(found: StageGaps) -> list[bytes]:
    return [getattr(found, name).tobytes() for name in StageGaps.__slots__]


@pytest.mark.parametrize("seed", range(3))
def test_what_arrives_later_changes_nothing(seed: int) -> None:
    events = random_events(seed)
    later = (events.occurred_at >= AS_OF) | (events.arrived_at >= AS_OF)
    scrambled = events.copy()
    scrambled.loc[later, "event_type"] = "visit"
    added = random_events(seed + 50)
    added = added.assign(arrived_at=AS_OF + added.arrived_at - MIDNIGHT)
    added = added[added.customer.isin(events.customer[~later])]
    told = []
    for one in (events, scrambled, events[~later], pd.concat([events, added])):
        read = history(one)
        found, totals = stage_gaps(read, LADDER, spec=SPEC, states=states_of(read, LADDER))
        told.append((columns(found), totals.ended.tobytes(), totals.still_open.tobytes()))
    assert told[0] == told[1] == told[2] == told[3]


def test_dates_without_a_clock_time_keep_their_distance_over_summer_time() -> None:
    # Midnights in Berlin: the clocks change on 2025-03-30 and 2025-10-26.
    days = pd.date_range("2025-03-20", "2025-11-20", freq="7D", tz="Europe/Berlin")
    times = [int(day.value) // 1000 for day in days]
    rows = pd.DataFrame({"occurred_at": times, "arrived_at": times})
    rows = rows.assign(customer="c", event_type="purchase")
    as_of = int(pd.Timestamp("2025-11-21", tz="Europe/Berlin").value) // 1000
    read = history(rows)
    _, totals = stage_gaps(read, LADDER, spec=SPEC, states=states_of(read, LADDER, as_of))
    assert totals.ended[1].nonzero()[0].tolist() == [7]
    assert totals.ended[1, 7] == len(days) - 1


def test_nobody_gives_empty_totals() -> None:
    read = history(random_events(1))
    states = states_of(read, LADDER, as_of=MIDNIGHT)
    found, totals = stage_gaps(read, LADDER, spec=SPEC, states=states)
    assert len(found.gaps) == 0
    assert not totals.ended.any()
    assert not totals.rhythm.sums.any()
