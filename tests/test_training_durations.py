"""Return times against literal histories and an oracle written another way."""

import numpy as np
import pytest
from small_shop import SPEC, STAGES, START_US, events_table, history_of

from features.history import NO_TIME
from features.stage import Stage
from training.durations import next_return_us

DAY = 86_400_000_000


def days_to_return(
    events: list[tuple[float, str]], *, known_before: float = 1e4, stage: int = 0
) -> float | None:
    """Days from day 100 to the return of one customer with events of (day, type)."""
    rows = [("c", START_US + round(day * DAY), kind, 1.0) for day, kind in events]
    found = int(
        next_return_us(
            history_of(events_table(rows)),
            spec=SPEC,
            stages=STAGES,
            rows=(np.array([0]), np.array([START_US + 100 * DAY]), np.array([stage], np.int16)),
            known_before_us=np.array([START_US + round(known_before * DAY)]),
        )[0]
    )
    return None if found == NO_TIME else (found - START_US) / DAY - 100


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (100.0 - 1e-9, None),  # before the as-of
        (100.0, 0.0),  # its first instant; no gap is left out
        (100.5, 0.5),
        (900.0, 800.0),  # no horizon either
    ],
)
def test_the_first_return_at_or_after_the_as_of(day: float, expected: float | None) -> None:
    assert days_to_return([(10.0, "purchase"), (day, "purchase"), (950.0, "purchase")][:2]) == (
        expected
    )


def test_other_events_are_no_return() -> None:
    assert days_to_return([(10.0, "purchase"), (110.0, "visit")]) is None
    assert days_to_return([(10.0, "purchase"), (101.0, "visit"), (110.0, "purchase")]) == 10.0


def test_a_return_that_had_not_arrived_is_unknown() -> None:
    assert days_to_return([(10.0, "purchase"), (110.0, "purchase")], known_before=110.0) is None
    assert days_to_return([(10.0, "purchase"), (110.0, "purchase")], known_before=110.1) == 10.0


def test_no_stage_no_return() -> None:
    assert days_to_return([(10.0, "purchase"), (110.0, "purchase")], stage=-1) is None


def test_equals_an_oracle_on_random_customers() -> None:
    rng = np.random.default_rng(5)
    stages = (STAGES[0], Stage("seen", "seen", ("visit",), ("visit",), ("visit", "purchase"), 3.0))
    rows = [
        (
            f"c{rng.integers(0, 40):02d}",
            START_US + int(rng.integers(0, 200)) * DAY // 2,
            str(rng.choice(["visit", "purchase"])),
            1.0,
        )
        for _ in range(300)
    ]
    arrived = [t + int(rng.integers(0, 30)) * DAY for _, t, _, _ in rows]
    history = history_of(events_table(rows, arrived=arrived))
    customer = rng.integers(0, history.n_customers, size=500)
    as_of = START_US + rng.integers(0, 100, size=500) * DAY
    stage = rng.integers(-1, 2, size=500).astype(np.int16)
    known = START_US + rng.integers(60, 100, size=500) * DAY
    found = next_return_us(
        history,
        spec=SPEC,
        stages=stages,
        rows=(customer, as_of, stage),
        known_before_us=known,
    )
    for row in range(500):
        times = [
            at
            for (name, at, kind, _), arrival in zip(rows, arrived, strict=True)
            if name == history.customer_id[customer[row]]
            and at >= as_of[row]
            and arrival < known[row]
            and stage[row] >= 0
            and kind in stages[stage[row]].returns_by
        ]
        assert found[row] == min(times, default=NO_TIME)
