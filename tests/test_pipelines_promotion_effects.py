"""The model of effects goes with the run that made it, and never stands in its way."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from registry_home import another, configured, trained_models, training_record

from models.attrition import configured_attrition
from models.bundle import CONTACT_EFFECT, EffectBundle
from models.contact_effect import EffectPriors, assumed_effect
from pipelines.champions import champion
from pipelines.config import Config, load_config
from pipelines.effect_record import EffectRecord, EffectsReport
from pipelines.promotion import promote_challengers
from pipelines.registry import TrainingRecord, record
from pipelines.tracking import check_reachable, connect
from training.assignment_counts import AssignmentCounts
from training.attrition import AttritionReport
from training.fit import TrainedModel


@pytest.fixture(scope="module")
def models() -> tuple[TrainedModel, ...]:
    """Both models of a very small shop."""
    return trained_models()


@pytest.fixture(scope="module")
def effects(models: tuple[TrainedModel, ...]) -> EffectRecord:
    """Assumed effects of one channel with one offer."""
    origin = models[0].bundle
    report = EffectsReport(
        effect=None,
        absence="no assignment is logged",
        assignments=AssignmentCounts(),
        study=None,
        attrition=AttritionReport({"sms": 0}, {"sms": 0}, {"sms": 0.01}, "configured"),
        assumed={"sms/none": (0.2, 0.1)},
    )
    priors = EffectPriors(np.array([0.2]), np.array([0.1]), np.array([0.0]), np.array([False]))
    bundle = EffectBundle(
        spec=origin.spec,
        stages_digest=origin.stages_digest,
        gap_days=origin.gap_days,
        horizon_days=origin.horizon_days,
        trained_until_us=origin.trained_until_us,
        metrics=report.to_json(),
        winback_version=origin.winback_version,
        effect=assumed_effect(priors, channels=("sms",), offers=("none",)),
        attrition=configured_attrition(("sms",), [0.01]),
    )
    return EffectRecord(bundle, report)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database to start from: making one takes seconds."""
    home = tmp_path_factory.mktemp("store")
    check_reachable(configured(home))
    return home / "mlflow.db"


def shop_of(home: Path, store: Path) -> Config:
    config = configured(home)
    shutil.copy(store, home / "mlflow.db")
    return config


def with_effects(training: TrainingRecord, effects: EffectRecord, until: int = 7) -> TrainingRecord:
    bundle = replace(effects.bundle, trained_until_us=until)
    return replace(training, effects=replace(effects, bundle=bundle))


def test_first_versions_are_champions_together_and_are_fetched_whole(
    models: tuple[TrainedModel, ...], effects: EffectRecord, store: Path, tmp_path: Path
) -> None:
    config = shop_of(tmp_path, store)
    first = record(config, with_effects(training_record(models), effects), run_name="one")
    assert [(one.kind, one.alias) for one in first] == [
        ("dormancy_risk", "champion"),
        ("natural_return", "champion"),
        (CONTACT_EFFECT, "champion"),
    ]
    served, version, source = champion(config, CONTACT_EFFECT)
    assert isinstance(served, EffectBundle)
    assert served.digest() == replace(effects.bundle, trained_until_us=7).digest()
    assert (version, source) == ("1", "registry")
    with connect(config) as client:
        told = client.get_model_version("winback-contact-effect", "1").description
        logged = client.get_run(first[-1].run_id).data.metrics
    assert told == ("contact effect: not proven yet; assumptions serve. no assignment is logged")
    assert logged["contact_effect/assignments/used"] == 0.0


def test_it_challenges_and_is_promoted_with_its_run_and_gives_way_if_it_cannot_serve(
    models: tuple[TrainedModel, ...], effects: EffectRecord, store: Path, tmp_path: Path
) -> None:
    config = shop_of(tmp_path, store)
    record(config, with_effects(training_record(models), effects), run_name="one")
    later = with_effects(training_record(another(models)), effects, 8)
    assert {one.alias for one in record(config, later, run_name="two")} == {"challenger"}
    assert champion(config, CONTACT_EFFECT)[1] == "1"
    assert [one.version for one in promote_challengers(config)] == ["2", "2", "2"]
    assert champion(config, CONTACT_EFFECT)[1] == "2"
    toml = tmp_path / "winback.toml"
    toml.write_text(
        toml.read_text() + '[offers.none]\nlabel = "no offer"\n[offers.gift]\nlabel = "a gift"\n'
    )
    changed = load_config(tmp_path)
    third = record(changed, with_effects(training_record(models), effects, 9), run_name="three")
    assert [one.alias for one in third] == ["challenger", "challenger", "champion"]
    assert third[-1].note == (
        "The champion (version 2) was trained for another configuration and cannot serve; "
        "version 3 is champion."
    )
