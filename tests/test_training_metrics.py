"""Metrics against scikit-learn, against known truths, and the honesty of their intervals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from training.metrics import (
    METRICS,
    TOP_SHARES,
    CountArray,
    draw_customers,
    equal_mass_bins,
    judge,
)

NO_DRAWS: CountArray = np.zeros((0, 0), dtype=np.uint8)


def sample(n: int, seed: int, *, grid: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    score = rng.normal(size=n)
    labels = (rng.random(n) < expit(score)).astype(np.int8)
    p = expit(0.7 * score + 0.3 * rng.normal(size=n) + 0.2)
    if grid:
        p = np.clip(np.round(p * grid) / grid, 0.5 / grid, 1 - 0.5 / grid)
    labels[:2] = [0, 1]
    return p, labels


@settings(max_examples=40, deadline=None)
@given(n=st.integers(5, 300), seed=st.integers(0, 10**6), grid=st.sampled_from([None, 3, 10]))
def test_equals_scikit_learn_with_and_without_ties(n: int, seed: int, grid: int | None) -> None:
    p, labels = sample(n, seed, grid=grid)
    judged = judge(p, labels, counts=NO_DRAWS)
    assert judged.estimate("auc").value == pytest.approx(roc_auc_score(labels, p), abs=1e-12)
    assert judged.estimate("average_precision").value == pytest.approx(
        average_precision_score(labels, p), abs=1e-12
    )
    assert judged.estimate("log_loss").value == pytest.approx(log_loss(labels, p), abs=1e-12)
    assert judged.estimate("brier").value == pytest.approx(brier_score_loss(labels, p), abs=1e-12)


def test_a_draw_equals_scikit_learn_on_the_repeated_rows() -> None:
    p, labels = sample(400, 3, grid=20)
    counts = draw_customers(np.arange(400) // 2, draws=3, rng=np.random.default_rng(1))
    judged = judge(p, labels, counts=counts)
    for draw, weight in enumerate(counts):
        rows = np.repeat(np.arange(400), weight)
        expected = {
            "auc": roc_auc_score(labels[rows], p[rows]),
            "average_precision": average_precision_score(labels[rows], p[rows]),
            "log_loss": log_loss(labels[rows], p[rows]),
            "brier": brier_score_loss(labels[rows], p[rows]),
        }
        for metric, value in expected.items():
            assert judged.draws[draw, METRICS.index(metric)] == pytest.approx(value, abs=1e-10)


def test_rows_of_one_customer_are_drawn_together() -> None:
    clusters = np.repeat(np.arange(50), 4)
    counts = draw_customers(clusters, draws=5, rng=np.random.default_rng(2))
    per_customer = counts.reshape(5, 50, 4)
    assert (per_customer == per_customer[:, :, :1]).all()
    assert (per_customer[:, :, 0].sum(axis=1) == 50).all()


def test_ece_has_no_interval_as_resampling_only_raises_it() -> None:
    rng = np.random.default_rng(7)
    p = np.clip(rng.beta(1, 8, 2000), 1e-4, 0.999)
    labels = (rng.random(2000) < p).astype(np.int8)
    judged = judge(p, labels, counts=draw_customers(np.arange(2000), draws=50, rng=rng))
    estimate = judged.estimate("ece")
    assert (estimate.low, estimate.high) == (None, None)
    assert np.median(judged.draws[:, METRICS.index("ece")]) > estimate.value


def test_calibration_line_equals_an_unpenalised_logistic_regression() -> None:
    p, labels = sample(3000, 5)
    judged = judge(p, labels, counts=NO_DRAWS)
    reference = LogisticRegression(C=1e8, tol=1e-10).fit(logit(p)[:, None], labels)
    assert judged.estimate("calibration_slope").value == pytest.approx(
        reference.coef_[0, 0], abs=1e-3
    )
    assert judged.estimate("calibration_intercept").value == pytest.approx(
        reference.intercept_[0], abs=1e-3
    )


def test_the_newton_step_of_a_draw_is_close_to_a_full_fit() -> None:
    p, labels = sample(2000, 6)
    counts = draw_customers(np.arange(2000), draws=4, rng=np.random.default_rng(3))
    judged = judge(p, labels, counts=counts)
    for draw, weight in enumerate(counts):
        reference = LogisticRegression(C=1e8, tol=1e-10).fit(logit(p)[:, None], labels, weight)
        slope = judged.draws[draw, METRICS.index("calibration_slope")]
        assert slope == pytest.approx(reference.coef_[0, 0], abs=0.01)


def test_true_probabilities_are_calibrated() -> None:
    rng = np.random.default_rng(7)
    p = rng.uniform(0.02, 0.6, size=200_000)
    labels = (rng.random(len(p)) < p).astype(np.int8)
    judged = judge(p, labels, counts=NO_DRAWS)
    assert judged.estimate("ece").value < 0.006
    assert judged.estimate("calibration_slope").value == pytest.approx(1.0, abs=0.02)
    assert judged.estimate("calibration_intercept").value == pytest.approx(0.0, abs=0.02)


def test_ece_of_a_shifted_constant_is_the_shift() -> None:
    labels = np.tile(np.array([0, 0, 0, 1], dtype=np.int8), 500)
    judged = judge(np.full(2000, 0.35), labels, counts=NO_DRAWS)
    assert judged.estimate("ece").value == pytest.approx(0.1, abs=1e-12)
    assert judged.estimate("auc").value == 0.5


def test_captured_share_of_a_perfect_ranking_and_of_none() -> None:
    labels = np.zeros(1000, dtype=np.int8)
    labels[:50] = 1
    perfect = judge(np.linspace(0.99, 0.01, 1000), labels, counts=NO_DRAWS)
    assert perfect.estimate("captured_top_1pct").value == pytest.approx(10 / 50)
    assert perfect.estimate("captured_top_5pct").value == pytest.approx(1.0)
    assert perfect.estimate("lift_top_5pct").value == pytest.approx(20.0)
    constant = judge(np.full(1000, 0.05), labels, counts=NO_DRAWS)
    for share in TOP_SHARES:
        name = f"captured_top_{round(share * 100)}pct"
        assert constant.estimate(name).value == pytest.approx(share)


def test_bins_have_equal_mass_and_keep_ties_together() -> None:
    bins = equal_mass_bins(np.linspace(0.1, 0.9, 1500))
    assert (np.bincount(bins) == 100).all()
    tied = equal_mass_bins(np.array([0.1] * 8 + [0.5] * 2), n_bins=5)
    assert len(set(tied[:8])) == 1


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    """200 worlds of 600 customers with two equal rows each: coverage near 95 %, and a
    bootstrap over rows instead of customers would be too sure."""
    rng = np.random.default_rng(11)
    truth, by_customer, by_row = 0.3, 0, 0
    worlds = 200
    for _ in range(worlds):
        labels = np.repeat((rng.random(600) < truth).astype(np.int8), 2)
        p = np.full(1200, expit(1.0))
        expected = -(truth * np.log(p[0]) + (1 - truth) * np.log(1 - p[0]))
        for clusters in (np.arange(1200) // 2, np.arange(1200)):
            counts = draw_customers(clusters, draws=200, rng=rng)
            estimate = judge(p, labels, counts=counts).estimate("log_loss")
            assert estimate.low is not None and estimate.high is not None
            inside = estimate.low <= expected <= estimate.high
            if clusters[-1] == 599:
                by_customer += inside
            else:
                by_row += inside
    assert by_customer / worlds > 0.90
    assert by_row / worlds < 0.88


def test_a_model_minus_itself_is_nothing_and_differences_are_paired() -> None:
    p, labels = sample(2000, 9)
    counts = draw_customers(np.arange(2000), draws=100, rng=np.random.default_rng(4))
    one = judge(p, labels, counts=counts)
    same = one.minus(one, "log_loss")
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    nudged = judge(np.clip(p * 0.98, 1e-4, 1 - 1e-4), labels, counts=counts)
    gap = one.minus(nudged, "log_loss")
    alone = one.estimate("log_loss")
    assert gap.low is not None and gap.high is not None
    assert alone.low is not None and alone.high is not None
    assert gap.high - gap.low < 0.2 * (alone.high - alone.low)
