"""A ladder as of the test cutoff: what a small shop gets, and what a large one."""

from dataclasses import replace

import numpy as np
import pytest
from small_material import shop_material

from models.calibration import Calibration
from models.ladder import FOREST, RUNGS, STACK, Shift
from models.purchase_rung import PURCHASE_PROCESS
from training import ladder_fit
from training.ladder_fit import FittedLadder, fit_ladder
from training.level_fit import Levels
from training.material import Material
from training.plan import LearnerPlan, TrainingPlan

PLAN = TrainingPlan(learner=LearnerPlan(max_rounds=30, min_data_in_leaf=20, threads=1))
MEMBERS = (PURCHASE_PROCESS, FOREST, STACK)


@pytest.fixture(scope="module")
def shop() -> Material:
    return shop_material(400, most=(4, 2))


@pytest.fixture
def plain(shop: Material, monkeypatch: pytest.MonkeyPatch) -> FittedLadder:
    """A ladder of a shop too small for anything to be proven."""
    monkeypatch.setattr(ladder_fit, "is_enough", lambda *_: False)
    return fit_ladder("natural_return", shop, plan=PLAN)


def test_where_nothing_is_proven_forest_and_process_serve_half_and_half(
    plain: FittedLadder,
) -> None:
    assert plain.method == "none"
    assert plain.ladder.shipped == STACK
    assert plain.ladder.weights == (0.5, 0.5)
    for name in MEMBERS:
        assert plain.ladder.calibrations[name] == Calibration("platt")
        assert plain.ladder.shifts[name] == Shift(1.0, 0.0)
    assert plain.ladder.level == 0.0  # no year ago is known, and the rest is noise, too
    # A report must not name a level that nothing was moved by.
    assert (plain.level.value, plain.level.rule) == (0.0, "none")


def test_baselines_are_calibrated_all_the_same(plain: FittedLadder, shop: Material) -> None:
    """They were judged uncalibrated beside a small shop's stack, which beat them easily."""
    test = shop.panel.fold("natural_return", "validation", shop.folds)
    given = plain.ladder.probabilities(test.values, test.value)
    for name in RUNGS:
        if name not in MEMBERS:
            assert plain.ladder.calibrations[name] != Calibration("platt")
            assert given[name].mean() == pytest.approx(test.labels.mean(), abs=0.1), name


def test_a_calibration_asked_for_is_fitted_however_small_the_shop(
    shop: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ladder_fit, "is_enough", lambda *_: False)
    fitted = fit_ladder("natural_return", shop, plan=replace(PLAN, calibration="platt"))
    assert fitted.method == "platt"
    assert fitted.ladder.calibrations[STACK] != Calibration("platt")


def test_where_it_is_proven_weights_and_calibrations_are_fitted(
    shop: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ladder_fit, "is_enough", lambda *_: True)
    fitted = fit_ladder("natural_return", shop, plan=PLAN)
    assert fitted.method == "platt" and fitted.ladder.weights != (0.5, 0.5)
    assert fitted.ladder.level == fitted.level.value
    rows = shop.panel.fold("natural_return", "validation", shop.folds)
    for name, p in fitted.ladder.probabilities(rows.values, rows.value).items():
        assert p.mean() == pytest.approx(rows.labels.mean(), abs=0.12), name


def test_at_another_as_of_only_level_and_process_are_others(
    shop: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ladder_fit, "is_enough", lambda *_: True)
    fitted = fit_ladder("natural_return", shop, plan=PLAN)
    levels = Levels(
        "natural_return",
        shop.levels,
        shop.processes,
        shop.folds,
        shop.folds.trained_until_us,
    )
    later = fitted.at(levels, shop.folds.trained_until_us)
    assert replace(later, level=fitted.ladder.level, purchase=fitted.ladder.purchase) == (
        fitted.ladder
    )
    assert later.purchase.by_stage[0].process != fitted.ladder.purchase.by_stage[0].process
    assert np.isfinite(later.level)
