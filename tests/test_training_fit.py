"""Fitting and judging: deterministic, honest about baselines, refusing too little data."""

from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from small_shop import SPEC, STAGES, history_of, shop_events

from features.errors import DataError
from features.local_day import local_midnight_us
from models.bundle import KINDS, Kind, stages_digest
from training.fit import TrainedModel, check_counts, fit_model, split_validation
from training.folds import Folds, plan_folds
from training.ladder import MODEL, Difference, verdict_of, verdict_text
from training.metrics import Estimate
from training.panel import Panel, build_panel
from training.plan import LearnerPlan, TrainingPlan

PLAN = TrainingPlan(
    max_cutoffs=4,
    min_positives=20,
    bootstrap_draws=60,
    learner=LearnerPlan(max_rounds=60, min_data_in_leaf=20, threads=1),
)


def shop_panel(customers: int = 600) -> tuple[Panel, Folds]:
    table = shop_events(customers)
    times = table.column("occurred_at").cast("int64").to_numpy()
    berlin = ZoneInfo("Europe/Berlin")
    folds = plan_folds(
        (int(times.min()), int(times.max())),
        trained_until_us=local_midnight_us(date(2025, 11, 27), berlin),
        timezone=berlin,
        windows=(2.0, 30.0),
        step_days=28,
        max_cutoffs=4,
    )
    return build_panel(history_of(table), spec=SPEC, stages=STAGES, folds=folds), folds


@pytest.fixture(scope="module")
def shop() -> tuple[Panel, Folds]:
    return shop_panel()


def train(kind: Kind, panel: Panel, folds: Folds, plan: TrainingPlan = PLAN) -> TrainedModel:
    return fit_model(
        kind, panel, spec=SPEC, stages_digest=stages_digest(STAGES), folds=folds, plan=plan
    )


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_what_the_shop_is_made_of(kind: Kind, shop: tuple[Panel, Folds]) -> None:
    trained = train(kind, *shop)
    report = trained.report
    assert [fold.fold for fold in report.folds] == ["training", "validation", "test"]
    assert [fold.in_sample for fold in report.folds] == [True, True, False]
    names = [rung.name for rung in report.test.ladder]
    assert names == ["recency rule", "RFM score", "logistic R,F,M", MODEL]
    model = report.test.ladder[-1].metrics
    assert model["auc"].value > 0.6
    assert model["auc"].low < model["auc"].value < model["auc"].high  # type: ignore[operator]
    assert len(report.verdicts) == 3
    assert abs(sum(share for _, share in report.importance) - 1) < 1e-9
    assert report.curves.captured[MODEL][-1] == 1.0


def test_training_twice_gives_the_same_bundle(shop: tuple[Panel, Folds]) -> None:
    one, two = train("dormancy_risk", *shop), train("dormancy_risk", *shop)
    assert one.bundle.digest() == two.bundle.digest()
    assert one.report == two.report


def test_a_forest_of_noise_is_reported_as_worse_than_the_baselines(
    shop: tuple[Panel, Folds],
) -> None:
    """All its features are shuffled: the rules must win, and the report must say so."""
    panel, folds = shop
    rng = np.random.default_rng(1)
    rows = panel.rows["natural_return"]
    noise = rng.normal(size=rows.values.shape).astype(np.float32)
    shuffled = Panel(
        rows={**panel.rows, "natural_return": replace(rows, values=noise)},
        excluded=panel.excluded,
    )
    report = train("natural_return", shuffled, folds).report
    said = {d.baseline: d.verdict for d in report.test.differences if d.metric == "log_loss"}
    assert said["logistic R,F,M"] == "worse"
    assert any("worse than the logistic R,F,M (log loss +" in text for text in report.verdicts)


def test_too_few_positives_names_every_fold(shop: tuple[Panel, Folds]) -> None:
    panel, folds = shop
    check_counts(panel, folds, min_positives=20)
    with pytest.raises(DataError) as caught:
        check_counts(panel, folds, min_positives=100_000)
    text = str(caught.value)
    for word in ("dormancy_risk has training", "natural_return has training", "validation", "test"):
        assert word in text
    assert "at least 100000 of each" in text and "training.min_positives" in text


def test_validation_is_halved_by_customer_only_if_each_half_can_be_isotonic(
    shop: tuple[Panel, Folds],
) -> None:
    panel, folds = shop
    small = panel.fold("dormancy_risk", "validation", folds)
    assert split_validation(small) == (small, small)
    times = 10_000 // len(small.labels) + 1
    many = small.take(np.arange(len(small.labels)).repeat(times))
    rng = np.random.default_rng(3)
    many = replace(
        many,
        customer=rng.integers(0, 2**64, size=len(many.labels), dtype=np.uint64),
        labels=(np.arange(len(many.labels)) % 2).astype(np.int8),
    )
    stopping, calibrating = split_validation(many)
    assert len(stopping.labels) + len(calibrating.labels) == len(many.labels)
    assert not set(stopping.customer) & set(calibrating.customer)


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
    difference = Difference("recency rule", "log_loss", Estimate(-0.0123, -0.02, -0.004), "better")
    assert verdict_text(difference) == (
        "LightGBM, calibrated: better than the recency rule "
        "(log loss -0.0123, 95 % interval -0.0200 to -0.0040)"
    )
