"""`winback train --tune`: nested MLflow runs, the report, and what the terminal shows."""

import io
import json
import tomllib
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from registry_home import configured
from rich.console import Console
from small_shop import make_home, shop_events
from typer.testing import CliRunner

from features.errors import DataError, UsageError
from pipelines.cli import app
from pipelines.config import Config, load_config
from pipelines.render import render_training
from pipelines.render_tuning import render_tuning
from pipelines.tracking import connect, experiment_id
from pipelines.train import TrainReport, run_train
from pipelines.tuning_runs import TuningReport, log_trials
from training.metrics import Estimate
from training.plan import TrainingPlan, TreeSettings
from training.tuning import JudgedOn, Tuning
from training.tuning_trials import Trial

NOW = datetime(2025, 11, 27, 8, tzinfo=UTC)
SETTINGS = TreeSettings(0.05, 8, 200, 0.3, 0.8, 20.0, True)
FOLD = JudgedOn((date(2025, 6, 1),), 1000, 400)


def trial(number: int, state: Any, loss: float | None = None, **more: Any) -> Trial:
    by_fold = () if loss is None else (loss,)
    rounds = () if loss is None else (30,)
    return Trial(number, SETTINGS, state, loss, by_fold, rounds, ((0, 0.7), (1, 0.6)), **more)


def report_of(*trials: Trial, used: bool = False) -> TuningReport:
    best = next((one for one in trials[1:] if one.state == "complete"), None)
    gap = Estimate(-0.01, -0.02, -0.001) if best is not None else None
    found = Tuning("dormancy_risk", (FOLD,), 0.25, trials, best, gap, used)
    moments = tuple(1000 * at for at in range(len(trials) + 1))
    return TuningReport(len(trials), (found,), TrainingPlan(), (moments,))


def shown(report: TuningReport) -> str:
    text = io.StringIO()
    render_tuning(report, Console(file=text, width=200, markup=False, highlight=False))
    return text.getvalue()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, TrainReport, list[str]]:
    config = make_home(tmp_path_factory.mktemp("shop"), shop_events(500))
    slow = config.home / "winback.toml"
    slow.write_text(slow.read_text() + "learning_rate = 0.002\n")
    config = load_config(config.home)
    told: list[str] = []
    report = run_train(
        config,
        tune=3,
        audit=False,
        now=NOW,
        progress=lambda task, done, total: told.append(f"{task} {done}/{total}"),
    )
    return config, report, told


def test_a_run_per_trial_is_nested_in_the_training_run(
    run: tuple[Config, TrainReport, list[str]],
) -> None:
    config, report, _ = run
    assert report.tuning is not None
    with connect(config) as client:
        runs = client.search_runs([experiment_id(config, client)])
    parents = [one for one in runs if "mlflow.parentRunId" not in one.data.tags]
    assert len(parents) == 1 and parents[0].info.status == "FINISHED"
    children = [one for one in runs if one is not parents[0]]
    assert len(children) == 6
    assert {one.data.tags["mlflow.parentRunId"] for one in children} == {parents[0].info.run_id}
    by_name = {one.info.run_name: one for one in children}
    for tuning in report.tuning.models:
        for trial_ in tuning.trials:
            child = by_name[f"{tuning.kind} trial {trial_.number}"]
            assert child.info.end_time >= child.info.start_time
            assert float(child.data.params["learner.learning_rate"]) == (
                trial_.settings.learning_rate
            )
            if trial_.log_loss is not None:
                assert child.data.metrics["log_loss"] == pytest.approx(trial_.log_loss)
                assert "log_loss_so_far" in child.data.metrics
    about = parents[0].data
    assert about.params["tuning.trials"] == "3"
    assert "settings of trial" in about.tags["winback.tuning.dormancy_risk"]
    assert about.metrics["tuning/dormancy_risk/used"] == 1.0
    best = report.tuning.models[0].best
    assert best is not None
    assert about.params["learner.dormancy_risk.num_leaves"] == str(best.settings.num_leaves)


def test_the_report_and_the_terminal_show_what_to_paste(
    run: tuple[Config, TrainReport, list[str]],
) -> None:
    _, report, _ = run
    section = json.loads(json.dumps(report.to_json(), allow_nan=False))["tuning"]
    assert section["trials"] == 3
    assert [one["kind"] for one in section["models"]] == ["dormancy_risk", "natural_return"]
    pasted = tomllib.loads(section["toml"])["training"]["models"]
    assert pasted["dormancy_risk"] == section["models"][0]["settings"]
    text = io.StringIO()
    render_training(report, Console(file=text, width=160, markup=False, highlight=False))
    assert section["toml"] in text.getvalue()
    assert "put this into winback.toml" in text.getvalue()


def test_what_is_pasted_is_what_the_next_training_uses(
    run: tuple[Config, TrainReport, list[str]],
) -> None:
    config, report, _ = run
    assert report.tuning is not None and report.tuning.toml is not None
    toml = config.home / "winback.toml"
    before = toml.read_text()
    toml.write_text(before + report.tuning.toml)
    again = load_config(config.home)
    assert again.training == report.tuning.plan
    toml.write_text(before)


def test_without_tuning_nothing_is_said_of_it(run: tuple[Config, TrainReport, list[str]]) -> None:
    report = replace(run[1], tuning=None)
    assert report.to_json()["tuning"] is None
    text = io.StringIO()
    render_training(report, Console(file=text, width=160, markup=False, highlight=False))
    assert "settings searched" not in text.getvalue()


def test_progress_is_told_after_each_trial(run: tuple[Config, TrainReport, list[str]]) -> None:
    told = run[2]
    for kind in ("dormancy risk", "natural return"):
        steps = [one for one in told if one.startswith(f"tuning {kind}")]
        assert steps == [f"tuning {kind} {done}/3" for done in range(4)]


def test_tiny_data_and_no_trials_are_refused(tmp_path: Path) -> None:
    config = make_home(tmp_path, shop_events(20))
    with pytest.raises(DataError, match="too few positives"):
        run_train(config, tune=5, audit=False, now=NOW)
    with pytest.raises(UsageError, match=r"--tune: 0 trials"):
        run_train(config, tune=0, now=NOW)


@pytest.mark.parametrize("trials", ["0", "-2", "many"])
def test_the_command_refuses_fewer_than_one_trial(tmp_path: Path, trials: str) -> None:
    configured(tmp_path)
    result = CliRunner().invoke(app, ["train", "-c", str(tmp_path), "--tune", trials])
    assert result.exit_code == 2
    assert "--tune" in result.output


def test_states_of_trials_are_those_of_their_runs(tmp_path: Path) -> None:
    config = configured(tmp_path)
    report = report_of(
        trial(0, "complete", 0.5), trial(1, "pruned"), trial(2, "failed", fault="no memory")
    )
    with connect(config) as client:
        parent = client.create_run(experiment_id(config, client))
        log_trials(client, parent, report)
        runs = client.search_runs([parent.info.experiment_id])
    children = {one.info.run_name: one for one in runs if "winback.kind" in one.data.tags}
    found = {name[-1]: one.info.status for name, one in children.items()}
    assert found == {"0": "FINISHED", "1": "KILLED", "2": "FAILED"}
    failed = children["dormancy_risk trial 2"]
    assert failed.data.tags["winback.trial.fault"] == "no memory"
    assert failed.info.start_time == 2000 and failed.info.end_time == 3000
    assert children["dormancy_risk trial 1"].data.metrics == {"log_loss_so_far": 0.6}


def test_all_others_pruned_or_failed_is_said() -> None:
    report = report_of(trial(0, "complete", 0.5), trial(1, "pruned"), trial(2, "failed", fault="x"))
    text = shown(report)
    assert "present settings kept: no other trial was complete (1 pruned, 1 failed)" in text
    assert "no rows for an earlier fold" in text
    assert "on 25% of the customers" in text
    assert "To keep these settings" not in text
    assert report.to_json()["toml"] is None


def test_used_settings_are_said_with_their_interval() -> None:
    report = report_of(trial(0, "complete", 0.5), trial(1, "complete", 0.49), used=True)
    text = shown(report)
    assert (
        "settings of trial 1 used: better than the present ones on the tuning folds "
        "(log loss -0.0100, 95 % interval -0.0200 to -0.0010, of the best of 1 complete trials)"
    ) in text
    assert "[training.models.dormancy_risk]\nlearning_rate = 0.05\n" in text
    kept = replace(report, models=(replace(report.models[0], used=False),))
    assert "trial 1 is not proven to be better than they are" in shown(kept)


def test_an_unknown_model_or_setting_in_the_file_is_named(tmp_path: Path) -> None:
    config = configured(tmp_path)
    toml = config.home / "winback.toml"
    before = toml.read_text()
    toml.write_text(before + "[training.models.dormancy_rsk]\nnum_leaves = 4\n")
    with pytest.raises(DataError, match=r'training\.models\.dormancy_rsk.*"dormancy_risk"'):
        load_config(tmp_path)
    toml.write_text(before + "[training.models.dormancy_risk]\nnum_leaves = 1\nrounds = 3\n")
    with pytest.raises(DataError) as caught:
        load_config(tmp_path)
    assert "training.models.dormancy_risk.num_leaves" in str(caught.value)
    assert "training.models.dormancy_risk.rounds: unknown key" in str(caught.value)
