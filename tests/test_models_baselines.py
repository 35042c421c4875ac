"""The ladder's lower rungs give probabilities that make sense."""

import json
from dataclasses import replace

import numpy as np
import pytest

from models.baselines import baseline_from_json, fit_baselines
from models.customer_value import CustomerValue


def customers(
    *,
    stage: np.ndarray,
    silence: np.ndarray,
    recency: np.ndarray,
    orders: np.ndarray,
    spend: np.ndarray,
) -> CustomerValue:
    """Values without the counts that purchase processes read."""
    nothing = np.full(len(stage), np.nan)
    return CustomerValue(
        stage=stage.astype(np.int16),
        silence_days=silence,
        order_recency_days=recency,
        orders=orders,
        spend=spend,
        repeats=nothing,
        last_days=nothing,
        age_days=nothing,
    )


def world(n: int, seed: int) -> tuple[CustomerValue, np.ndarray]:
    """Returns get rarer with silence, and on stage 1 ten times later than on stage 0."""
    rng = np.random.default_rng(seed)
    stage = rng.integers(0, 2, size=n)
    scale = np.where(stage == 0, 10.0, 100.0)
    silence = rng.exponential(scale)
    orders = rng.poisson(3.0, size=n).astype(np.float64)
    value = customers(
        stage=stage,
        silence=silence,
        recency=np.where(orders > 0, silence + rng.uniform(0, 5, size=n), np.nan),
        orders=orders,
        spend=orders * rng.lognormal(3.0, 0.5, size=n),
    )
    returns = 0.7 * np.exp(-silence / scale) * (1 - np.exp(-(orders + 1) / 2))
    return value, (rng.random(n) < returns).astype(np.int8)


@pytest.mark.parametrize("flip", [False, True])
def test_probabilities_are_calibrated_on_average_and_never_certain(flip: bool) -> None:
    value, labels = world(20_000, 1)
    labels = (1 - labels).astype(np.int8) if flip else labels
    later, truth = world(20_000, 2)
    truth = 1 - truth if flip else truth
    for baseline in fit_baselines(value, labels):
        p = baseline.probabilities(later)
        assert p.shape == (20_000,)
        assert (p > 0).all() and (p < 1).all()
        assert p.mean() == pytest.approx(truth.mean(), abs=0.01), baseline.name
        assert np.corrcoef(p, truth)[0, 1] > 0.15, baseline.name


def test_recency_rule_knows_that_silence_means_something_else_on_another_stage() -> None:
    value, labels = world(20_000, 3)
    rule = fit_baselines(value, labels)[0]
    two = customers(
        stage=np.array([0, 1]),
        silence=np.array([30.0, 30.0]),
        recency=np.array([30.0, 30.0]),
        orders=np.array([3.0, 3.0]),
        spend=np.array([60.0, 60.0]),
    )
    fast, slow = rule.probabilities(two)
    assert fast < 0.1 < 0.3 < slow


def test_a_stage_never_seen_takes_the_pooled_curve() -> None:
    value, labels = world(5_000, 4)
    rule = fit_baselines(value, labels)[0]
    new = value.take(np.arange(5))
    new = replace(new, stage=np.full(5, 7, dtype=np.int16))
    assert np.isfinite(rule.probabilities(new)).all()


def test_rfm_scores_run_from_3_to_15_and_who_never_ordered_scores_lowest_recency() -> None:
    value, labels = world(20_000, 5)
    score = fit_baselines(value, labels)[1]
    scores = score.scores(value)  # type: ignore[attr-defined]
    assert scores.min() == 3 and scores.max() == 15
    never = np.isnan(value.order_recency_days)
    assert scores[never].max() < scores[~never].max()


def test_shops_without_any_order_or_with_one_value_are_no_fault() -> None:
    n = 200
    value = customers(
        stage=np.zeros(n),
        silence=np.arange(n, dtype=np.float64),
        recency=np.full(n, np.nan),
        orders=np.zeros(n),
        spend=np.zeros(n),
    )
    labels = (np.arange(n) % 3 == 0).astype(np.int8)
    for baseline in fit_baselines(value, labels):
        assert np.isfinite(baseline.probabilities(value)).all()


def test_each_is_the_same_after_its_json() -> None:
    value, labels = world(3_000, 6)
    later, _ = world(500, 7)
    for baseline in fit_baselines(value, labels):
        document = json.loads(json.dumps(baseline.to_json(), allow_nan=False))
        again = baseline_from_json(document)
        assert again.name == baseline.name
        np.testing.assert_array_equal(again.probabilities(later), baseline.probabilities(later))


def test_fifths_of_a_shop_where_half_never_ordered_survive_json() -> None:
    """An edge at infinity is null in JSON, which knows no infinity."""
    value, labels = world(3_000, 8)
    never = np.arange(3_000) % 2 == 0
    value = replace(value, order_recency_days=np.where(never, np.nan, value.order_recency_days))
    score = fit_baselines(value, labels)[1]
    assert np.isinf(score.recency_edges).any()  # type: ignore[attr-defined]
    text = json.dumps(score.to_json(), allow_nan=False)
    assert "null" in text
    again = baseline_from_json(json.loads(text))
    np.testing.assert_array_equal(again.probabilities(value), score.probabilities(value))


def test_a_baseline_of_another_name_is_refused() -> None:
    with pytest.raises(ValueError, match="no baseline of the name 'tarot'"):
        baseline_from_json({"name": "tarot"})
