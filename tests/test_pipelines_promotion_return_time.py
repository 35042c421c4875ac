"""The return-time model goes with the other two, and never stands in their way."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from registry_home import another, configured, trained_models, training_record
from small_shop import SPEC

from models.bundle import RETURN_TIME, ReturnTimeBundle
from models.calibration import Calibration
from models.forest import ForestSettings
from models.hazard_forest import cut_spells, fit_hazard_forest, log_spaced_days
from models.return_time import ReturnTimeModel
from pipelines.champions import champion
from pipelines.config import Config
from pipelines.promotion import promote_challengers
from pipelines.registry import TrainingRecord, record
from pipelines.return_time_record import ReturnTimeRecord
from training.fit import TrainedModel
from training.metrics import Estimate
from training.return_time_judge import Comparison, Coverage, ReturnTimeReport


@pytest.fixture(scope="module")
def models() -> tuple[TrainedModel, ...]:
    """Both models of a very small shop."""
    return trained_models()


@pytest.fixture(scope="module")
def when(models: tuple[TrainedModel, ...]) -> ReturnTimeRecord:
    """A return-time model beside the two of the registry tests."""
    origin = models[0].bundle
    rng = np.random.default_rng(1)
    values = rng.normal(size=(300, len(origin.feature_names))).astype(np.float32)
    edges = log_spaced_days(30)
    spells = cut_spells(
        values, days=rng.exponential(9.0, 300), returned=np.ones(300, bool), edges=edges
    )
    hazards = fit_hazard_forest(
        spells,
        n_bins=len(edges) - 1,
        names=origin.feature_names,
        settings=ForestSettings(max_rounds=3, min_data_in_leaf=20, threads=1),
    )
    assert hazards is not None
    estimate = Estimate(-0.01, -0.02, -0.005)
    comparison = Comparison("all", 9, 3, estimate, estimate, estimate, "better")
    report = ReturnTimeReport(
        horizon_days=30.0,
        judged_days=30.0,
        customers=9,
        comparisons=(comparison,),
        days=(0.0, 30.0),
        model_brier=(0.0, 0.1),
        baseline_brier=(0.0, 0.2),
        coverage=Coverage(0.8, 0, None, 0, None, None),
        trees=9,
        calibration_slope=1.0,
        calibration_intercept=0.0,
    )
    bundle = ReturnTimeBundle(
        spec=SPEC,
        stages_digest=origin.stages_digest,
        gap_days=origin.gap_days,
        horizon_days=origin.horizon_days,
        trained_until_us=origin.trained_until_us,
        metrics=report.to_json(),
        winback_version=origin.winback_version,
        model=ReturnTimeModel(hazards, edges, Calibration("platt")),
    )
    return ReturnTimeRecord(bundle, report)


def with_times(training: TrainingRecord, when: ReturnTimeRecord, until: int = 7) -> TrainingRecord:
    bundle = replace(when.bundle, trained_until_us=until)
    return replace(training, return_time=replace(when, bundle=bundle))


def versions(config: Config) -> list[str]:
    return [champion(config, kind)[1] for kind in ("dormancy_risk", "natural_return", RETURN_TIME)]


def test_all_three_are_champions_first_and_challenge_and_are_promoted_together(
    models: tuple[TrainedModel, ...], when: ReturnTimeRecord, tmp_path: Path
) -> None:
    config = configured(tmp_path)
    first = record(config, with_times(training_record(models), when), run_name="one")
    assert [(one.kind, one.alias) for one in first] == [
        ("dormancy_risk", "champion"),
        ("natural_return", "champion"),
        (RETURN_TIME, "champion"),
    ]
    served, version, source = champion(config, RETURN_TIME)
    assert (served.digest(), version) == (replace(when.bundle, trained_until_us=7).digest(), "1")
    assert source == "registry"
    later = record(config, with_times(training_record(another(models)), when, 8), run_name="two")
    assert {one.alias for one in later} == {"challenger"}
    assert versions(config) == ["1", "1", "1"]
    assert [one.version for one in promote_challengers(config)] == ["2", "2", "2"]
    assert versions(config) == ["2", "2", "2"]


def test_where_none_serves_yet_it_is_champion_at_once(
    models: tuple[TrainedModel, ...], when: ReturnTimeRecord, tmp_path: Path
) -> None:
    """A shop that trained before there were return times."""
    config = configured(tmp_path)
    record(config, training_record(models), run_name="before")
    later = record(config, with_times(training_record(another(models)), when), run_name="after")
    assert [one.alias for one in later] == ["challenger", "challenger", "champion"]
    assert later[-1].note == "There was no champion; version 1 is champion."
    assert versions(config) == ["1", "1", "1"]
    assert [one.kind for one in promote_challengers(config)] == ["dormancy_risk", "natural_return"]
    assert versions(config) == ["2", "2", "1"]


def test_a_training_without_one_leaves_the_last_and_promotes_no_older_challenger(
    models: tuple[TrainedModel, ...], when: ReturnTimeRecord, tmp_path: Path
) -> None:
    config = configured(tmp_path)
    record(config, with_times(training_record(models), when), run_name="one")
    record(config, with_times(training_record(another(models)), when, 8), run_name="two")
    record(config, training_record(another(another(models))), run_name="three")
    assert [one.kind for one in promote_challengers(config)] == ["dormancy_risk", "natural_return"]
    assert versions(config) == ["3", "3", "1"]
