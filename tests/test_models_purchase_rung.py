"""MBG/NBD as a rung: the process's odds, one line per stage, never certain."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit
from small_ladder import PROCESS, RUNG, random_value

from features.errors import ArtifactError
from models.purchase_rung import (
    PurchaseRung,
    StageLine,
    purchase_rung_from_json,
    return_log_odds,
)


def test_log_odds_are_the_stages_line_of_the_processs_own() -> None:
    value = random_value(200)
    given = RUNG.log_odds(value)
    on_first = value.stage == 0
    own = PROCESS.p_order(value.repeats, value.last_days, value.age_days, horizon=30.0)
    np.testing.assert_allclose(given[on_first], 0.9 * logit(own[on_first]) - 0.2)
    # Stage 1 has no process: the intercept alone.
    assert set(given[~on_first]) == {-1.5}


def test_a_stage_not_known_at_training_takes_the_fallback() -> None:
    value = random_value(10)
    strange = replace(value, stage=np.full(10, 7, dtype=np.int16))
    assert RUNG.log_odds(strange).tolist() == [-1.0] * 10


def test_the_same_process_tells_who_will_not_return() -> None:
    """Dormancy risk is the label turned round; its lines then start from the opposite odds."""
    value = random_value(50)
    lines = {0: StageLine(PROCESS, 1.0, 0.0), 1: StageLine(PROCESS, 1.0, 0.0)}
    back = PurchaseRung(1, 30.0, lines, 0.0)
    away = PurchaseRung(-1, 30.0, lines, 0.0)
    np.testing.assert_allclose(expit(back.log_odds(value)), 1 - expit(away.log_odds(value)))


def test_who_left_long_ago_and_who_bought_hourly_are_not_certain() -> None:
    counts = (np.array([3_000.0, 40.0]), np.array([3_000.0, 40.0]), np.array([3_000.0, 9e5]))
    odds = return_log_odds(PROCESS, counts, horizon_days=365.0)
    assert np.isfinite(odds).all()
    assert (np.abs(odds) <= logit(1 - 1e-6) + 1e-9).all()
    assert odds[0] > 5 and odds[1] < -5


def test_a_longer_horizon_makes_a_return_more_likely() -> None:
    value = random_value(100).take(np.arange(100) % 2 == 0)
    short, long = (replace(RUNG, horizon_days=days).log_odds(value) for days in (7.0, 90.0))
    assert (long > short).all()


def test_no_customers_no_log_odds() -> None:
    assert RUNG.log_odds(random_value(10).take(np.zeros(0, dtype=np.int64))).shape == (0,)


def test_it_is_the_same_after_its_json() -> None:
    document = json.loads(json.dumps(RUNG.to_json(), allow_nan=False))
    again = purchase_rung_from_json(document)
    assert again == RUNG
    value = random_value(100)
    np.testing.assert_array_equal(again.log_odds(value), RUNG.log_odds(value))


@pytest.mark.parametrize(
    "change",
    [
        {"label_is_return": 0},
        {"horizon_days": None},
        {"by_stage": {"first": {"process": None, "slope": 1.0, "intercept": 0.0}}},
        {"by_stage": {"0": {"process": {}, "slope": 1.0, "intercept": 0.0}}},
        {"by_stage": {"0": {"process": None, "slope": 1.0}}},
    ],
)
def test_another_document_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises((ArtifactError, KeyError, TypeError, ValueError)):
        purchase_rung_from_json({**RUNG.to_json(), **change})
