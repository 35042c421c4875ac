"""Intervals over splits that overlap: neither too narrow nor blind to what is learnt."""

import numpy as np
import pytest

from benchmarks.split_means import mean_of_estimates, mean_over_splits, split_interval

CUSTOMERS, SPLITS = 400, 20


def _half(split: int) -> np.ndarray:
    return np.sort(np.random.default_rng(split).permutation(CUSTOMERS)[: CUSTOMERS // 2])


def test_repeating_splits_does_not_shrink_the_interval_below_that_of_all_customers() -> None:
    values = np.random.default_rng(7).normal(size=CUSTOMERS)
    rows = [_half(split) for split in range(SPLITS)]
    found = mean_over_splits([values[one] for one in rows], rows, customers=CUSTOMERS)
    assert found.value == pytest.approx(np.mean([values[one].mean() for one in rows]))
    of_all = 2 * 1.96 * values.std() / CUSTOMERS**0.5
    for low, high in (found.by_customer, found.by_split):
        assert 0.8 * of_all < high - low < 1.5 * of_all


def test_the_same_policy_differs_by_exactly_nothing() -> None:
    rows = [_half(split) for split in range(3)]
    found = mean_over_splits([np.zeros(len(one)) for one in rows], rows, customers=CUSTOMERS)
    assert (found.low, found.value, found.high) == (0.0, 0.0, 0.0)


def test_the_interval_covers_the_truth_in_about_95_of_100_worlds() -> None:
    covered = 0
    for world in range(100):
        values = np.random.default_rng([3, world]).normal(size=CUSTOMERS)
        rows = [_half(1000 * world + split) for split in range(SPLITS)]
        found = mean_over_splits([values[one] for one in rows], rows, customers=CUSTOMERS)
        covered += found.by_customer[0] <= 0.0 <= found.by_customer[1]
    assert 88 <= covered <= 100


def test_the_wider_interval_covers_the_value_of_policies_that_are_learnt() -> None:
    """A T-learner on cells where contact gains nothing, against contact for all."""
    n, cells, covered = 2000, 8, 0
    for world in range(60):
        rng = np.random.default_rng([4, world])
        cell, arm = rng.integers(0, cells, n), rng.integers(0, 2, n)
        money = 50.0 * rng.gamma(2.0, 0.5, n) * (rng.random(n) < 0.05)
        gain = np.where(arm == 1, 2.0, -2.0) * money
        scores, judged = [], []
        for _ in range(SPLITS):
            order = rng.permutation(n)
            learn, judge = order[: n // 2], order[n // 2 :]
            found = np.bincount(cell[learn], gain[learn], minlength=cells)
            scores.append(np.where(found[cell[judge]] > 0.0, 0.0, -gain[judge]))
            judged.append(judge)
        mean = mean_over_splits(scores, judged, customers=n)
        covered += mean.low <= 0.0 <= mean.high
    assert covered >= 56


def test_one_split_says_nothing_of_what_is_learnt() -> None:
    assert split_interval(np.array([1.0])) == (-np.inf, np.inf)


def test_small_judged_parts_count_less_towards_the_spread() -> None:
    means = np.array([0.9, 1.0, 1.1, 1.2])
    wide, narrow = split_interval(means), split_interval(means, judged_per_learnt=1 / 9)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_a_mean_of_estimates_is_no_surer_than_the_average_one() -> None:
    found = mean_of_estimates(np.array([1.0, 1.2]), np.array([0.1, 0.3]))
    assert found.value == pytest.approx(1.1)
    assert found.by_customer[0] == pytest.approx(1.1 - 1.959964 * 0.2)
    assert found.low <= found.by_customer[0]
