"""The features benchmark at a tiny size: engines agree, bars are judged honestly."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks import features as benchmark
from benchmarks.features_data import SPEC, generate_warehouse
from benchmarks.report import GATE_FAILED, Bar, Timing, document, publish, ratio, time_rounds
from features.manifest import feature_manifest


def test_all_engines_compute_the_same_values(tmp_path: Path) -> None:
    warehouse = generate_warehouse(tmp_path, customers=400, events=20_000, buckets=3)

    differences = benchmark.compare_values(warehouse)

    for entry in differences.values():
        assert entry["features"] >= 90
        assert entry["max_excess"] <= 1.0
    assert benchmark.open_warehouse(tmp_path).n_buckets == 3
    assert benchmark.decode_all(warehouse) == 20_000
    assert benchmark.fold_all(warehouse, 2) >= 2 * 390
    assert 0.05 < benchmark.run_memory(tmp_path, 1) < 2.0


def test_a_difference_is_found(tmp_path: Path) -> None:
    warehouse = generate_warehouse(tmp_path, customers=50, events=2_000, buckets=1)
    matrices = benchmark.build_all(warehouse, 1)
    theirs = benchmark.run_duckdb(warehouse).sort_by("customer_id")
    order = np.arange(len(theirs))
    assert benchmark.largest_differences(matrices, order, theirs)["max_excess"] <= 1.0

    matrices[0].values[3, matrices[0].names.index("spend_lifetime")] += 1.0

    assert benchmark.largest_differences(matrices, order, theirs)["max_excess"] > 1.0


def test_the_compared_features_are_ours() -> None:
    names = {feature.name for feature in feature_manifest(SPEC)}
    assert set(benchmark.features_duckdb.feature_names()) <= names


@pytest.mark.parametrize(
    ("bar", "holds"),
    [
        (Bar("a", 15.0, 15.0, "at least"), True),
        (Bar("a", 14.9, 15.0, "at least"), False),
        (Bar("a", 3.5, 3.5, "at most"), True),
        (Bar("a", 3.6, 3.5, "at most"), False),
        (Bar("a", 1.5, 1.5, "below"), False),
        (Bar("a", math.nan, 1.5, "below"), False),
        (Bar("a", math.inf, 1.0, "at most"), False),
    ],
)
def test_bars(bar: Bar, holds: bool) -> None:
    assert bar.holds is holds


def test_one_missed_bar_fails_the_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = Bar("good", 1, 2, "at most"), Bar("bad", 3, 2, "at most")

    assert publish(document("x", figures={}, bars=[good], packages=["numpy"]), as_json=True) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["bars"] == [
        {"name": "good", "value": 1, "limit": 2, "sense": "at most", "holds": True}
    ]
    missed = document("x", figures={}, bars=[good, bad], packages=["numpy"])
    assert publish(missed, as_json=False) == GATE_FAILED
    assert "FAILS  bad" in capsys.readouterr().out


def test_ratios_compare_runs_of_the_same_round() -> None:
    slow, fast = Timing((2.0, 8.4, 1.9, 2.1)), Timing((1.0, 4.0, 1.0, 1.0))
    found = ratio(slow, fast, rng=np.random.default_rng(0))

    assert found.value == 2.05
    assert found.low == pytest.approx(1.9)
    assert found.high == pytest.approx(2.1)


def test_rounds_run_the_paths_in_turns() -> None:
    calls: list[str] = []
    timings = time_rounds(
        {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=2
    )

    assert calls == ["a", "b", "a", "b"]
    assert {name: len(timing.seconds) for name, timing in timings.items()} == {"a": 2, "b": 2}
