"""Six forecasters in one artefact: whichever serves, loading changes nothing."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit
from small_ladder import PLATT, ladder_of, random_value

from features.errors import ArtifactError
from models.calibration import Calibration
from models.forest import Forest, ForestSettings, Sample, fit_forest
from models.ladder import FOREST, RUNGS, STACK, Ladder, Shift, ladder_from_json, stacked
from models.purchase_rung import PURCHASE_PROCESS

N = 60


def features(n: int = N) -> np.ndarray:
    return np.random.default_rng(2).normal(size=(n, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def forest() -> Forest:
    values = features(400)
    rows = Sample(values, (values[:, 0] > 0).astype(np.int8))
    settings = ForestSettings(max_rounds=10, min_data_in_leaf=10, feature_fraction=1.0, threads=1)
    return fit_forest(rows, validation=rows, names=("a", "b", "c"), settings=settings)


@pytest.fixture(scope="module")
def ladder(forest: Forest) -> Ladder:
    maps = {
        name: Calibration("isotonic", knots=(-2.0, 0.0, 2.0 + place), levels=(0.1, 0.3, 0.9))
        for place, name in enumerate(RUNGS)
    }
    return replace(ladder_of(forest, level=0.4), calibrations=maps)


@pytest.mark.parametrize("shipped", RUNGS)
def test_the_rung_that_serves_predicts_and_survives_json(ladder: Ladder, shipped: str) -> None:
    serving = replace(ladder, shipped=shipped)
    values, value = features(), random_value(N)
    p = serving.predict(values, value)
    np.testing.assert_array_equal(p, serving.probabilities(values, value)[shipped])
    assert p.shape == (N,) and (p > 0).all() and (p < 1).all() and np.ptp(p) > 0.05
    document = json.loads(json.dumps(serving.to_json(), allow_nan=False))
    again = ladder_from_json(document, serving.forest)
    assert again.shipped == shipped
    np.testing.assert_array_equal(again.predict(values, value), p)
    assert again.to_json() == serving.to_json()


def test_the_rungs_are_told_in_their_order(ladder: Ladder) -> None:
    assert tuple(ladder.probabilities(features(), random_value(N))) == RUNGS


def test_a_probability_is_the_calibration_of_log_odds_and_shifted_level(ladder: Ladder) -> None:
    plain = replace(
        ladder,
        calibrations=dict.fromkeys(RUNGS, PLATT),
        shifts=dict.fromkeys(RUNGS, Shift(1.5, -0.2)),
        level=0.4,
    )
    raw = plain.log_odds(features(), random_value(N))
    for name, p in plain.probabilities(features(), random_value(N)).items():
        np.testing.assert_allclose(p, expit(0.9 * (raw[name] + 1.5 * 0.4 - 0.2) - 0.1))


def test_a_higher_level_raises_everybody(ladder: Ladder) -> None:
    for shipped in RUNGS:
        low, high = (
            replace(ladder, shipped=shipped, level=level).predict(features(), random_value(N))
            for level in (-0.5, 0.5)
        )
        assert (high >= low).all() and (high > low).any()


def test_the_stack_is_the_weighted_sum_of_forest_and_process(ladder: Ladder) -> None:
    raw = ladder.log_odds(features(), random_value(N))
    np.testing.assert_allclose(raw[STACK], 0.7 * raw[FOREST] + 0.4 * raw[PURCHASE_PROCESS])
    np.testing.assert_array_equal(stacked(raw, (1.0, 0.0)), raw[FOREST])


def test_the_forests_log_odds_are_base_and_trees(ladder: Ladder) -> None:
    lifted = replace(ladder, forest_base=-1.25)
    raw = lifted.log_odds(features(), random_value(N))[FOREST]
    np.testing.assert_allclose(raw, lifted.forest.raw_scores(features()) - 1.25)


def test_baselines_log_odds_are_finite(ladder: Ladder) -> None:
    """Their probabilities are never 0 or 1: the log-odds of those would spoil every sum."""
    raw = ladder.log_odds(features(), random_value(N))
    for one in ladder.baselines:
        np.testing.assert_allclose(raw[one.name], logit(one.probabilities(random_value(N))))
        assert np.isfinite(raw[one.name]).all()


def test_nobody_to_predict(ladder: Ladder) -> None:
    nobody = random_value(N).take(np.zeros(0, dtype=np.int64))
    for shipped in RUNGS:
        p = replace(ladder, shipped=shipped).predict(features()[:0], nobody)
        assert p.shape == (0,)


def without(document: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: part for key, part in document.items() if key != name}


def test_a_damaged_document_is_refused_with_what_to_do(ladder: Ladder, forest: Forest) -> None:
    whole = ladder.to_json()
    damaged = [without(whole, name) for name in whole]
    damaged += [
        {**whole, "shipped": "oracle"},
        {**whole, "baselines": whole["baselines"][::-1]},
        {**whole, "baselines": [{"name": "tarot"}]},
        {**whole, "weights": {FOREST: 0.5, PURCHASE_PROCESS: -0.1}},
        {**whole, "calibrations": without(whole["calibrations"], STACK)},
        {**whole, "shifts": without(whole["shifts"], STACK)},
        {**whole, "level": "high"},
        {**whole, "purchase": {**whole["purchase"], "label_is_return": 2}},
        {**whole, "calibrations": [1, 2]},
    ]
    for document in damaged:
        with pytest.raises(ArtifactError, match=r"ladder\.json: not a ladder.*winback train"):
            ladder_from_json(document, forest)
