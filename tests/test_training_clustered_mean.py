import numpy as np
import pytest
from scipy.stats import norm

from training.clustered_mean import clustered_mean, mean_of_influences


def unclustered(n: int) -> np.ndarray:
    return np.arange(n, dtype=np.uint64)


def test_symmetric_values_get_the_normal_interval() -> None:
    values = np.concatenate([-np.arange(1.0, 51.0), np.arange(1.0, 51.0)])
    mean = clustered_mean(values, unclustered(100))
    assert mean.value == 0.0
    assert mean.se == pytest.approx(values.std(ddof=1) / 10)
    assert mean.high == pytest.approx(norm.ppf(0.975) * mean.se)
    assert mean.low == pytest.approx(-mean.high)


def test_skewed_values_get_more_room_on_the_long_side() -> None:
    values = np.random.default_rng(1).lognormal(0, 1.5, 300)
    mean = clustered_mean(values, unclustered(300))
    assert mean.high - mean.value > 1.3 * (mean.value - mean.low)
    mirrored = clustered_mean(-values, unclustered(300))
    assert (mirrored.low, mirrored.high) == pytest.approx((-mean.high, -mean.low))


def test_skewed_values_are_covered_better_than_by_the_normal_interval() -> None:
    rng = np.random.default_rng(2)
    truth = np.exp(0.5)
    ours, normal = [], []
    for _ in range(400):
        values = rng.lognormal(0, 1, 60)
        mean = clustered_mean(values, unclustered(60))
        ours.append(mean.low < truth < mean.high)
        normal.append(abs(mean.value - truth) < 1.96 * mean.se)
    assert np.mean(ours) > np.mean(normal)
    assert np.mean(ours) > 0.9


def test_rows_of_a_customer_count_as_one() -> None:
    values = np.random.default_rng(3).normal(size=200)
    once = clustered_mean(values, unclustered(200))
    thrice = clustered_mean(np.repeat(values, 3), np.repeat(unclustered(200), 3))
    assert thrice.value == pytest.approx(once.value)
    assert thrice.se == pytest.approx(once.se)
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high))


def test_one_customer_says_nothing_about_the_spread() -> None:
    mean = clustered_mean(np.array([1.0, 2.0]), np.array([7, 7], dtype=np.uint64))
    assert (mean.value, mean.low, mean.high) == (1.5, -np.inf, np.inf)


def test_equal_values_have_no_interval() -> None:
    mean = clustered_mean(np.full(5, 2.0), unclustered(5))
    assert (mean.low, mean.high, mean.se) == (2.0, 2.0, 0.0)


def test_influences_give_a_ratio_its_delta_method_error() -> None:
    rng = np.random.default_rng(4)
    below, above = rng.uniform(1, 2, 5000), rng.uniform(0, 3, 5000)
    ratio = above.sum() / below.sum()
    influence = (above - ratio * below) / below.mean()
    mean = mean_of_influences(ratio, influence, unclustered(5000))
    assert mean.value == ratio
    assert mean.se == pytest.approx(influence.std() / np.sqrt(5000), rel=1e-3)
