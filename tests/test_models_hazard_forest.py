"""The hazard forest: bins, periods, derivatives, and truths it must find again."""

from dataclasses import replace

import numpy as np
import pytest

from models.forest import ForestSettings
from models.hazard_forest import (
    NEVER,
    Spells,
    _PeriodLoss,
    anchor_weights,
    count_periods,
    cut_spells,
    fit_hazard_forest,
    flatten_periods,
    log_spaced_days,
)

SETTINGS = ForestSettings(max_rounds=60, min_data_in_leaf=20, learning_rate=0.2, threads=1)


@pytest.mark.parametrize("horizon", [1, 2, 3, 7, 8, 30, 91, 92, 365])
def test_bins_grow_and_end_at_the_horizon(horizon: int) -> None:
    edges = log_spaced_days(horizon)
    assert edges[0] == 0 and edges[-1] == horizon
    assert np.all(np.diff(edges) > 0)
    assert len(edges) <= 19


def test_bins_of_a_quarter() -> None:
    assert log_spaced_days(91).tolist() == [0, 1, 2, 3, 4, 6, 8, 11, 15, 21, 29, 41, 57, 91]


def test_anchors_share_every_bin_out() -> None:
    for n_bins in (1, 2, 3, 12):
        weights = anchor_weights(n_bins)
        assert weights.shape == (n_bins, min(3, n_bins))
        np.testing.assert_allclose(weights.sum(axis=1), 1.0)


def test_a_spell_counts_in_bins_seen_to_their_end() -> None:
    edges = np.array([0.0, 1.0, 3.0, 7.0])
    days = np.array([0.0, 0.5, 1.0, 2.9, 3.0, 7.0, 0.5, 1.0, 6.9, 7.0, 99.0])
    returned = np.array([True] * 6 + [False] * 5)
    spells = cut_spells(np.zeros((11, 1), np.float32), days=days, returned=returned, edges=edges)
    # A return on or after the horizon was not seen within it; an unseen bin does not count.
    assert spells.periods.tolist() == [1, 1, 2, 2, 3, 3, 0, 1, 2, 3, 3]
    assert spells.returned_in.tolist() == [0, 0, 1, 1, 2, NEVER, NEVER, NEVER, NEVER, NEVER, NEVER]
    at_risk, returns = count_periods(spells, 3)
    assert at_risk.tolist() == [10, 7, 4]
    assert returns.tolist() == [2, 2, 1]


def test_periods_are_flattened_where_at_risk() -> None:
    spells = Spells(np.zeros((2, 1), np.float32), np.array([2, 1]), np.array([1, NEVER]))
    scores, labels = flatten_periods(np.arange(6.0).reshape(2, 3), spells)
    assert scores.tolist() == [0.0, 1.0, 3.0]
    assert labels.tolist() == [0, 1, 0]


def test_derivatives_equal_differences_of_the_loss() -> None:
    rng = np.random.default_rng(1)
    n, n_bins, step = 40, 5, 1e-5
    periods = rng.integers(0, n_bins + 1, size=n)
    back = np.where((rng.random(n) < 0.5) & (periods > 0), periods - 1, NEVER)
    spells = Spells(np.zeros((n, 1), np.float32), periods, back)
    loss = _PeriodLoss(spells, rng.normal(size=n_bins), anchor_weights(n_bins))
    sums = rng.normal(size=(n, 3))
    slope, curvature = loss.gradients(sums, None)

    def total(at: np.ndarray) -> float:
        return loss.evaluate(at, None)[1] * periods.sum()

    for row, anchor in [(0, 0), (3, 1), (7, 2), (20, 1)]:
        move = np.zeros_like(sums)
        move[row, anchor] = step
        numeric = (total(sums + move) - total(sums - move)) / (2 * step)
        assert slope[row, anchor] == pytest.approx(numeric, abs=1e-6)
        # All anchors of a row step together: the curvature is along that step.
        together = np.zeros_like(sums)
        together[row] = step
        up, down = (loss.gradients(sums + sign * together, None)[0] for sign in (1, -1))
        bend = (up[row, anchor] - down[row, anchor]) / (2 * step)
        assert curvature[row, anchor] == pytest.approx(bend, abs=1e-6)


def waiting_times(n: int, *, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Exponential waits whose rate depends on the first feature; followed for 20 … 60 days."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 3)).astype(np.float32)
    days = rng.exponential(np.where(values[:, 0] > 0, 8.0, 40.0))
    followed = rng.uniform(20.0, 60.0, size=n)
    return values, np.minimum(days, followed), days < followed


def test_finds_the_hazards_of_two_kinds_of_customers_under_censoring() -> None:
    edges = log_spaced_days(30)
    spells = [
        cut_spells(values, days=days, returned=back, edges=edges)
        for values, days, back in (waiting_times(6000, seed=1), waiting_times(3000, seed=2))
    ]
    model = fit_hazard_forest(
        spells[0],
        validation=spells[1],
        n_bins=len(edges) - 1,
        names=("a", "b", "c"),
        settings=SETTINGS,
    )
    assert model is not None
    quick, slow = model.log_odds(np.array([[1, 0, 0], [-1, 0, 0]], dtype=np.float32))
    widths = np.diff(edges)
    for found, mean in ((quick, 8.0), (slow, 40.0)):
        survival = np.exp(-np.cumsum(np.log1p(np.exp(found))))
        np.testing.assert_allclose(survival, np.exp(-np.cumsum(widths) / mean), atol=0.05)


def fitted_on(values: np.ndarray, days: np.ndarray, back: np.ndarray, edges: np.ndarray):  # type: ignore[no-untyped-def]
    spells = cut_spells(values, days=days, returned=back, edges=edges)
    return fit_hazard_forest(
        spells,
        validation=spells,
        n_bins=len(edges) - 1,
        names=("a", "b", "c"),
        settings=SETTINGS,
    )


def test_equal_inputs_give_equal_text() -> None:
    edges = log_spaced_days(30)
    data = waiting_times(800, seed=3)
    assert fitted_on(*data, edges).forest.text == fitted_on(*data, edges).forest.text


def test_one_bin_is_a_plain_forest() -> None:
    values, days, back = waiting_times(800, seed=4)
    model = fitted_on(values, days, back, log_spaced_days(1))
    assert model.log_odds(values).shape == (800, 1)
    assert model.log_odds(values[:0]).shape == (0, 1)


def test_without_validation_all_rounds_are_boosted() -> None:
    edges = log_spaced_days(30)
    values, days, back = waiting_times(800, seed=5)
    spells = cut_spells(values, days=days, returned=back, edges=edges)
    # All rows and features: LightGBM keeps no round in which nothing could be split.
    settings = replace(SETTINGS, feature_fraction=1.0, bagging_fraction=1.0)
    model = fit_hazard_forest(
        spells, n_bins=len(edges) - 1, names=("a", "b", "c"), settings=settings
    )
    assert model is not None
    assert model.forest.rounds == 3 * SETTINGS.max_rounds


def test_constant_features_give_no_forest() -> None:
    values, days, back = waiting_times(800, seed=6)
    assert fitted_on(np.zeros_like(values), days, back, log_spaced_days(30)) is None
