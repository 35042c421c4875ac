"""Which versions become champion: both models of one run, and no champion that cannot serve."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from registry_home import another, configured, trained_models, training_record

from features.errors import ArtifactError
from models.bundle import KINDS
from pipelines.config import Config, load_config
from pipelines.registry import Registration, champion, promote_challengers, record
from pipelines.tracking import connect
from training.fit import TrainedModel

RISK, NATURAL = "winback-dormancy-risk", "winback-natural-return"
Models = tuple[TrainedModel, ...]


@pytest.fixture(scope="module")
def trained() -> Models:
    """Both models of a very small shop."""
    return trained_models()


@pytest.fixture(scope="module")
def first(trained: Models, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A home whose MLflow holds a first training."""
    config = configured(tmp_path_factory.mktemp("first"))
    record(config, training_record(trained), run_name="first")
    return config


@pytest.fixture
def home(first: Config, tmp_path: Path) -> Config:
    """A copy of that home that a test may break. Artifact paths still point to the first."""
    shutil.copytree(first.home, tmp_path / "home")
    return load_config(tmp_path / "home")


def with_horizon(config: Config, days: float) -> Config:
    """The same home after an edit of winback.toml."""
    return replace(config, windows=replace(config.windows, horizon_days=days))


def for_horizon(models: Models, days: float) -> Models:
    """The models as if trained with that window."""
    return tuple(
        replace(model, bundle=replace(model.bundle, horizon_days=days)) for model in models
    )


def aliases(registrations: tuple[Registration, ...]) -> list[tuple[str, str]]:
    return [(one.alias, one.version) for one in registrations]


def served(config: Config) -> list[str]:
    return [champion(config, kind)[1] for kind in KINDS]


def test_a_first_training_has_nothing_to_say(trained: Models, tmp_path: Path) -> None:
    done = record(configured(tmp_path), training_record(trained), run_name="first")
    assert aliases(done) == [("champion", "1")] * 2
    assert [one.note for one in done] == [None, None]


def test_training_after_a_changed_configuration_replaces_the_champions(
    home: Config, trained: Models
) -> None:
    """The night asked for `winback train`, which left its models challengers: for ever."""
    edited = with_horizon(home, 14.0)
    done = record(edited, training_record(for_horizon(trained, 14.0)), run_name="second")
    assert aliases(done) == [("champion", "2")] * 2
    assert {one.note for one in done} == {
        "The champion (version 1) was trained for another configuration and cannot serve; "
        "version 2 is champion."
    }
    assert served(edited) == ["2", "2"]


def test_one_champion_that_cannot_be_read_gives_way_with_the_other(
    trained: Models, tmp_path: Path
) -> None:
    config = configured(tmp_path)
    record(config, training_record(trained), run_name="first")
    shutil.rmtree(tmp_path / ".winback")
    (risk,) = (tmp_path / "mlartifacts").rglob("bundles/dormancy_risk")
    shutil.rmtree(risk)
    done = record(config, training_record(another(trained)), run_name="second")
    assert aliases(done) == [("champion", "2")] * 2
    assert [one.note for one in done] == [
        "The champion (version 1) cannot be read; version 2 is champion.",
        "The champion (version 1) gave way, as the models change together; version 2 is champion.",
    ]
    assert served(config) == ["2", "2"]


def test_a_missing_champion_is_replaced_together_with_the_other(
    home: Config, trained: Models
) -> None:
    with connect(home) as client:
        client.delete_registered_model_alias(NATURAL, "champion")
    done = record(home, training_record(another(trained)), run_name="second")
    assert aliases(done) == [("champion", "2")] * 2
    assert done[1].note == "There was no champion; version 2 is champion."


def test_a_champion_that_serves_stays(home: Config, trained: Models) -> None:
    done = record(home, training_record(another(trained)), run_name="second")
    assert aliases(done) == [("challenger", "2")] * 2
    assert [one.note for one in done] == [None, None]


def test_promotion_makes_the_challengers_champions_without_training(
    home: Config, trained: Models
) -> None:
    record(home, training_record(another(trained)), run_name="second")
    done = promote_challengers(home)
    assert aliases(done) == [("champion", "2")] * 2
    assert [one.kind for one in done] == list(KINDS)
    assert {one.note for one in done} == {"Version 2 took over from version 1."}
    shutil.move(home.home / "mlflow.db", home.home / "away.db")
    assert served(home) == ["2", "2"], "the local copies follow at once"
    shutil.move(home.home / "away.db", home.home / "mlflow.db")
    with pytest.raises(ArtifactError, match=r"has the alias challenger.*Fix: run `winback train`"):
        promote_challengers(home)


def test_an_older_challenger_does_not_outlive_a_new_champion(home: Config, trained: Models) -> None:
    record(home, training_record(another(trained)), run_name="second")
    record(home, training_record(trained, promote=True), run_name="third")
    with pytest.raises(ArtifactError, match=rf"no version of {RISK} and of {NATURAL}"):
        promote_challengers(home)
    assert served(home) == ["3", "3"]


def test_challengers_of_two_runs_are_not_promoted(home: Config, trained: Models) -> None:
    record(home, training_record(another(trained)), run_name="second")
    record(home, training_record(another(trained)), run_name="third")
    with connect(home) as client:
        client.set_registered_model_alias(NATURAL, "challenger", "2")
    with pytest.raises(ArtifactError, match=rf"{RISK} version 3 and {NATURAL} version 2 stem"):
        promote_challengers(home)
    assert served(home) == ["1", "1"]


def test_challengers_of_another_configuration_are_not_promoted(
    home: Config, trained: Models
) -> None:
    record(home, training_record(another(trained)), run_name="second")
    fault = rf"challenger of {RISK}, version 2: trained for another configuration.*horizon_days"
    with pytest.raises(ArtifactError, match=fault):
        promote_challengers(with_horizon(home, 14.0))
    assert served(home) == ["1", "1"]


def test_promotion_makes_no_empty_store(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"mlflow\.db: no such file.*winback train"):
        promote_challengers(configured(tmp_path))
    assert not (tmp_path / "mlflow.db").exists()
