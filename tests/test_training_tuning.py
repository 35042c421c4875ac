"""Tuning: seeded, on earlier folds only, and the present settings stay unless proven worse."""

import logging
import tomllib
import warnings
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import date
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pytest
from lightgbm.basic import LightGBMError
from pydantic import TypeAdapter
from small_material import shop_material

import training.tuning_trials as trials_module
from features.errors import UsageError
from models.bundle import KINDS, Kind
from models.forest import Forest, fit_forest
from training.fit import fit_model
from training.folds import MIN_TRAINING, Cutoff, FoldName, Folds
from training.material import Material
from training.panel import PanelRows
from training.plan import LearnerPlan, TrainingPlan, TreeSettings
from training.tuning import Tuning, _paired_difference, tune
from training.tuning_folds import TuningFold, collect_tuning_rows, lay_out_splits
from training.tuning_report import settings_toml, tuned_plan, tuning_json, verdict_text
from training.tuning_trials import SPACE, present_settings

DAY_US = 86_400_000_000
PLAN = TrainingPlan(
    min_positives=20,
    bootstrap_draws=50,
    learner=LearnerPlan(max_rounds=40, min_data_in_leaf=20, threads=1),
)


@pytest.fixture(scope="module")
def shop() -> Material:
    return shop_material(500, step_days=14, most=(8, 2))


@pytest.fixture(scope="module")
def searched(shop: Material) -> Tuning:
    return tune("dormancy_risk", shop, plan=PLAN, trials=9)


def _folds(counts: dict[FoldName, list[int]], reach_days: int = 32) -> Folds:
    """Cutoffs on the days given, counted from 2025-01-01."""
    start = date(2025, 1, 1).toordinal()
    cutoffs = tuple(
        Cutoff(fold, date.fromordinal(start + day), day * DAY_US)
        for fold, days in counts.items()
        for day in days
    )
    end = cutoffs[-1].as_of_us + reach_days * DAY_US
    return Folds(cutoffs, 2 * DAY_US, (reach_days - 2) * DAY_US, end, end)


def test_the_splits_are_in_time_order_purged_and_without_the_test_cutoff(shop: Material) -> None:
    folds = shop.folds
    reach = folds.gap_us + folds.horizon_us
    splits = lay_out_splits(folds)
    assert len(splits) == 2
    assert [folds.cutoffs[i].fold for i in splits[0].validation] == ["validation"] * 2
    assert max(splits[1].validation) <= max(splits[0].training)
    for split in splits:
        assert max(folds.as_ofs[list(split.training)]) + reach <= folds.as_ofs[split.validation[0]]
        assert max(folds.as_ofs[list(split.validation)]) + reach <= folds.test_us
        assert all(folds.cutoffs[i].fold != "test" for i in split.training + split.validation)


def test_the_earlier_split_judges_at_fewer_cutoffs_rather_than_learn_from_too_few() -> None:
    folds = _folds(
        {
            "training": [40, 60, 80, 100, 120],
            "validation": [160, 180, 200],
            "test": [240],
        }
    )
    assert lay_out_splits(folds)[1].validation == (4,)
    assert len(lay_out_splits(folds)[1].training) == MIN_TRAINING
    short = _folds({"training": [40, 72], "validation": [110], "test": [150]})
    assert [(s.training, s.validation) for s in lay_out_splits(short)] == [
        ((0, 1), (2,)),
        ((0,), (1,)),
    ]


def test_a_short_history_has_the_validation_fold_only() -> None:
    folds = _folds({"training": [40, 60], "validation": [100], "test": [150]})
    assert len(lay_out_splits(folds)) == 1


def test_an_earlier_fold_without_both_labels_is_left_out(shop: Material) -> None:
    assert len(collect_tuning_rows("dormancy_risk", shop, min_positives=20).folds) == 2
    assert len(collect_tuning_rows("dormancy_risk", shop, min_positives=500).folds) == 1


def test_large_panels_are_sampled_by_whole_customers(shop: Material) -> None:
    whole = collect_tuning_rows("dormancy_risk", shop, min_positives=20)
    some = collect_tuning_rows("dormancy_risk", shop, min_positives=20, max_rows=800)
    assert whole.sampled_share == 1.0
    assert 0 < some.sampled_share < 1
    rows = shop.panel.rows["dormancy_risk"]
    for fold, full in zip(some.folds, whole.folds, strict=True):
        kept = np.isin(full.customer, fold.customer)
        assert kept.sum() == len(fold.customer) < len(full.customer)
    assert set(some.folds[0].customer) < set(rows.customer)


def test_a_sample_in_which_a_label_is_too_rare_is_not_taken(shop: Material) -> None:
    rows = collect_tuning_rows("dormancy_risk", shop, min_positives=20, max_rows=60)
    assert rows.sampled_share == 1.0


def test_the_same_seed_gives_the_same_search_and_the_same_bundle(
    shop: Material, searched: Tuning
) -> None:
    again = tune("dormancy_risk", shop, plan=PLAN, trials=9)
    assert again == searched
    digests = {
        fit_model("dormancy_risk", shop, plan=tuned_plan(PLAN, [one])).bundle.digest()
        for one in (searched, again)
    }
    assert len(digests) == 1


def test_another_seed_searches_elsewhere(shop: Material, searched: Tuning) -> None:
    plan = replace(PLAN, learner=replace(PLAN.learner, seed=5))
    other = tune("dormancy_risk", shop, plan=plan, trials=2)
    assert other.trials[0].settings == searched.trials[0].settings
    assert other.trials[1].settings != searched.trials[1].settings


def test_the_first_trial_is_of_the_present_settings_and_the_rest_within_the_ranges(
    searched: Tuning,
) -> None:
    assert searched.trials[0].settings == present_settings(PLAN.learner)
    assert searched.trials[0].state == "complete"
    for trial in searched.trials[1:]:
        values = asdict(trial.settings)
        for name, at in SPACE.items():
            assert at.low <= values[name] <= at.high
            assert values[name] == float(f"{values[name]:.3g}") or at.whole


def test_the_value_is_the_mean_log_loss_of_the_folds(searched: Tuning) -> None:
    for trial in searched.trials:
        if trial.state == "complete":
            assert trial.log_loss == pytest.approx(np.mean(trial.by_fold))
            assert len(trial.by_fold) == len(trial.rounds) == len(searched.folds) == 2
            assert trial.course[-1][1] == pytest.approx(trial.log_loss, abs=0.05)
        else:
            assert trial.log_loss is None


def test_the_test_fold_and_all_that_follows_from_it_is_not_seen(
    shop: Material, searched: Tuning
) -> None:
    last = len(shop.folds.cutoffs) - 1

    def scramble(rows: PanelRows) -> PanelRows:
        at = rows.cutoff == last
        values, labels = rows.values.copy(), rows.labels.copy()
        values[at] = -values[at][::-1]
        labels[at] = 1 - labels[at]
        return replace(rows, values=values, labels=labels)

    panel = replace(
        shop.panel, rows={kind: scramble(rows) for kind, rows in shop.panel.rows.items()}
    )
    assert tune("dormancy_risk", replace(shop, panel=panel), plan=PLAN, trials=9) == searched


def test_poor_present_settings_are_replaced_and_can_be_kept_in_the_file(shop: Material) -> None:
    poor = replace(PLAN, learner=replace(PLAN.learner, learning_rate=0.001))
    found = tune("dormancy_risk", shop, plan=poor, trials=6)
    assert asdict(found.trials[0].settings)["learning_rate"] == 0.001
    assert found.used and found.difference is not None and found.best is not None
    assert found.difference.high is not None and found.difference.high < 0
    assert verdict_text(found).startswith(f"settings of trial {found.best.number} used: better")
    tuned = tuned_plan(poor, [found])
    assert present_settings(tuned.for_model("dormancy_risk").learner) == found.best.settings
    assert tuned.for_model("dormancy_risk").learner.seed == poor.learner.seed
    assert tuned.for_model("natural_return").learner == poor.learner
    text = settings_toml([found])
    assert text is not None
    pasted = tomllib.loads(text)["training"]
    learner = {"learner": asdict(poor.learner)}
    read = TypeAdapter(TrainingPlan).validate_python({**pasted, **learner})
    assert read.models == tuned.models
    assert read.for_model("dormancy_risk").learner == tuned.for_model("dormancy_risk").learner
    again = tune("dormancy_risk", shop, plan=tuned, trials=1)
    assert again.trials[0].by_fold == found.best.by_fold


def test_the_settings_reach_the_model(shop: Material) -> None:
    stumps = replace(PLAN, models=replace(PLAN.models, natural_return=TreeSettings(num_leaves=2)))
    forests = {kind: fit_model(kind, shop, plan=stumps).bundle.ladder.forest.text for kind in KINDS}
    assert "[num_leaves: 2]" in forests["natural_return"]
    assert "[num_leaves: 8]" in forests["dormancy_risk"]


def test_one_trial_measures_the_present_settings_only(shop: Material) -> None:
    found = tune("natural_return", shop, plan=PLAN, trials=1)
    assert not found.used and found.best is None and found.difference is None
    assert found.settings == present_settings(PLAN.learner)
    assert verdict_text(found) == "present settings kept: no others were tried"
    assert settings_toml([found]) is None
    assert tuned_plan(PLAN, [found]) == PLAN


@pytest.mark.parametrize("trials", [0, -3])
def test_fewer_than_one_trial_is_refused(shop: Material, trials: int) -> None:
    with pytest.raises(UsageError, match=rf"--tune: {trials} trials.*at least 1"):
        tune("dormancy_risk", shop, plan=PLAN, trials=trials)


def _fits(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[int, dict[str, Any]], Forest | None]
) -> None:
    """Let `change` stand in for the fit of trial n; None means the true one."""
    seen: list[tuple[Any, ...]] = []

    def stand_in(*args: Any, **kwargs: Any) -> Forest:
        key = (kwargs["settings"],)
        if key not in seen:
            seen.append(key)
        return change(seen.index(key), kwargs) or fit_forest(*args, **kwargs)

    monkeypatch.setattr(trials_module, "fit_forest", stand_in)


def test_failed_trials_are_told_and_the_present_settings_kept(
    shop: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change(number: int, _: dict[str, Any]) -> None:
        if number > 0:
            raise LightGBMError("no memory")

    _fits(monkeypatch, change)
    found = tune("dormancy_risk", shop, plan=PLAN, trials=3)
    assert [trial.state for trial in found.trials] == ["complete", "failed", "failed"]
    assert found.trials[1].fault == "no memory"
    assert not found.used
    assert verdict_text(found) == (
        "present settings kept: no other trial was complete (0 pruned, 2 failed)"
    )


def test_settings_that_fail_cannot_be_compared_with(
    shop: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change(number: int, kwargs: dict[str, Any]) -> None:
        if number == 0:
            for watch in kwargs["watch"]:
                watch(SimpleNamespace(iteration=0, evaluation_result_list=[("", "", np.nan, 0)]))

    _fits(monkeypatch, change)
    found = tune("dormancy_risk", shop, plan=PLAN, trials=2)
    assert [trial.state for trial in found.trials] == ["failed", "complete"]
    assert not found.used and found.difference is None
    assert verdict_text(found) == (
        "present settings kept, though they failed (log loss is not finite after 1 trees): "
        "nothing to compare"
    )
    assert tuning_json(found)["present_log_loss"] is None


def test_hopeless_trials_are_pruned(shop: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials_module, "_WARM_UP_TRIALS", 1)

    def change(number: int, kwargs: dict[str, Any]) -> None:
        if number > 0:
            for tree in range(300):
                line = ("later", "binary_logloss", 5.0, False)
                env = SimpleNamespace(iteration=tree, evaluation_result_list=[line])
                kwargs["watch"][0](env)

    _fits(monkeypatch, change)
    plan = replace(PLAN, learner=replace(PLAN.learner, max_rounds=100))
    found = tune("dormancy_risk", shop, plan=plan, trials=3)
    assert [trial.state for trial in found.trials] == ["complete", "pruned", "pruned"]
    assert not found.used
    assert "no other trial was complete (2 pruned, 0 failed)" in verdict_text(found)
    # The comparison is at equal learning_rate times rounds.
    steps = [step for step, _ in found.trials[1].course]
    assert steps == sorted(set(steps)) and steps[-1] == 4


def test_optuna_is_silent_warns_of_nothing_and_is_left_as_it_was(
    shop: Material, capfd: pytest.CaptureFixture[str]
) -> None:
    optuna.logging.set_verbosity(logging.INFO)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tune("natural_return", shop, plan=PLAN, trials=3)
    assert optuna.logging.get_verbosity() == logging.INFO
    assert capfd.readouterr() == ("", "")


def test_every_trial_is_told_in_order(shop: Material) -> None:
    told: list[int] = []
    tune("natural_return", shop, plan=PLAN, trials=3, tell=lambda one: told.append(one.number))
    assert told == [0, 1, 2]


def _fold(customers: list[int]) -> TuningFold:
    sample: Any = None
    return TuningFold((), sample, sample, np.array(customers, dtype=np.uint64))


def test_the_interval_counts_customers_not_rows() -> None:
    rng = np.random.default_rng(8)
    effect = rng.normal(-0.01, 0.1, size=400)
    customers = list(range(400))
    once = _paired_difference((_fold(customers),), (effect,), (np.zeros(400),))
    thrice = _paired_difference((_fold(customers * 3),), (np.tile(effect, 3),), (np.zeros(1200),))
    assert once.value == pytest.approx(float(effect.mean()))
    assert once.low == pytest.approx(effect.mean() - 1.96 * effect.std() / 20, abs=1e-5)
    assert (thrice.low, thrice.high) == (pytest.approx(once.low), pytest.approx(once.high))
    draws = [
        effect[rng.integers(0, 400, 200)].mean() / 2 + effect[rng.integers(0, 400, 200)].mean() / 2
        for _ in range(2000)
    ]
    two = _paired_difference(
        (_fold(customers[:200]), _fold(customers[200:])),
        (effect[:200], effect[200:]),
        (np.zeros(200), np.zeros(200)),
    )
    assert two.low is not None and two.high is not None
    assert (two.high - two.low) / 3.92 == pytest.approx(np.std(draws), rel=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_report_is_plain_json(kind: Kind, searched: Tuning) -> None:
    plain = tuning_json(replace(searched, kind=kind))
    assert plain["kind"] == kind
    assert plain["complete"] + plain["pruned"] + plain["failed"] == len(plain["trials"]) == 9
    assert [fold["validation_rows"] > 0 for fold in plain["folds"]] == [True, True]
