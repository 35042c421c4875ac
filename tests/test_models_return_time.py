"""Return curves: interpolation, truncated means, quantiles, and the model's files."""

import json

import numpy as np
import pytest

from features.errors import ArtifactError
from models.calibration import Calibration
from models.forest import ForestSettings
from models.hazard_forest import cut_spells, fit_hazard_forest, log_spaced_days
from models.return_time import ReturnCurves, ReturnTimeModel, return_time_from_parts

EDGES = np.array([0.0, 1.0, 3.0, 7.0, 30.0])


def exponential(*means: float) -> ReturnCurves:
    """Curves of waits without memory: every piece of them is exact."""
    return ReturnCurves(EDGES, np.exp(-EDGES[None, :] / np.array(means)[:, None]))


def test_survival_between_the_edges_is_exponential() -> None:
    days = np.array([0.0, 0.5, 1.0, 2.0, 6.9, 30.0])
    found = exponential(5.0, 80.0).survival_at(days)
    expected = np.exp(-days[None, :] / np.array([[5.0], [80.0]]))
    np.testing.assert_allclose(found, expected)
    np.testing.assert_allclose(exponential(5.0, 80.0).return_curve(days), 1 - expected)


@pytest.mark.parametrize("day", [-1.0, 30.1])
def test_nothing_is_said_beyond_the_horizon(day: float) -> None:
    with pytest.raises(ArtifactError, match="horizon, 30"):
        exponential(5.0).survival_at(np.array([day]))


def test_expected_days_are_truncated_at_the_horizon() -> None:
    means = np.array([2.0, 5.0, 80.0, 1e9])
    truncated = means * -np.expm1(-30.0 / means)
    np.testing.assert_allclose(exponential(*means).expected_days(), truncated, rtol=1e-6)


def test_expected_days_equal_the_sum_of_survival_over_fine_steps() -> None:
    curves = ReturnCurves(EDGES, np.array([[1.0, 0.4, 0.4, 0.3, 0.299999]]))
    fine = np.linspace(0.0, 30.0, 30_001)
    area = np.trapezoid(curves.survival_at(fine)[0], fine)
    assert curves.expected_days()[0] == pytest.approx(area, rel=1e-6)


def test_interval_and_what_lies_beyond_the_horizon() -> None:
    low, high = exponential(5.0, 80.0, 1e5).interval(0.8)
    np.testing.assert_allclose(low, [5 * np.log(1 / 0.9), 80 * np.log(1 / 0.9), np.nan])
    np.testing.assert_allclose(high, [5 * np.log(10), np.nan, np.nan])


def test_quantiles_invert_the_curve() -> None:
    curves = ReturnCurves(EDGES, np.array([[1.0, 0.9, 0.6, 0.55, 0.1]]))
    for share in (0.05, 0.1, 0.3, 0.42, 0.9):
        day = curves.quantile(share)
        assert curves.return_curve(day)[0, 0] == pytest.approx(share)
    assert np.isnan(curves.quantile(0.91)[0])


@pytest.fixture(scope="module")
def model() -> ReturnTimeModel:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(600, 3)).astype(np.float32)
    days = rng.exponential(np.where(values[:, 0] > 0, 5.0, 30.0))
    edges = log_spaced_days(30)
    spells = cut_spells(values, days=days, returned=np.ones(600, bool), edges=edges)
    hazards = fit_hazard_forest(
        spells,
        validation=spells,
        n_bins=len(edges) - 1,
        names=("a", "b", "c"),
        settings=ForestSettings(max_rounds=10, min_data_in_leaf=20, threads=1),
    )
    assert hazards is not None
    return ReturnTimeModel(hazards, edges, Calibration("platt", slope=1.1, intercept=0.05))


def test_curves_fall_from_one(model: ReturnTimeModel) -> None:
    values = np.random.default_rng(2).normal(size=(50, 3)).astype(np.float32)
    survival = model.survival(values)
    assert survival.shape == (50, len(model.edges_days))
    assert np.all(survival[:, 0] == 1.0)
    assert np.all(np.diff(survival, axis=1) < 0) and np.all(survival > 0)
    assert model.survival(values[:0]).shape == (0, len(model.edges_days))


def test_rows_do_not_depend_on_each_other(model: ReturnTimeModel) -> None:
    values = np.random.default_rng(3).normal(size=(20, 3)).astype(np.float32)
    together = model.survival(values)
    alone = np.concatenate([model.survival(values[i : i + 1]) for i in range(20)])
    assert together.tobytes() == alone.tobytes()


def test_files_give_the_same_model_back(model: ReturnTimeModel) -> None:
    again = return_time_from_parts(model.to_parts())
    assert again.to_parts() == model.to_parts()
    values = np.random.default_rng(4).normal(size=(9, 3)).astype(np.float32)
    assert again.survival(values).tobytes() == model.survival(values).tobytes()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"edges_days": [0, 1]}, "2 bin edges"),
        ({"edges_days": None}, "not the hazards"),
        ({"base_log_odds": []}, "0 hazards"),
        ({"calibration": {"method": "guess"}}, "calibration"),
    ],
)
def test_changed_files_are_refused(
    model: ReturnTimeModel, change: dict[str, object], says: str
) -> None:
    parts = model.to_parts()
    document = json.loads(parts["hazards.json"]) | change
    with pytest.raises(ArtifactError, match=says):
        return_time_from_parts({**parts, "hazards.json": json.dumps(document).encode()})


def test_edges_must_ascend_and_trees_must_fit_the_anchors(model: ReturnTimeModel) -> None:
    parts = model.to_parts()
    document = json.loads(parts["hazards.json"])
    document["edges_days"][1] = 99.0
    with pytest.raises(ArtifactError, match="do not ascend"):
        return_time_from_parts({**parts, "hazards.json": json.dumps(document).encode()})
    document = json.loads(parts["hazards.json"])
    document["edges_days"], document["base_log_odds"] = [0.0, 1.0], [0.0]
    with pytest.raises(ArtifactError, match="3 trees per round for 1 anchors"):
        return_time_from_parts({**parts, "hazards.json": json.dumps(document).encode()})
