"""Brier scores under censoring, and intervals that are checked where they can be."""

import numpy as np
import pytest

from models.return_time import ReturnCurves
from training.metrics import Estimate
from training.return_rows import Outcomes
from training.return_time_judge import (
    Comparison,
    brier_by_day,
    comparison_text,
    judged_grid,
    measure_coverage,
)

EDGES = np.array([0.0, 1.0, 3.0, 10.0, 40.0, 400.0])


def test_without_censoring_it_is_the_brier_score() -> None:
    seen = Outcomes(np.array([2.0, 9.0]), np.array([True, False]), np.array([9.0, 9.0]))
    survival = np.array([[0.9, 0.4], [0.8, 0.7]])
    score = brier_by_day(survival, seen, days=np.array([1.0, 5.0]))
    np.testing.assert_allclose(score, [[0.1**2, 0.4**2], [0.2**2, 0.3**2]])


def test_followed_rows_stand_for_those_that_were_not() -> None:
    # Two rows followed for 9 days, two for 3: on day 5 a followed row counts double, unless
    # it returned while all were followed.
    seen = Outcomes(
        days=np.array([2.0, 9.0, 3.0, 1.0]),
        returned=np.array([True, False, False, True]),
        followed_days=np.array([9.0, 9.0, 3.0, 3.0]),
    )
    survival = np.full((4, 1), 0.5)
    score = brier_by_day(survival, seen, days=np.array([5.0]))
    np.testing.assert_allclose(score[:, 0], [0.25, 0.5, 0.0, 0.25])


def test_weights_make_the_score_right_on_average() -> None:
    rng = np.random.default_rng(3)
    n, day = 40_000, np.array([12.0])
    days = rng.exponential(15.0, size=n)
    followed = rng.uniform(5.0, 30.0, size=n)
    seen = Outcomes(np.minimum(days, followed), days < followed, followed)
    survival = rng.uniform(0.2, 0.8, size=(n, 1))
    truth = np.mean((survival[:, 0] - (days > 12.0)) ** 2)
    assert brier_by_day(survival, seen, days=day).mean() == pytest.approx(truth, abs=0.006)


def test_the_truth_scores_best() -> None:
    rng = np.random.default_rng(4)
    n = 20_000
    means = rng.uniform(5.0, 40.0, size=n)
    days = rng.exponential(means)
    followed = rng.uniform(15.0, 60.0, size=n)
    seen = Outcomes(np.minimum(days, followed), days < followed, followed)
    grid = judged_grid(seen, horizon_days=400.0)
    truth = np.exp(-grid[None, :] / means[:, None])
    scores = [
        brier_by_day(np.clip(forecast, 0, 1), seen, days=grid).mean()
        for forecast in (truth, truth**1.3, truth**0.7, np.full_like(truth, truth.mean()))
    ]
    assert scores[0] == min(scores)


def test_the_grid_ends_where_half_of_the_rows_are_no_longer_followed() -> None:
    seen = Outcomes(np.zeros(4), np.zeros(4, bool), np.array([5.0, 30.5, 30.5, 90.0]))
    assert judged_grid(seen, horizon_days=365.0).tolist() == list(range(31))
    assert judged_grid(seen, horizon_days=7.0).tolist() == list(range(8))
    long = Outcomes(np.zeros(1), np.zeros(1, bool), np.array([300.0]))
    grid = judged_grid(long, horizon_days=365.0)
    assert len(grid) == 61 and grid[0] == 0 and grid[-1] == 300
    assert judged_grid(Outcomes(*[np.zeros(0)] * 3), horizon_days=9.0).tolist() == [0.0]


def test_intervals_of_the_truth_hold_as_often_as_they_say() -> None:
    rng = np.random.default_rng(5)
    means = np.repeat([2.0, 10.0, 80.0], 6000)
    curves = ReturnCurves(EDGES, np.exp(-EDGES[None, :] / means[:, None]))
    days = rng.exponential(means)
    followed = np.full(len(days), 60.0)
    seen = Outcomes(np.minimum(days, followed), days < followed, followed)
    coverage = measure_coverage(curves, seen)
    # The 90 % quantile of a mean of 80 days lies beyond the 60 days that were followed.
    assert coverage.rows == 12_000
    assert coverage.early_rows == 18_000
    assert coverage.covered == pytest.approx(0.8, abs=0.015)
    assert coverage.early == pytest.approx(0.1, abs=0.01)
    assert coverage.late == pytest.approx(0.1, abs=0.01)


def test_coverage_is_unknown_where_no_interval_can_be_checked() -> None:
    curves = ReturnCurves(EDGES, np.exp(-EDGES[None, :] / np.array([[1e6]])))
    seen = Outcomes(np.array([9.0]), np.array([False]), np.array([9.0]))
    coverage = measure_coverage(curves, seen)
    assert (coverage.rows, coverage.covered, coverage.early) == (0, None, None)


@pytest.mark.parametrize(
    ("low", "high", "says"),
    [
        (-0.03, -0.01, "better than Kaplan-Meier by segment"),
        (0.01, 0.03, "worse than"),
        (-0.01, 0.01, "not proven yet to be better"),
    ],
)
def test_the_verdict_in_words(low: float, high: float, says: str) -> None:
    middle = Estimate((low + high) / 2, low, high)
    verdict = "better" if high < 0 else "worse" if low > 0 else "not proven yet"
    text = comparison_text(Comparison("all", 9, 3, middle, middle, middle, verdict))
    assert text.startswith("return time: ") and says in text and f"{low:+.4f}" in text
