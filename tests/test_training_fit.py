"""Fitting and judging: deterministic, honest about baselines, refusing too little data."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit
from small_material import shop_material

from features.errors import DataError
from models.bundle import KINDS, Kind
from models.ladder import FOREST, RUNGS
from training.fit import check_counts, fit_model
from training.ladder import Difference, verdict_of, verdict_text
from training.ladder_fit import base_log_odds
from training.material import Material
from training.metrics import Estimate
from training.panel import Exclusions, Panel
from training.plan import LearnerPlan, TrainingPlan

PLAN = TrainingPlan(
    min_positives=20,
    bootstrap_draws=60,
    learner=LearnerPlan(max_rounds=60, min_data_in_leaf=20, threads=1),
)


@pytest.fixture(scope="module")
def shop() -> Material:
    return shop_material(600, most=(4, 2))


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_what_the_shop_is_made_of(kind: Kind, shop: Material) -> None:
    trained = fit_model(kind, shop, plan=PLAN)
    report = trained.report
    names = [fold.fold for fold in report.folds]
    assert names == ["training", "between", "validation", "test"]
    assert [bool(fold.ladder) for fold in report.folds] == [False, False, False, True]
    assert len(report.folds[2].days) == 2
    assert tuple(rung.name for rung in report.test.ladder) == RUNGS
    served = report.test.ladder[RUNGS.index(report.shipped)].metrics["auc"]
    assert served.value > 0.6
    assert served.low < served.value < served.high  # type: ignore[operator]
    assert len(report.verdicts) == len(RUNGS) - 1
    assert all(text.startswith(f"{report.shipped}: ") for text in report.verdicts)
    assert set(report.selection) == set(RUNGS)
    assert abs(sum(share for _, share in report.importance) - 1) < 1e-9
    assert report.curves.captured[report.shipped][-1] == 1.0
    assert trained.bundle.ladder.shipped == report.shipped


def test_training_twice_gives_the_same_bundle(shop: Material) -> None:
    one, two = (fit_model("dormancy_risk", shop, plan=PLAN) for _ in range(2))
    assert one.bundle.digest() == two.bundle.digest()
    assert one.report == two.report


def test_what_is_served_is_what_was_judged_but_for_level_and_purchase_process(
    shop: Material,
) -> None:
    trained = fit_model("natural_return", shop, plan=PLAN)
    served, judged = trained.bundle.ladder, trained.judged
    assert replace(served, level=judged.level, purchase=judged.purchase) == judged
    assert served.purchase != judged.purchase
    processes = [rung.by_stage[0].process for rung in (served.purchase, judged.purchase)]
    assert processes[0] is shop.processes[shop.folds.trained_until_us][0]
    assert processes[1] is shop.processes[shop.folds.test_us][0]


def test_a_forest_of_noise_does_not_serve_where_a_rule_is_better(shop: Material) -> None:
    """All its features are shuffled: a rule must serve, and the report must name it."""
    noise = with_noise(shop, "natural_return")
    report = fit_model("natural_return", noise, plan=PLAN).report
    assert report.shipped != FOREST
    assert report.selection[FOREST] > report.selection[report.shipped]
    said = {d.baseline: d.verdict for d in report.test.differences if d.metric == "log_loss"}
    assert said[FOREST] == "better"
    assert any(f"better than the {FOREST} (log loss -" in text for text in report.verdicts)


def with_noise(shop: Material, kind: Kind) -> Material:
    rows = shop.panel.rows[kind]
    values = np.random.default_rng(1).normal(size=rows.values.shape).astype(np.float32)
    panel = Panel(
        rows={**shop.panel.rows, kind: replace(rows, values=values)},
        excluded=shop.panel.excluded,
    )
    return replace(shop, panel=panel)


def test_constant_features_leave_the_other_rungs_to_serve(shop: Material) -> None:
    """A forest without anything to split on gives its base to everybody, and says no more."""
    rows = shop.panel.rows["dormancy_risk"]
    constant = replace(rows, values=np.ones_like(rows.values))
    panel = Panel(rows={**shop.panel.rows, "dormancy_risk": constant}, excluded=Exclusions())
    trained = fit_model("dormancy_risk", replace(shop, panel=panel), plan=PLAN)
    auc = {rung.name: rung.metrics["auc"].value for rung in trained.report.test.ladder}
    assert auc[FOREST] == pytest.approx(0.5)
    assert auc[trained.report.shipped] > 0.6
    value = constant.value.take(np.arange(50))
    p = trained.bundle.predict(constant.values[:50], value)
    assert np.isfinite(p).all() and np.ptp(p) > 0


def test_too_few_positives_names_every_fold(shop: Material) -> None:
    check_counts(shop.panel, shop.folds, min_positives=20)
    with pytest.raises(DataError) as caught:
        check_counts(shop.panel, shop.folds, min_positives=100_000)
    text = str(caught.value)
    for word in ("dormancy_risk has training", "natural_return has training", "validation", "test"):
        assert word in text
    assert "at least 100000 of each" in text and "training.min_positives" in text


def test_the_base_makes_the_mean_forecast_right_whatever_the_levels(shop: Material) -> None:
    rows = shop.panel.fold("natural_return", "training", shop.folds)
    rng = np.random.default_rng(3)
    for scale in (0.0, 1.0, 4.0):
        offsets = rng.normal(0.0, scale, size=len(shop.folds.cutoffs))
        base = base_log_odds(rows, offsets)
        assert expit(base + offsets[rows.cutoff]).mean() == pytest.approx(rows.labels.mean())


@pytest.mark.parametrize(
    ("low", "high", "lower_is_better", "verdict"),
    [
        (-0.2, -0.1, True, "better"),
        (0.1, 0.2, True, "worse"),
        (-0.1, 0.1, True, "not proven yet"),
        (0.1, 0.2, False, "better"),
        (-0.2, -0.1, False, "worse"),
        (0.0, 0.0, True, "not proven yet"),
        (None, None, True, "not proven yet"),
    ],
)
def test_verdicts(
    low: float | None, high: float | None, lower_is_better: bool, verdict: str
) -> None:
    estimate = Estimate(0.0, low, high)
    assert verdict_of(estimate, lower_is_better=lower_is_better) == verdict


def test_a_verdict_reads_as_a_sentence() -> None:
    difference = Difference(
        "stack", "recency rule", "log_loss", Estimate(-0.0123, -0.02, -0.004), "better"
    )
    assert verdict_text(difference) == (
        "stack: better than the recency rule (log loss -0.0123, 95 % interval -0.0200 to -0.0040)"
    )
