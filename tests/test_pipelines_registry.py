"""The registry against real MLflow stores: an SQLite file and a served one."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from registry_home import another, configured, trained_models, training_record

from features.errors import ArtifactError
from models.bundle import KINDS, load_bundle
from models.ladder import RUNGS
from pipelines.config import Config, load_config
from pipelines.registry import champion, record
from pipelines.tracking import TrackingUnreachableError, check_reachable, connect
from training.fit import TrainedModel


@pytest.fixture(scope="module")
def trained() -> tuple[TrainedModel, ...]:
    """Both models of a very small shop."""
    return trained_models()


@pytest.fixture(scope="module")
def registered(
    trained: tuple[TrainedModel, ...], tmp_path_factory: pytest.TempPathFactory
) -> Config:
    """A home whose MLflow holds a first training, and the run's working folder elsewhere."""
    config = configured(tmp_path_factory.mktemp("registered"))
    record(config, training_record(trained), run_name="first")
    return config


@pytest.fixture
def home(registered: Config, tmp_path: Path) -> Config:
    """A copy of that home that a test may break. Artifact paths still point to the first."""
    shutil.copytree(registered.home, tmp_path / "home")
    return load_config(tmp_path / "home")


def test_the_first_training_is_champion_and_can_be_served(
    registered: Config, trained: tuple[TrainedModel, ...]
) -> None:
    for model in trained:
        bundle, version, source = champion(registered, model.bundle.kind)
        assert (version, source) == ("1", "registry")
        assert bundle.digest() == model.bundle.digest()


def test_a_run_leaves_everything_behind(registered: Config) -> None:
    artifacts = registered.home / "mlartifacts"
    names = {file.name for file in artifacts.rglob("*") if file.is_file()}
    for kind in KINDS:
        assert {
            f"{kind}_calibration.png",
            f"{kind}_lift.png",
            f"{kind}_importance.png",
            f"importance_{kind}.csv",
        } <= names
    assert {"report.json", "model.txt", "features.json", "manifest.json"} <= names
    with connect(registered) as client:
        experiment = client.get_experiment_by_name("winback")
        (run,) = client.search_runs([experiment.experiment_id])
        assert run.info.status == "FINISHED"
        assert run.data.params["input.events.version"] == "3"
        metrics = run.data.metrics
        for fold in ("training", "validation", "test"):
            assert metrics[f"dormancy_risk/{fold}/rows"] > 0
        for rung in RUNGS:
            name = "".join(c if c.isalnum() else "_" for c in rung.lower())
            assert f"dormancy_risk/test/{name}/log_loss" in metrics
            # What the forecasters have seen is no evidence.
            assert f"dormancy_risk/validation/{name}/log_loss" not in metrics
        place = "natural_return/test/lightgbm/auc"
        assert metrics[f"{place}.low"] <= metrics[place] <= metrics[f"{place}.high"]
        version = client.get_model_version_by_alias("winback-dormancy-risk", "champion")
        assert version.description.count("(log loss") == len(RUNGS) - 1


def test_later_trainings_challenge_and_promotion_is_explicit(
    home: Config, trained: tuple[TrainedModel, ...]
) -> None:
    second = record(home, training_record(another(trained)), run_name="second")
    assert [one.alias for one in second] == ["challenger", "challenger"]
    assert champion(home, "dormancy_risk")[1] == "1"
    third = record(home, training_record(another(trained), promote=True), run_name="third")
    assert [(one.alias, one.version) for one in third] == [("champion", "3")] * 2
    bundle, version, source = champion(home, "dormancy_risk")
    assert (bundle.trained_until_us, version, source) == (1, "3", "registry")


def test_a_fault_between_two_models_makes_none_of_them_champion(
    trained: tuple[TrainedModel, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured(tmp_path)
    create = MlflowClient.create_model_version

    def fail_on_the_second(client: MlflowClient, name: str, *args: Any, **named: Any) -> Any:
        if "natural" in name:
            raise MlflowException("out of space")
        return create(client, name, *args, **named)

    monkeypatch.setattr(MlflowClient, "create_model_version", fail_on_the_second)
    with pytest.raises(TrackingUnreachableError, match="out of space"):
        record(config, training_record(trained), run_name="broken")
    with pytest.raises(ArtifactError, match="no version in the registry has this alias"):
        champion(config, "dormancy_risk")


def test_a_champion_moved_by_hand_replaces_the_local_copy(
    home: Config, trained: tuple[TrainedModel, ...]
) -> None:
    record(home, training_record(another(trained)), run_name="second")
    with connect(home) as client:
        client.set_registered_model_alias("winback-natural-return", "champion", "2")
    bundle, version, source = champion(home, "natural_return")
    assert (bundle.trained_until_us, version, source) == (2, "2", "registry")
    copies = home.home / ".winback" / "champions" / "natural_return"
    (folder,) = [place for place in copies.iterdir() if place.is_dir()]
    assert load_bundle(folder).digest() == bundle.digest()


def test_a_lost_database_leaves_the_local_copy(home: Config) -> None:
    (home.home / "mlflow.db").unlink()
    _, version, source = champion(home, "dormancy_risk")
    assert (version, source) == ("1", "local copy")
    assert not (home.home / "mlflow.db").exists()


def test_a_broken_database_leaves_the_local_copy(home: Config) -> None:
    (home.home / "mlflow.db").write_bytes(b"no database at all" * 1000)
    assert champion(home, "dormancy_risk")[1:] == ("1", "local copy")
    with pytest.raises(TrackingUnreachableError, match=r"mlflow\.db"):
        check_reachable(home)


def test_an_emptied_database_leaves_the_local_copy_and_tells_it(home: Config) -> None:
    """MLflow makes a new store of an empty file; the nights then ended with `train first`."""
    (home.home / "mlflow.db").write_bytes(b"")
    assert champion(home, "dormancy_risk")[1:] == ("1", "local copy, store lost")
    shutil.rmtree(home.home / ".winback")
    with pytest.raises(ArtifactError, match=r"the registry has no such model.*winback train"):
        champion(home, "dormancy_risk")


def test_an_alias_taken_away_on_purpose_is_not_replaced_by_the_local_copy(home: Config) -> None:
    with connect(home) as client:
        client.delete_registered_model_alias("winback-dormancy-risk", "champion")
    with pytest.raises(ArtifactError, match="no version in the registry has this alias"):
        champion(home, "dormancy_risk")
    assert champion(home, "natural_return")[1:] == ("1", "registry")


def test_a_damaged_local_copy_is_fetched_again(home: Config) -> None:
    (model,) = (home.home / ".winback" / "champions" / "dormancy_risk").rglob("model.txt")
    model.write_text("damaged")
    assert champion(home, "dormancy_risk")[1:] == ("1", "registry")
    assert model.read_text() != "damaged"


def test_the_same_bundle_under_a_new_version_keeps_the_copy_in_place(
    home: Config, trained: tuple[TrainedModel, ...]
) -> None:
    (model,) = (home.home / ".winback" / "champions" / "dormancy_risk").rglob("model.txt")
    before = model.stat().st_ino
    record(home, training_record(trained, promote=True), run_name="again")
    assert champion(home, "dormancy_risk")[1:] == ("2", "registry")
    assert model.stat().st_ino == before


def test_a_damaged_local_copy_without_registry_is_refused(home: Config) -> None:
    (model,) = (home.home / ".winback" / "champions" / "dormancy_risk").rglob("model.txt")
    model.write_text("damaged")
    (home.home / "mlflow.db").unlink()
    with pytest.raises(ArtifactError, match=r"model.txt has 7 bytes"):
        champion(home, "dormancy_risk")


def test_artifacts_of_another_model_are_refused(
    registered: Config, trained: tuple[TrainedModel, ...], tmp_path: Path
) -> None:
    config = configured(tmp_path)
    record(config, training_record(trained), run_name="first")
    shutil.rmtree(tmp_path / ".winback")
    (risk,) = (tmp_path / "mlartifacts").rglob("bundles/dormancy_risk")
    other = next((registered.home / "mlartifacts").rglob("bundles/natural_return"))
    shutil.rmtree(risk)
    shutil.copytree(other, risk)
    with pytest.raises(ArtifactError, match="not the one that was registered"):
        champion(config, "dormancy_risk")


def test_tampered_artifacts_are_named_by_model_not_by_a_folder_that_is_gone(
    trained: tuple[TrainedModel, ...], tmp_path: Path
) -> None:
    config = configured(tmp_path)
    record(config, training_record(trained), run_name="first")
    shutil.rmtree(tmp_path / ".winback")
    (risk,) = (tmp_path / "mlartifacts").rglob("bundles/dormancy_risk")
    (risk / "model.txt").write_text("tampered")
    with pytest.raises(ArtifactError) as caught:
        champion(config, "dormancy_risk")
    text = str(caught.value)
    assert text.startswith("winback-dormancy-risk version 1")
    assert "model.txt" in text
    assert tempfile.gettempdir() not in text.replace(str(tmp_path), "")


def test_without_any_training_it_says_train_first(tmp_path: Path) -> None:
    config = configured(tmp_path)
    with pytest.raises(ArtifactError, match="train first"):
        champion(config, "dormancy_risk")
    check_reachable(config)
    with pytest.raises(ArtifactError, match="train first"):
        champion(config, "dormancy_risk")


def test_nobody_listening_is_told_within_seconds_and_without_the_password(tmp_path: Path) -> None:
    config = configured(tmp_path, f"http://me:secret@127.0.0.1:{_free_port()}")
    begin = time.monotonic()
    with pytest.raises(TrackingUnreachableError) as caught:
        check_reachable(config)
    assert time.monotonic() - begin < 15
    text = str(caught.value)
    assert "MLflow at http://127.0.0.1" in text and "storage.mlflow_tracking_uri" in text
    assert "a request to it failed: " in text and "beside winback.toml" in text
    assert "secret" not in text
    with pytest.raises(ArtifactError, match="train first"):
        champion(config, "dormancy_risk")


def test_a_database_in_a_missing_folder_is_refused_and_the_folder_not_made(
    tmp_path: Path,
) -> None:
    config = configured(tmp_path / "home", f"sqlite:///{tmp_path}/none/x.db")
    with pytest.raises(ArtifactError, match=r"there is no folder .*none.*Fix: make the folder"):
        check_reachable(config)
    assert not (tmp_path / "none").exists()


def test_an_uri_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="MLflow at nonsense"):
        check_reachable(configured(tmp_path, "nonsense://x"))


def test_the_environment_is_left_alone(registered: Config) -> None:
    before = dict(os.environ)
    with connect(registered, patient=False):
        assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "1"
    assert dict(os.environ) == before


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A real `mlflow server` that proxies artifacts, on a free port."""
    port = _free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{tmp_path / 'server.db'}"]
    command += ["--artifacts-destination", str(tmp_path / "served")]
    with (tmp_path / "server.log").open("w") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            cwd=tmp_path,
            start_new_session=True,
            env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
        )
        try:
            _await_health(f"http://127.0.0.1:{port}", process, tmp_path / "server.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=20)


def _await_health(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise RuntimeError(f"mlflow server did not come up:\n{log.read_text()[-3000:]}")


@pytest.mark.slow
def test_a_real_mlflow_server_registers_serves_and_may_go_away(
    server: str, trained: tuple[TrainedModel, ...], tmp_path: Path
) -> None:
    config = configured(tmp_path / "home", server)
    check_reachable(config)
    with pytest.raises(ArtifactError, match="train first"):
        champion(config, "dormancy_risk")
    first = record(config, training_record(trained), run_name="first")
    assert [one.alias for one in first] == ["champion", "champion"]
    second = record(config, training_record(another(trained)), run_name="second")
    assert [one.alias for one in second] == ["challenger", "challenger"]
    shutil.rmtree(config.home / ".winback")
    for model in trained:
        bundle, version, source = champion(config, model.bundle.kind)
        assert (version, source) == ("1", "registry")
        assert bundle.digest() == model.bundle.digest()
    gone = configured(tmp_path / "home", f"http://127.0.0.1:{_free_port()}")
    assert champion(gone, "natural_return")[1:] == ("1", "local copy")
