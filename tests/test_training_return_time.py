"""The return-time model of the small shop: what it learns, what it may not know, when it skips."""

from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from small_shop import DAY_US, SPEC, STAGES, START_US, history_of, shop_events

from features.history import NO_TIME
from features.local_day import local_midnight_us
from training.folds import Cutoff, Folds, plan_folds
from training.panel import Panel, build_panel
from training.plan import LearnerPlan, TrainingPlan
from training.return_rows import Followed, outcomes_of, return_rows
from training.return_time import (
    Skipped,
    TrainedReturnTime,
    choose_horizon,
    train_return_time,
)

PLAN = TrainingPlan(
    max_cutoffs=4,
    min_positives=20,
    bootstrap_draws=50,
    learner=LearnerPlan(max_rounds=60, min_data_in_leaf=20, threads=1),
)
KNOWN = ("training", "between", "validation")


def shop_folds(windows: tuple[float, float] = (2.0, 30.0)) -> Folds:
    berlin = ZoneInfo("Europe/Berlin")
    return plan_folds(
        (START_US, local_midnight_us(date(2025, 11, 26), berlin)),
        trained_until_us=local_midnight_us(date(2025, 11, 27), berlin),
        timezone=berlin,
        windows=windows,
        step_days=28,
        most=(4, 2),
    )


@pytest.fixture(scope="module")
def shop() -> tuple[Panel, Folds]:
    folds = shop_folds()
    history = history_of(shop_events(600))
    return build_panel(history, spec=SPEC, stages=STAGES, folds=folds), folds


@pytest.fixture(scope="module")
def trained(shop: tuple[Panel, Folds]) -> TrainedReturnTime:
    found = train_return_time(*shop, spec=SPEC, plan=PLAN)
    assert isinstance(found, TrainedReturnTime)
    return found


def test_both_populations_are_learnt_from_together(shop: tuple[Panel, Folds]) -> None:
    panel, folds = shop
    rows = return_rows(panel, folds, ("test",), at_most=10**6)
    parts = [panel.fold(kind, "test", folds) for kind in panel.rows]
    assert len(rows.customer) == sum(len(part.labels) for part in parts)
    assert rows.dormant.sum() == len(panel.fold("natural_return", "test", folds).labels)
    assert set(rows.as_of_us.tolist()) == {folds.test_us}
    back = rows.return_us != NO_TIME
    assert 0 < back.sum() < len(back)
    assert np.all(rows.return_us[back] >= rows.as_of_us[back])


def test_labels_and_return_times_tell_the_same(shop: tuple[Panel, Folds]) -> None:
    panel, folds = shop
    for kind, rows in panel.rows.items():
        start = folds.as_ofs[rows.cutoff] + folds.gap_us
        inside = (rows.return_us >= start) & (rows.return_us < start + folds.horizon_us)
        back = (rows.labels == 0) if kind == "dormancy_risk" else (rows.labels == 1)
        assert np.all(back[inside])
        # A return in the gap comes first; without one the label follows from the time.
        gap = rows.return_us < start
        assert np.array_equal(back[~gap], inside[~gap])


def test_sampling_keeps_whole_customers_of_both_populations(shop: tuple[Panel, Folds]) -> None:
    panel, folds = shop
    everything = return_rows(panel, folds, KNOWN, at_most=10**6)
    some = return_rows(panel, folds, KNOWN, at_most=500)
    assert 400 < len(some.customer) <= 500
    kept = everything.take(np.isin(everything.customer, some.customer))
    assert np.array_equal(kept.customer, some.customer)
    assert np.array_equal(kept.values, some.values, equal_nan=True)
    bare = return_rows(panel, folds, KNOWN, at_most=500, features=False)
    assert bare.values.shape == (len(some.customer), 0)


def test_silences_count_as_far_as_they_were_followed(shop: tuple[Panel, Folds]) -> None:
    panel, folds = shop
    rows = return_rows(panel, folds, KNOWN, at_most=10**6)
    border = folds.test_us
    seen = outcomes_of(Followed(rows, border))
    assert np.all(seen.days <= seen.followed_days)
    np.testing.assert_allclose(seen.followed_days, (border - rows.as_of_us) / DAY_US)
    assert np.all(rows.return_us[seen.returned] < border)
    np.testing.assert_allclose(
        seen.days[seen.returned],
        (rows.return_us - rows.as_of_us)[seen.returned] / DAY_US,
    )
    assert np.array_equal(seen.days[~seen.returned], seen.followed_days[~seen.returned])
    assert np.all(outcomes_of(Followed(rows, 0)).followed_days == 0.0)


def test_it_beats_kaplan_meier_by_segment_where_rates_differ(trained: TrainedReturnTime) -> None:
    report = trained.report
    overall = report.comparisons[0]
    assert overall.part == "all"
    assert overall.model.value < overall.baseline.value
    assert report.judged_days == pytest.approx(32, abs=1)
    assert report.horizon_days > report.judged_days
    assert report.verdicts[0].startswith("return time: ")
    assert sum(share for _, share in report.importance) == pytest.approx(1.0)
    document = report.to_json()
    assert document["kind"] == "return_time"
    assert len(document["days"]) == len(document["model_brier"])


def test_what_serves_is_what_was_judged_on_a_new_line(trained: TrainedReturnTime) -> None:
    assert trained.served.forest.text == trained.judged.forest.text
    line = trained.served.calibration
    assert (line.slope, line.intercept) == (
        trained.report.calibration_slope,
        trained.report.calibration_intercept,
    )
    assert trained.judged.calibration.slope == 1.0


def test_the_line_brings_the_mean_forecast_to_the_test_rows(
    shop: tuple[Panel, Folds], trained: TrainedReturnTime
) -> None:
    panel, folds = shop
    rows = return_rows(panel, folds, ("test",), at_most=10**6)
    seen = outcomes_of(Followed(rows, folds.observed_until_us))
    by_day_20 = float((seen.returned & (seen.days <= 20.0)).mean())
    given = trained.served.curves(rows.values).return_curve(np.array([20.0])).mean()
    assert given == pytest.approx(by_day_20, abs=0.04)


def test_equal_inputs_give_equal_models(
    shop: tuple[Panel, Folds], trained: TrainedReturnTime
) -> None:
    again = train_return_time(*shop, spec=SPEC, plan=PLAN)
    assert isinstance(again, TrainedReturnTime)
    assert again.served.to_parts() == trained.served.to_parts()
    assert again.report == trained.report


def test_the_judged_model_knows_nothing_after_the_test_cutoff(
    shop: tuple[Panel, Folds], trained: TrainedReturnTime
) -> None:
    panel, folds = shop
    rng = np.random.default_rng(1)
    changed = {}
    for kind, rows in panel.rows.items():
        later = rows.return_us >= folds.test_us
        return_us = np.where(
            later, folds.test_us + rng.integers(0, 30 * DAY_US, len(later)), rows.return_us
        )
        values = rows.values.copy()
        values[folds.as_ofs[rows.cutoff] >= folds.test_us] = 7.0
        changed[kind] = replace(rows, return_us=return_us, values=values)
    other = train_return_time(replace(panel, rows=changed), folds, spec=SPEC, plan=PLAN)
    assert isinstance(other, TrainedReturnTime)
    assert other.judged.to_parts() == trained.judged.to_parts()


def with_returns(panel: Panel, folds: Folds, after_us: int | None) -> Panel:
    """The panel in which everybody returns so long after each as-of, or nobody does."""
    rows = {
        kind: replace(
            one,
            return_us=np.full(len(one.labels), NO_TIME)
            if after_us is None
            else folds.as_ofs[one.cutoff] + after_us,
        )
        for kind, one in panel.rows.items()
    }
    return replace(panel, rows=rows)


def test_nobody_returns(shop: tuple[Panel, Folds]) -> None:
    found = train_return_time(with_returns(*shop, None), shop[1], spec=SPEC, plan=PLAN)
    assert isinstance(found, Skipped)
    assert found.reason.startswith("0 returns in training and 0 in validation")


def test_everybody_returns_the_next_day(shop: tuple[Panel, Folds]) -> None:
    panel, folds = shop
    found = train_return_time(with_returns(panel, folds, DAY_US), folds, spec=SPEC, plan=PLAN)
    assert isinstance(found, TrainedReturnTime)
    rows = return_rows(panel, folds, ("test",), at_most=10**6)
    curves = found.served.curves(rows.values)
    low, high = curves.interval()
    assert np.all((curves.expected_days() > 0.9) & (curves.expected_days() < 2.1))
    assert np.all((low >= 0.9) & (high <= 2.1))
    assert found.report.comparisons[0].model.value < 0.05


def test_a_single_training_cutoff_followed_for_days_only(shop: tuple[Panel, Folds]) -> None:
    panel, folds = shop
    # The first validation cutoff comes five days after the only training one.
    days = [folds.test_us - back * DAY_US for back in (45, 40, 0)]
    names = ("training", "validation", "test")
    short = replace(
        folds,
        cutoffs=tuple(
            Cutoff(name, date(2025, 1, 1), at)  # type: ignore[arg-type]
            for name, at in zip(names, days, strict=True)
        ),
    )
    history = history_of(shop_events(600))
    panel = build_panel(history, spec=SPEC, stages=STAGES, folds=short)
    found = train_return_time(panel, short, spec=SPEC, plan=PLAN)
    assert isinstance(found, Skipped)
    assert found.reason == (
        "most silences were followed for 5 days only, and a return curve needs 7"
    )


def test_constant_features(shop: tuple[Panel, Folds]) -> None:
    panel, folds = shop
    rows = {
        kind: replace(one, values=np.zeros_like(one.values)) for kind, one in panel.rows.items()
    }
    found = train_return_time(replace(panel, rows=rows), folds, spec=SPEC, plan=PLAN)
    assert isinstance(found, Skipped)
    assert "constant" in found.reason


@pytest.mark.parametrize(
    ("followed", "horizon"),
    [([], 0), ([3.2] * 10, 3), ([30.0] * 50 + [400.0] * 50, 365), ([30.0] * 99 + [400.0], 30)],
)
def test_the_horizon_is_what_enough_rows_were_followed_for(
    followed: list[float], horizon: int
) -> None:
    assert choose_horizon(np.array(followed)) == horizon
