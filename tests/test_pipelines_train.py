"""`winback train` from warehouse to registry, and what it refuses."""

import io
import json
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from rich.console import Console
from small_shop import DAY_US, START_US, events_table, make_home, shop_events

from features.errors import ArtifactError, DataError
from models.bundle import CONTACT_EFFECT, KINDS, RETURN_TIME, AnyKind
from models.ladder import RUNGS
from pipelines.config import Config, load_config
from pipelines.nightly import run_nightly
from pipelines.registry import champion
from pipelines.render import render_training
from pipelines.tracking import check_reachable, connect
from pipelines.train import REPORT_SCHEMA, TrainReport, run_train
from training import return_time
from training.return_time import Skipped
from training.return_time_judge import ReturnTimeReport

NOW = datetime(2025, 11, 27, 8, tzinfo=UTC)
TRAINED: tuple[AnyKind, ...] = (*KINDS, RETURN_TIME)
"""Models of a shop without channels."""


def empty_shop() -> pa.Table:
    return events_table([])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database."""
    home = tmp_path_factory.mktemp("store")
    check_reachable(make_home(home, empty_shop()))
    return home / "mlflow.db"


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory, store: Path
) -> tuple[Config, TrainReport, list[str]]:
    config = make_home(tmp_path_factory.mktemp("shop"), shop_events(500), store=store)
    told: list[str] = []
    report = run_train(config, now=NOW, progress=lambda task, done, total: told.append(task))
    return config, report, told


def test_it_trains_judges_and_registers_all_models(
    run: tuple[Config, TrainReport, list[str]],
) -> None:
    config, report, _ = run
    assert [model.kind for model in report.models] == list(KINDS)
    assert [one.kind for one in report.registrations] == list(TRAINED)
    assert {one.alias for one in report.registrations} == {"champion"}
    assert report.effects is None
    assert report.as_of == date(2025, 11, 27)
    assert report.observed_until == date(2025, 11, 26)
    assert report.inputs["events"] == 1
    for kind in TRAINED:
        bundle, version, _ = champion(config, kind)
        assert version == "1"
        assert len(bundle.feature_names) == report.features


def test_the_report_is_json_with_a_schema_version_and_names_no_customer(
    run: tuple[Config, TrainReport, list[str]],
) -> None:
    config, report, _ = run
    text = json.dumps(report.to_json(), allow_nan=False)
    assert json.loads(text)["schema_version"] == REPORT_SCHEMA
    assert "c00001" not in text
    for file in (config.home / "mlartifacts").rglob("*"):
        if file.is_file():
            assert b"c00001" not in file.read_bytes(), file


def test_the_leak_audit_is_told_and_logged(run: tuple[Config, TrainReport, list[str]]) -> None:
    config, report, _ = run
    assert report.audit is not None and report.audit.clean
    with connect(config) as client:
        logged = client.get_run(report.registrations[0].run_id).data
    assert logged.params["audit"] == "clean"
    assert logged.metrics["audit/failed"] == 0.0
    assert logged.metrics["audit/future_scramble/all/rows"] > 500
    (file,) = (config.home / "mlartifacts").rglob("audit.json")
    assert json.loads(file.read_text()) == report.to_json()["audit"]


def test_return_times_are_judged_logged_and_served(
    run: tuple[Config, TrainReport, list[str]],
) -> None:
    config, report, _ = run
    assert isinstance(report.return_time, ReturnTimeReport)
    document = report.to_json()["return_time"]
    assert document["comparisons"][0]["part"] == "all"
    assert document["verdicts"] == list(report.return_time.verdicts)
    with connect(config) as client:
        logged = client.get_run(report.registrations[-1].run_id).data
        version = client.get_model_version("winback-return-time", "1")
    assert version.description == "\n".join(report.return_time.verdicts)
    place = "return_time/test/all/integrated_brier"
    assert logged.metrics[place] == pytest.approx(document["comparisons"][0]["model"]["value"])
    assert f"{place}_difference.low" in logged.metrics
    files = {file.name for file in (config.home / "mlartifacts").rglob("*")}
    assert {"return_time_brier.png", "importance_return_time.csv", "hazards.json"} <= files
    bundle, _, _ = champion(config, RETURN_TIME)
    assert bundle.model.horizon_days == report.return_time.horizon_days


def test_too_few_returns_leave_out_the_return_time_model_only(
    run: tuple[Config, TrainReport, list[str]],
    tmp_path: Path,
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(return_time, "MIN_HORIZON_DAYS", 1000)
    report = run_train(make_home(tmp_path, shop_events(500), store=store), now=NOW)
    assert [one.kind for one in report.registrations] == list(KINDS)
    assert isinstance(report.return_time, Skipped)
    skipped = report.to_json()["return_time"]["skipped"]
    assert "days only, and a return curve needs 1000" in skipped


def test_progress_is_told(run: tuple[Config, TrainReport, list[str]]) -> None:
    assert list(dict.fromkeys(run[2])) == [
        "computing features and labels",
        "fitting purchase processes",
        "auditing for leaks",
        "fitting and judging models",
        "fitting and judging return times",
        "registering models",
    ]


def test_what_arrives_at_or_after_the_as_of_leaves_the_bundles_identical(
    tmp_path: Path, store: Path
) -> None:
    table = shop_events(400)
    rng = np.random.default_rng(4)
    occurred = table.column("occurred_at").cast("int64").to_numpy()
    late = rng.random(len(occurred)) < 0.1
    arrived = occurred + np.where(late, 40 * DAY_US, 0)
    until = date(2025, 10, 20)
    border = int(datetime(2025, 10, 19, 22, tzinfo=UTC).timestamp()) * 1_000_000
    names = table.column("customer_id").to_pylist()
    kinds = table.column("event_type").to_pylist()
    amounts = table.column("amount").to_pylist()
    rows = list(zip(names, occurred.tolist(), kinds, amounts, strict=True))
    after = arrived >= border
    assert (after & (occurred < border)).sum() > 10
    scrambled = [
        (name, at - int(rng.integers(0, 90)) * DAY_US, "purchase", 777.0)
        if unknown
        else (name, at, kind, amount)
        for (name, at, kind, amount), unknown in zip(rows, after, strict=True)
    ]
    digests = []
    for number, content in enumerate((rows, scrambled)):
        config = make_home(
            tmp_path / str(number), events_table(content, arrived=arrived.tolist()), store=store
        )
        run_train(config, as_of=until, now=NOW)
        digests.append([champion(config, kind)[0].digest() for kind in TRAINED])
    assert digests[0] == digests[1]


def test_training_again_is_a_challenger_with_the_same_digest(tmp_path: Path, store: Path) -> None:
    config = make_home(tmp_path, shop_events(500), store=store)
    first = run_train(config, now=NOW)
    digest = champion(config, "dormancy_risk")[0].digest()
    again = run_train(config, now=datetime(2026, 3, 1, tzinfo=UTC), promote=True)
    assert again.as_of == first.as_of
    assert [one.version for one in again.registrations] == ["2", "2", "2"]
    bundle, version, _ = champion(config, "dormancy_risk")
    assert (bundle.digest(), version) == (digest, "2")


def test_nights_go_on_after_a_changed_configuration_and_a_training(
    tmp_path: Path, store: Path
) -> None:
    """They failed for ever: the new models were challengers, and the champion stayed."""
    config = make_home(tmp_path, shop_events(500), store=store)
    run_train(config, now=NOW)
    with (tmp_path / "winback.toml").open("a") as toml:
        toml.write('[channels.letter]\nlabel = "letter"\ncost = 1.0\n')
    edited = load_config(tmp_path)
    day = date(2025, 11, 26)
    with pytest.raises(ArtifactError, match=r"different: channels.*Fix: run `winback train`"):
        run_nightly(edited, as_of=day, now=NOW, dry_run=True)
    report = run_train(edited, now=NOW)
    *former, effects = report.registrations
    assert all("cannot serve; version 2 is" in (one.note or "") for one in former)
    assert (effects.kind, effects.alias, effects.version) == (CONTACT_EFFECT, "champion", "1")
    assert effects.note == "There was no champion; version 1 is champion."
    assert "cannot serve" in json.dumps(report.to_json())
    assert run_nightly(edited, as_of=day, now=NOW, dry_run=True).summary.notes


def test_no_warehouse(tmp_path: Path) -> None:
    config = make_home(tmp_path / "a", shop_events(3))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "winback.toml").write_text((config.home / "winback.toml").read_text())
    with pytest.raises(ArtifactError, match="no warehouse here"):
        run_train(load_config(tmp_path / "b"), now=NOW)


def test_mlflow_unreachable_fails_before_any_work(tmp_path: Path) -> None:
    config = make_home(tmp_path, shop_events(3))
    text = (tmp_path / "winback.toml").read_text()
    uri = 'mlflow_tracking_uri = "http://127.0.0.1:9"'
    (tmp_path / "winback.toml").write_text(text.replace("[storage]", f"[storage]\n{uri}"))
    told: list[str] = []
    with pytest.raises(ArtifactError, match=r"MLflow at http://127\.0\.0\.1:9"):
        run_train(
            load_config(config.home), now=NOW, progress=lambda task, done, total: told.append(task)
        )
    assert told == []


@pytest.mark.parametrize(
    ("table", "as_of", "fault"),
    [
        (empty_shop(), None, "none of the 0 stored events"),
        (shop_events(20), date(2024, 12, 1), "the first one is of 2025"),
        (shop_events(20), date(2025, 3, 1), "it needs"),
        (shop_events(20), None, "too few positives or negatives: dormancy_risk has"),
        (
            events_table([("c", START_US + i * 10 * DAY_US, "purchase", 1.0) for i in range(33)]),
            None,
            "at least 20 of each in every fold",
        ),
    ],
)
def test_too_little_data(
    tmp_path: Path, store: Path, table: pa.Table, as_of: date | None, fault: str
) -> None:
    config = make_home(tmp_path, table, store=store)
    with pytest.raises(DataError, match=fault):
        run_train(config, as_of=as_of, now=NOW)


def test_the_configured_date_is_used(tmp_path: Path, store: Path) -> None:
    make_home(tmp_path, shop_events(20), store=store)
    text = (tmp_path / "winback.toml").read_text()
    (tmp_path / "winback.toml").write_text(
        text.replace("[training]\n", '[training]\nas_of = "2024-12-01"\n')
    )
    with pytest.raises(DataError, match="training as of 2024-12-01"):
        run_train(load_config(tmp_path), now=NOW)


def test_an_as_of_that_has_not_begun_is_refused(tmp_path: Path, store: Path) -> None:
    """The bundle claimed to be trained until 2029, and every later night to have seen it."""
    config = make_home(tmp_path, shop_events(20), store=store)
    fault = r"training as of 2025-11-28.*has not begun.*not after 2025-11-27"
    with pytest.raises(DataError, match=fault):
        run_train(config, as_of=date(2025, 11, 28), now=NOW)
    toml = tmp_path / "winback.toml"
    toml.write_text(toml.read_text().replace("[training]\n", '[training]\nas_of = "2030-01-01"\n'))
    with pytest.raises(DataError, match=r"training as of 2030-01-01.*has not begun"):
        run_train(load_config(tmp_path), now=NOW)


def test_today_in_the_business_zone_has_begun(tmp_path: Path, store: Path) -> None:
    config = make_home(tmp_path, shop_events(20), store=store)
    late_evening = datetime(2025, 11, 26, 23, 30, tzinfo=UTC)
    with pytest.raises(DataError, match="too few positives"):
        run_train(config, as_of=date(2025, 11, 27), now=late_evening)


def test_a_night_of_the_training_date_is_not_said_to_be_in_the_model(
    run: tuple[Config, TrainReport, list[str]],
) -> None:
    config, report, _ = run
    notes = run_nightly(config, as_of=report.as_of, now=NOW, dry_run=True).summary.notes
    assert notes
    assert not any("saw data after" in note for note in notes)


def test_the_terminal_names_who_serves_and_the_level(
    run: tuple[Config, TrainReport, list[str]],
) -> None:
    _, report, _ = run
    out = io.StringIO()
    render_training(report, Console(file=out, width=200))
    for model in report.models:
        assert f"the {model.shipped} serves; stack = " in out.getvalue()
        assert f"({model.level.rule})" in out.getvalue()
    for rung in RUNGS:
        assert out.getvalue().count(rung) >= 2
