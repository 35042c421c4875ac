"""Events cut into silences: against a slow oracle, and blind to what comes after the as-of."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from definition_oracle import geometric_mean, local_day, slow_silences
from small_shop import DAY_US, SPEC, START_US, events_table, history_of

from features.history import History
from features.local_day import local_midnight_us
from features.stage import Stage
from features.stage_state import stage_states
from training.definition_silence import NO_GAP, Calendar, Silences
from training.definition_walk import walk

ZONE = "Europe/Berlin"
DAYS = 400
FIRST = date(2025, 1, 1)
LADDER = (
    Stage("guest", "guest", ("visit",), ("visit",), ("purchase",), 10.0),
    Stage("buyer", "buyer", ("purchase",), ("purchase",), ("purchase",), 30.0),
)
GUESTS = LADDER[:1]
"""A purchase is a return here that neither ends silence for the night nor moves anybody."""
UNCOUNTED = (
    Stage("buyer", "buyer", ("purchase",), ("purchase",), ("purchase",), None),
    Stage("guest", "guest", ("visit",), ("visit",), ("purchase",), 10.0),
)


def calendar(days: int = DAYS, last_day: int | None = None) -> Calendar:
    zone = ZoneInfo(ZONE)
    midnights = [local_midnight_us(FIRST + timedelta(days=i), zone) for i in range(days + 1)]
    return Calendar(np.array(midnights), days - 1 if last_day is None else last_day)


def random_events(seed: int, *, customers: int = 30) -> list[tuple[str, int, str, float | None]]:
    rng = np.random.default_rng(seed)
    rows: list[tuple[str, int, str, float | None]] = []
    for number in range(customers):
        gap = rng.uniform(0.3, 60)
        at = rng.uniform(0, DAYS)
        while at < DAYS + 40:
            kind = str(rng.choice(["visit", "purchase"]))
            amount = float(rng.integers(1, 50)) if kind == "purchase" else None
            # Some events share an instant, some lie right at midnight.
            time = START_US + int(at if rng.random() < 0.1 else at * DAY_US)
            rows.append((f"c{number:03d}", time, kind, amount))
            at += 0.0 if rng.random() < 0.1 else rng.exponential(gap)
    return rows


def late(rows: list[tuple[str, int, str, float | None]], seed: int) -> list[int]:
    rng = np.random.default_rng(seed)
    return [row[1] + int(rng.exponential(5) * DAY_US) * int(rng.random() < 0.3) for row in rows]


def told(silences: Silences, history: History) -> list[tuple[str, int, int, bool, float, float]]:
    names = history.customer_id
    return [
        (
            str(names[silences.customer[row]]),
            int(silences.stage[row]),
            int(silences.days[row]),
            bool(silences.ended[row]),
            round(float(silences.typical_days[row]), 6),
            round(float(silences.spend[row]), 6),
        )
        for row in range(len(silences.days))
    ]


@pytest.mark.parametrize(
    "stages", [LADDER, GUESTS, UNCOUNTED], ids=["ladder", "guests", "uncounted"]
)
@pytest.mark.parametrize("seed", range(3))
def test_silences_equal_the_slow_oracle(seed: int, stages: tuple[Stage, ...]) -> None:
    rows = random_events(seed)
    arrived = late(rows, seed)
    history = history_of(events_table(rows, arrived=arrived))
    days = calendar()
    as_of = int(days.midnights[-1])
    frame = pd.DataFrame(rows, columns=["customer", "occurred_at", "event_type", "amount"])
    frame["arrived_at"] = arrived
    # Of equal instants the order is that of the history: by the type's name.
    frame = frame.sort_values(["customer", "occurred_at", "event_type"], kind="stable")
    known = frame[(frame.occurred_at < as_of) & (frame.arrived_at < as_of)]
    last = max(local_day(t, ZONE) for t in known.occurred_at) - FIRST.toordinal()
    silences, *_ = walk(
        history, spec=SPEC, stages=stages, as_of_us=as_of, days=calendar(last_day=last)
    )
    expected = [
        (
            one.customer,
            one.stage,
            one.days,
            one.ended,
            round(geometric_mean(one.earlier), 6),
            round(one.spend, 6),
        )
        for one in slow_silences(frame, stages, as_of_us=as_of, zone=ZONE)
    ]
    got = told(silences, history)
    assert len(got) > 50
    np.testing.assert_equal(sorted(got, key=str), sorted(expected, key=str))


@pytest.mark.parametrize("stages", [LADDER, GUESTS, UNCOUNTED], ids=["ladder", "guests", "un"])
@pytest.mark.parametrize("seed", range(2))
def test_standing_equals_the_stage_states(seed: int, stages: tuple[Stage, ...]) -> None:
    rows = random_events(seed)
    history = history_of(events_table(rows, arrived=late(rows, seed)))
    as_of = int(calendar().midnights[-1])
    _, standing, _, by_day = walk(
        history, spec=SPEC, stages=stages, as_of_us=as_of, days=calendar()
    )
    states = stage_states(history, stages, spec=SPEC, as_ofs=[as_of])
    assert np.flatnonzero(standing.seen).tolist() == states.customer.tolist()
    assert standing.stage[states.customer].tolist() == states.stage.tolist()
    np.testing.assert_array_equal(standing.silence_days[states.customer], states.silence_days)
    visible = (history.events.occurred_at < as_of) & (history.events.arrived_at < as_of)
    assert by_day.sum() == visible.sum()


def test_what_comes_after_the_as_of_changes_nothing() -> None:
    rows = random_events(9)
    arrived = late(rows, 9)
    as_of = int(calendar().midnights[-1])
    hidden = [row[1] >= as_of or at >= as_of for row, at in zip(rows, arrived, strict=True)]
    assert any(hidden)
    rng = np.random.default_rng(3)

    def output(
        rows: list[tuple[str, int, str, float | None]], arrived: list[int]
    ) -> tuple[object, ...]:
        history = history_of(events_table(rows, arrived=arrived))
        silences, standing, rhythm, by_day = walk(
            history, spec=SPEC, stages=LADDER, as_of_us=as_of, days=calendar()
        )
        seen = history.customer_id[standing.seen]
        return (
            told(silences, history),
            seen.tolist(),
            [column[standing.seen].tobytes() for column in standing],
            rhythm.sums.tobytes(),
            by_day.tobytes(),
        )

    scrambled = [
        (row[0], row[1], str(rng.choice(["visit", "purchase"])), 1e6) if gone else row
        for row, gone in zip(rows, hidden, strict=True)
    ]
    more = [(f"c{i:03d}", as_of + i, "purchase", 5.0) for i in range(40)]
    kept = [i for i, gone in enumerate(hidden) if not gone]
    whole = output(rows, arrived)
    np.testing.assert_equal(output(scrambled, arrived), whole)
    np.testing.assert_equal(output([*rows, *more], [*arrived, *(row[1] for row in more)]), whole)
    np.testing.assert_equal(output([rows[i] for i in kept], [arrived[i] for i in kept]), whole)


def one_customer(days: list[float], kinds: list[str] | None = None) -> pa.Table:
    kinds = kinds or ["purchase"] * len(days)
    return events_table(
        [
            ("c", START_US + round(day * DAY_US), kind, 10.0 if kind == "purchase" else None)
            for day, kind in zip(days, kinds, strict=True)
        ]
    )


def test_days_are_local_dates_across_the_change_of_clocks() -> None:
    """Clocks go forward on 2025-03-30 in Berlin: that day has 23 hours."""
    zone = ZoneInfo(ZONE)
    midnights = [local_midnight_us(date(2025, 3, day), zone) for day in (28, 29, 30, 31)]
    midnights.append(local_midnight_us(date(2025, 4, 1), zone))
    table = events_table([("c", at, "purchase", 1.0) for at in midnights])
    silences, *_ = walk(
        history_of(table),
        spec=SPEC,
        stages=LADDER,
        as_of_us=local_midnight_us(date(2025, 4, 10), zone),
        days=calendar(),
    )
    assert silences.days.tolist()[:-1] == [1, 1, 1, 1]
    assert silences.days.tolist()[-1] == 8


def test_several_events_of_a_day_are_one_sign_of_life() -> None:
    history = history_of(one_customer([3.1, 3.2, 3.9, 10.5]))
    silences, standing, *_ = walk(
        history,
        spec=SPEC,
        stages=LADDER[1:],
        as_of_us=int(calendar(20).midnights[-1]),
        days=calendar(20),
    )
    assert silences.days.tolist() == [7, 9]
    assert silences.ended.tolist() == [True, False]
    assert silences.spend.tolist() == [30.0, 40.0]
    assert standing.gaps.tolist() == [1]
    assert standing.broken_days.tolist() == [7]
    assert standing.order_days.tolist() == [2]


def test_leaving_the_stage_otherwise_is_no_return() -> None:
    """A visit of a buyer who becomes a guest again ends nothing: the silence was cut short."""
    stages = (
        Stage("buyer", "buyer", ("purchase",), ("purchase",), ("purchase",), 30.0),
        Stage("guest", "guest", ("visit",), ("visit",), ("visit",), 10.0),
    )
    history = history_of(one_customer([1.5, 6.5], ["purchase", "visit"]))
    silences, standing, *_ = walk(
        history,
        spec=SPEC,
        stages=stages,
        as_of_us=int(calendar(20).midnights[-1]),
        days=calendar(20),
    )
    assert silences.stage.tolist() == [0, 1]
    assert silences.days.tolist() == [4, 13]
    assert silences.ended.tolist() == [False, False]
    assert standing.broken_days.tolist() == [NO_GAP]
