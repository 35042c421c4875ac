"""Labels against literal tables and an oracle written another way."""

import numpy as np
import pytest
from small_shop import SPEC, STAGES, START_US, events_table, history_of

from features.stage import Stage
from training.labels import returned, window_us

DAY = 86_400_000_000
GAP, HORIZON = 2, 30


def label(events: list[tuple[float, str]], *, known_before: float = 1e4, stage: int = 0) -> bool:
    """Label at day 100 of one customer with events of (day, type)."""
    rows = [("c", START_US + round(day * DAY), kind, 1.0) for day, kind in events]
    return bool(
        returned(
            history_of(events_table(rows)),
            spec=SPEC,
            stages=STAGES,
            rows=(np.array([0]), np.array([START_US + 100 * DAY]), np.array([stage], np.int16)),
            window=(window_us(GAP), window_us(HORIZON)),
            known_before_us=np.array([START_US + round(known_before * DAY)]),
        )[0]
    )


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (99.0, False),  # before the as-of
        (100.0, False),  # in the gap
        (102.0 - 1e-9, False),  # last instant of the gap (rounds to the microsecond before)
        (102.0, True),  # first instant of the window
        (131.999, True),
        (132.0, False),  # first instant after the window
    ],
)
def test_the_window_is_half_open_after_the_gap(day: float, expected: bool) -> None:
    assert label([(10.0, "purchase"), (day, "purchase")]) is expected


def test_other_events_are_no_return() -> None:
    assert label([(10.0, "purchase"), (110.0, "visit")]) is False


def test_a_return_after_many_other_events_is_found() -> None:
    visits = [(102 + i * 0.1, "visit") for i in range(100)]
    assert label([(10.0, "purchase"), *visits, (131.0, "purchase")]) is True


def test_an_event_not_known_at_the_training_as_of_is_no_return() -> None:
    assert label([(10.0, "purchase"), (110.0, "purchase")], known_before=110.0) is False
    assert label([(10.0, "purchase"), (110.0, "purchase")], known_before=110.1) is True


def test_no_stage_no_return() -> None:
    assert label([(10.0, "purchase"), (110.0, "purchase")], stage=-1) is False


def test_equals_an_oracle_on_random_customers() -> None:
    rng = np.random.default_rng(5)
    stages = (
        STAGES[0],
        Stage("seen", "seen", ("visit",), ("visit",), ("visit", "purchase"), 3.0),
    )
    rows = [
        (
            f"c{rng.integers(0, 40):02d}",
            START_US + int(rng.integers(0, 200)) * DAY // 2,
            str(rng.choice(["visit", "purchase"])),
            1.0,
        )
        for _ in range(300)
    ]
    late = rng.integers(0, 30, size=300) * DAY
    arrived = [t + int(d) for (_, t, _, _), d in zip(rows, late, strict=True)]
    history = history_of(events_table(rows, arrived=arrived))
    customer = rng.integers(0, history.n_customers, size=500)
    as_of = START_US + rng.integers(0, 100, size=500) * DAY
    stage = rng.integers(-1, 2, size=500).astype(np.int16)
    known = START_US + rng.integers(90, 100, size=500) * DAY
    found = returned(
        history,
        spec=SPEC,
        stages=stages,
        rows=(customer, as_of, stage),
        window=(window_us(1), window_us(7)),
        known_before_us=known,
    )
    for row in range(500):
        expected = any(
            name == history.customer_id[customer[row]]
            and as_of[row] + DAY <= at < as_of[row] + 8 * DAY
            and arrival < known[row]
            and stage[row] >= 0
            and kind in stages[stage[row]].returns_by
            for (name, at, kind, _), arrival in zip(rows, arrived, strict=True)
        )
        assert found[row] == expected
