"""The timing benchmark in small: its worlds, its clock on the wall, its blocks and bars."""

from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import timing_retail, timing_worlds, timing_zones
from benchmarks.timing import archetype_bars, split_bar
from benchmarks.timing_speed import measure_counting


def test_archetypes_are_learnt_and_the_little_known_lose_nothing() -> None:
    world = timing_worlds.judge_archetypes(1500, concentration=3.0, mixing=0.0, seed=3)
    assert world["50"]["share_of_gap"] >= 0.95
    assert world["10"]["share_of_gap"] >= 0.6
    assert min(world[n]["above_everyone"] for n in ("0", "1", "2")) >= -0.004
    bars = archetype_bars({"archetypes": world})
    assert [bar.limit for bar in bars] == [0.95, 0.95, 0.6, -0.002]


def test_sends_at_ten_do_not_make_ten_the_best_hour() -> None:
    trap = timing_worlds.judge_exposure_trap(300, seed=2)
    assert trap["within_2_hours"] >= 0.9
    assert trap["within_2_hours_of_most_common_hour"] < 0.5, "the trap bites"


def test_no_send_in_quiet_hours_in_a_sample_of_zones() -> None:
    found = timing_zones.run(every=29)
    assert found["violations"] == 0
    assert found["contacts"] > 10_000
    assert found["without_a_seat"] > 0


def test_the_clock_on_the_wall_knows_a_quiet_minute() -> None:
    night = timing_zones.Setting(("21:00-09:00",), send=("08:00-12:00",))
    at = [datetime(2026, 11, 20, hour, 30, tzinfo=UTC) for hour in (7, 8, 11, 20)]
    moments = np.array([int(one.timestamp()) * 1_000_000 for one in at])
    # Berlin is one hour ahead: 08:30, 09:30, 12:30, 21:30.
    found = timing_zones._allowed(moments, "Europe/Berlin", night)
    assert found.tolist() == [False, True, False, False]


def test_blocks_run_over_midnight() -> None:
    density = np.zeros((2, 24))
    density[0, [23, 0, 1]] = 1.0
    density[1, [8, 9, 11]] = (1.0, 3.0, 2.0)
    start = timing_retail.best_block(density)
    assert start.tolist() == [23, 9]
    hour = np.array([1, 8])
    assert timing_retail.in_block(hour, start).tolist() == [True, False]


def test_the_interval_holds_the_mean_and_shrinks_with_customers() -> None:
    rng = np.random.default_rng(1)
    few, many = (rng.choice([-1.0, 0.0, 1.0], size) for size in (100, 1600))
    (low, high), (near, far) = (timing_retail.bootstrap(one, seed=1) for one in (few, many))
    assert low < few.mean() < high
    assert 2.5 < (high - low) / (far - near) < 6


def test_orders_are_read_on_london_s_clock_and_judged_after_the_gap(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    rows = [
        # Two who always order at their own hour, and one who only orders within the gap.
        *[(f"{5000 + day}", f"2011-04-{day:02d}T09:15", 1) for day in range(1, 29)],
        *[(f"{6000 + day}", f"2011-04-{day:02d}T18:15", 2) for day in range(1, 29)],
        ("7001", "2011-04-03T09:00", 3),
        ("7002", "2011-06-01T09:00", 3),
        ("8001", "2011-06-07T09:30", 1),
        ("8002", "2011-06-07T18:30", 2),
        ("C8003", "2011-06-04T03:30", 2),
    ]
    file = tmp_path_factory.mktemp("retail") / "lines.parquet"
    invoice, at, customer = zip(*rows, strict=True)
    times = np.array(at, dtype="datetime64[us]")
    columns = {"Invoice": invoice, "InvoiceDate": times, "Price": [1.0] * len(rows)}
    pq.write_table(pa.table({**columns, "CustomerID": pa.array(customer, pa.int64())}), file)
    hits = timing_retail.judge_blocks(
        timing_retail.read_orders(file), day=date(2011, 6, 1), gap_days=2
    )
    assert hits.own.tolist() == [True, True]
    assert hits.everyone.sum() == 1
    figures = timing_retail.run(file, days=[date(2011, 6, 1)], gap_days=2)
    assert figures["2011-06-01"]["difference"] == 0.5
    assert split_bar(figures).sense == "below"


def test_counting_is_measured() -> None:
    found = measure_counting(events=5_000)
    assert found["customers"] == 100
    assert found["seconds"] < 5
