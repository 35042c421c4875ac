"""Calibration: monotone, never certain, close to the truth."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from features.errors import ArtifactError
from models.calibration import (
    Method,
    calibration_from_json,
    choose_method,
    fit_calibration,
    fit_logistic_line,
)


def world(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Raw scores that are too sure of themselves, labels, and the true probabilities."""
    rng = np.random.default_rng(seed)
    raw = rng.normal(size=n) * 2
    truth = expit(0.5 * raw - 1.0)
    return raw, (rng.random(n) < truth).astype(np.int8), truth


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(2, 200),
    seed=st.integers(0, 10**6),
    method=st.sampled_from(["isotonic", "platt"]),
    spread=st.sampled_from([0.0, 1e-9, 1.0, 50.0]),
)
def test_monotone_and_never_certain(n: int, seed: int, method: Method, spread: float) -> None:
    rng = np.random.default_rng(seed)
    raw = np.round(rng.normal(size=n) * spread, 2)
    labels = rng.integers(0, 2, size=n).astype(np.int8)
    labels[:2] = [0, 1]
    calibration = fit_calibration(raw, labels, method=method)
    grid = np.linspace(-1e3, 1e3, 501)
    p = calibration.apply(grid)
    assert (p > 0).all() and (p < 1).all()
    assert (np.diff(p) >= 0).all()


@pytest.mark.parametrize("method", ["isotonic", "platt"])
def test_finds_the_true_probabilities(method: Method) -> None:
    raw, labels, _ = world(60_000, 1)
    calibration = fit_calibration(raw, labels, method=method)
    raw, _, truth = world(20_000, 2)
    assert np.abs(calibration.apply(raw) - truth).mean() < 0.012


@pytest.mark.parametrize("upside_down", [False, True])
def test_one_lonely_row_at_an_end_moves_nobody_else(upside_down: bool) -> None:
    """The lowest row of all did not return: its smoothed rate, half the base rate, became
    the least that anybody was given.
    """
    raw = np.concatenate([[-50.0], np.repeat([-2.0, 0.0, 2.0], 1_000)])
    rates = np.repeat([0.05, 0.5, 0.95], 1_000)
    labels = np.concatenate([[0], np.arange(3_000) % 1_000 < 1_000 * rates]).astype(np.int8)
    if upside_down:
        raw, labels = -raw, (1 - labels).astype(np.int8)
    calibration = fit_calibration(raw, labels, method="isotonic")
    p = calibration.apply(np.array([-2.0, 0.0, 2.0]))
    np.testing.assert_allclose(p, [0.05, 0.5, 0.95], atol=0.002)
    assert calibration.apply(raw).mean() == pytest.approx(labels.mean(), abs=0.001)


def test_isotonic_keeps_the_ranking_inside_its_range() -> None:
    raw, labels, _ = world(20_000, 3)
    calibration = fit_calibration(raw, labels, method="isotonic")
    inside = np.linspace(calibration.knots[0], calibration.knots[-1], 200)
    p = calibration.apply(inside)
    assert (np.diff(p) > 0).mean() > 0.9


def test_separable_labels_stay_finite() -> None:
    raw = np.array([-2.0, -1.0, 1.0, 2.0])
    labels = np.array([0, 0, 1, 1], dtype=np.int8)
    for method in ("isotonic", "platt"):
        p = fit_calibration(raw, labels, method=method).apply(np.array([-9.0, 9.0]))  # type: ignore[arg-type]
        assert 0 < p[0] < p[1] < 1


def test_a_backward_forest_becomes_the_base_rate() -> None:
    raw, labels, _ = world(5_000, 4)
    calibration = fit_calibration(-raw, labels, method="platt")
    p = calibration.apply(np.array([-5.0, 0.0, 5.0]))
    np.testing.assert_allclose(p, labels.mean())


def test_auto_picks_isotonic_from_2000_of_either_label_on() -> None:
    labels = np.array([1] * 2000 + [0] * 2000, dtype=np.int8)
    assert choose_method(labels, "auto") == "isotonic"
    assert choose_method(labels[1:], "auto") == "platt"
    assert choose_method(labels[:-1], "auto") == "platt"
    assert choose_method(labels[:10], "isotonic") == "isotonic"


@pytest.mark.parametrize("method", ["isotonic", "platt"])
def test_json_gives_the_same_map_back(method: Method) -> None:
    raw, labels, _ = world(3_000, 5)
    calibration = fit_calibration(raw, labels, method=method)
    again = calibration_from_json(json.loads(json.dumps(calibration.to_json())))
    assert again == calibration


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"method": "magic", "slope": 1.0, "intercept": 0.0},
        {"method": "platt", "slope": -1.0, "intercept": 0.0},
        {"method": "platt", "slope": "steep", "intercept": 0.0},
        {"method": "isotonic", "knots": [1.0, 0.0], "levels": [0.1, 0.2]},
        {"method": "isotonic", "knots": [0.0, 1.0], "levels": [0.1]},
        {"method": "isotonic", "knots": [], "levels": []},
    ],
)
def test_a_map_that_is_none_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(ArtifactError, match=r"calibration.json: not a calibration map"):
        calibration_from_json(document)


def test_a_line_is_found_wherever_the_scores_lie() -> None:
    """Days of silence from 120 on: at the first guess, log-odds equal to minus the days,
    every probability was 0, the likelihood flat, and the curve ended at any height.
    """
    rng = np.random.default_rng(12)
    for low, high in ((120.0, 211.0), (4_000.0, 4_010.0), (-0.2, 0.1)):
        days = rng.uniform(low, high, size=40_000)
        truth = expit(-2.0 - (days - low) / (high - low))
        labels = (rng.random(40_000) < truth).astype(np.int8)
        slope, intercept = fit_logistic_line(-days, labels)
        assert slope * (high - low) == pytest.approx(1.0, abs=0.15)
        np.testing.assert_allclose(expit(intercept - slope * days), truth, atol=0.01)
        given_rates = fit_calibration(-days, labels, method="isotonic").apply(-days)
        np.testing.assert_allclose(given_rates, truth, atol=0.02)
