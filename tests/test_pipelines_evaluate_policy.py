"""Policies judged end to end on real nights and on an imported experiment of a small shop."""

import json
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from night_home import NOW, copy_home, make_night_home, night, table_of
from typer.testing import CliRunner

from features.errors import ArtifactError, UsageError
from features.local_day import local_midnight_us
from features.warehouse import Warehouse
from models.attrition import configured_attrition
from models.contact_effect import EffectPriors, assumed_effect
from pipelines import cli_policy
from pipelines.cli import app
from pipelines.config import Config
from pipelines.evaluate_policy import PolicyEvaluation, run_evaluation
from pipelines.policy_bundle import LoadedEffect
from pipelines.policy_rows import NOT_LISTED
from pipelines.policy_sources import PolicyRequest
from pipelines.render_policy import render_evaluation
from pipelines.terminal import result_console
from scoring.effects import NightEffects
from training.policy_support import Refused
from training.policy_value import PolicyDifference, PolicyValue
from training.uplift_curves import UpliftCurves

pytestmark = pytest.mark.usefixtures("champions")

SPRING, NIGHTS = (date(2025, 4, 1), date(2025, 6, 1)), (date(2025, 8, 1), date(2025, 9, 20))
BERLIN = ZoneInfo("Europe/Berlin")
CHANCES = {"none": 0.5, "push": 0.3, "email": 0.2}


def experiment_rows(customers: int = 500) -> list[dict[str, Any]]:
    """Everybody assigned twice, by chance."""
    rng = np.random.default_rng(4)
    rows = []
    for day in SPRING:
        at = local_midnight_us(day, BERLIN)
        for number, name in enumerate(rng.choice(list(CHANCES), customers, p=[*CHANCES.values()])):
            rows.append(
                {
                    "assignment_id": f"{day}-{number}",
                    "customer_id": f"c{number:05d}",
                    "assigned_at": at,
                    "arrived_at": at,
                    "experiment": "spring",
                    "channel": None if name == "none" else str(name),
                    "propensity": CHANCES[str(name)],
                }
            )
    return rows


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A shop with an imported experiment of 1,000 assignments and no list yet."""
    config = make_night_home(tmp_path_factory.mktemp("campaign") / "home")
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=config.storage.buckets)
    warehouse.append("assignments", table_of("assignments", experiment_rows()))
    return config


@pytest.fixture
def lists(shop: Config) -> Config:
    """A shop with two nights' lists and their outcomes."""
    for day in NIGHTS:
        night(shop, as_of=day)
    return shop


def evaluate(config: Config, **request: Any) -> PolicyEvaluation:
    asked = {name: (text,) for name, text in request.items() if name in {"rules", "lists"}}
    rest = {name: value for name, value in request.items() if name not in asked}
    outcome = rest.pop("outcome", "returns")
    return run_evaluation(
        config, PolicyRequest(**{**rest, **asked}), outcome=outcome, track=False, now=NOW
    )


def test_a_rule_is_judged_by_those_who_got_what_it_says(campaign: Config) -> None:
    found = evaluate(campaign, rules="push/none where orders_lifetime >= 2")
    value, baseline = found.report.values
    assert isinstance(value, PolicyValue)
    assert isinstance(baseline, PolicyValue)
    assert not found.refused
    assert (found.first_day, found.last_day) == SPRING
    assert 0.1 < value.shares[1] < 0.5
    assert value.shares[0] + value.shares[1] == pytest.approx(1.0)
    assert value.support.largest_weight == pytest.approx(1 / 0.3)
    assert value.dr.low < value.dr.value < value.dr.high
    difference = found.report.differences[0]
    assert isinstance(difference, PolicyDifference)
    assert difference.dr.value == pytest.approx(value.dr.value - baseline.dr.value)
    # Contacts of a log without effects prove nothing.
    assert difference.verdict == "not proven yet"


def test_dates_choose_the_assignments(campaign: Config) -> None:
    late = evaluate(campaign, rules="push/none", since=date(2025, 5, 1))
    early = evaluate(campaign, rules="push/none", until=date(2025, 5, 1))
    both = evaluate(campaign, rules="push/none")
    assert (late.first_day, early.last_day) == (SPRING[1], SPRING[0])
    assert late.rows + early.rows == both.rows


def test_the_logged_policy_and_rules_can_be_compared_with(campaign: Config) -> None:
    logged = evaluate(campaign, rules="push/none", against="logged")
    assert isinstance(logged.report.values[1], PolicyValue)
    assert logged.report.values[1].support.effective_rows == pytest.approx(logged.rows)
    rule = evaluate(campaign, rules="push/none", against="email/none where stage = 'buyer'")
    assert not rule.refused


def test_an_action_never_tried_is_refused_by_name(campaign: Config) -> None:
    found = evaluate(campaign, rules="phone/none")
    assert found.refused
    refused = found.report.values[0]
    assert isinstance(refused, Refused)
    assert "phone/none in 97.2% of the rows" in refused.text


def test_lists_are_judged_on_their_own_nights(lists: Config) -> None:
    every = evaluate(lists, lists="all", against="logged")
    one = evaluate(lists, lists="2025-08-01", against="logged")
    assert (every.first_day, every.last_day) == NIGHTS
    assert (one.first_day, one.last_day) == (NIGHTS[0], NIGHTS[0])
    assert one.rows < every.rows
    # The list's own gains rank its customers, judged or refused.
    assert len(every.curves) == 1
    assert every.curves[0].name.endswith("lists")
    assert not any("closed" in note for note in every.notes)


def test_closed_channels_stay_closed_to_rules(lists: Config) -> None:
    found = evaluate(lists, rules="push/none")
    assert any("push/none: in" in note and "closed" in note for note in found.notes)


def test_lists_cannot_be_judged_before_their_outcomes(shop: Config) -> None:
    night(shop, as_of=date(2025, 11, 10))
    found = evaluate(shop, lists="2025-11-10")
    refused = found.report.values[0]
    assert isinstance(refused, Refused)
    assert refused.reason == "nothing_matured"
    assert "2025-12-12" in refused.text


def test_a_list_that_is_not_there_is_named(lists: Config) -> None:
    with pytest.raises(ArtifactError, match="2025-08-02") as caught:
        evaluate(lists, lists="2025-08-02")
    assert "2 lists, 2025-08-01 to 2025-09-20" in str(caught.value)


def test_without_any_assignment_nothing_is_stated(shop: Config) -> None:
    found = evaluate(shop, rules="push/none")
    assert found.rows == 0
    assert found.refused
    json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("request_", "fault"),
    [
        ({}, "no policy"),
        ({"lists": "yesterday"}, "not a date"),
        ({"rules": "push/none", "since": date(2025, 6, 1), "until": date(2025, 5, 1)}, "later"),
    ],
)
def test_requests_without_sense_are_refused(
    campaign: Config, request_: dict[str, Any], fault: str
) -> None:
    with pytest.raises(UsageError, match=fault):
        evaluate(campaign, **request_)


def test_what_a_list_recommends_is_what_the_contacted_got(lists: Config) -> None:
    from pipelines.evaluate_policy import _collect

    warehouse = Warehouse.open(lists.warehouse_path, n_buckets=lists.storage.buckets)
    rows, _ = _collect(lists, warehouse, now=NOW, progress=lambda *_: None)
    contacted = (rows.sample.propensity > 0.5) & (rows.recommended >= 0)
    assert contacted.any()
    assert (rows.recommended == rows.sample.action)[contacted].all()
    assert not rows.closed[np.flatnonzero(contacted), rows.recommended[contacted]].any()
    assert NOT_LISTED not in rows.recommended


def test_the_command_prints_tables_and_its_exit_code_tells_of_refusals(
    campaign: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli_policy, "now", lambda: NOW)
    home = ["--config", str(campaign.home), "--no-mlflow", "--outcome", "returns"]
    told = CliRunner().invoke(app, ["evaluate-policy", *home, "--rule", "push/none"])
    assert told.exit_code == 0, told.output
    for words in ("Which is better", "Value of each", "What carries it", "not proven yet"):
        assert words in told.output
    wrong = ["evaluate-policy", *home, "--rule", "phone/none", "--json"]
    refused = CliRunner().invoke(app, wrong)
    assert refused.exit_code == 5
    document = json.loads(refused.stdout)
    assert document["schema_version"] == 1
    assert document["values"][0]["refused"]
    assert document["values"][0]["reason"] == "action_never_tried"
    assert isinstance(CliRunner().invoke(app, ["evaluate-policy", *home]).exception, UsageError)


def test_evaluations_are_logged_without_customers(campaign: Config, tmp_path: Path) -> None:
    from pipelines.tracking import connect

    config = copy_home(campaign, tmp_path / "home")
    request = PolicyRequest(rules=("push/none", "email/none"))
    found = run_evaluation(config, request, outcome="returns", now=NOW)
    assert found.run_id is not None
    with connect(config) as client:
        run = client.get_run(found.run_id)
        files = {file.path for file in client.list_artifacts(found.run_id)}
        plots = {file.path for file in client.list_artifacts(found.run_id, "plots")}
    assert {"report.json", "plots"} <= files
    assert plots == {"plots/differences.png"}
    assert "policy_1/dr.low" in run.data.metrics
    assert "difference/push_none/minus/none" in run.data.metrics
    assert run.data.params["policy.1"] == "push/none"


@pytest.mark.parametrize("trained_until", [date(2025, 3, 1), date(2025, 5, 1), date(2025, 7, 1)])
def test_models_are_judged_on_what_came_after_their_training(
    campaign: Config, monkeypatch: pytest.MonkeyPatch, trained_until: date
) -> None:
    promising = np.array([0.0, 0.0, 0.8, 0.0, 0.0, 0.0])
    priors = EffectPriors(
        mean=promising,
        channel_sd=np.full(3, 0.1),
        offer_sd=np.full(2, 0.1),
        moved=np.zeros(6, dtype=np.bool_),
    )
    channels, offers = tuple(campaign.channels), tuple(campaign.offers)
    loaded = LoadedEffect(
        NightEffects(
            assumed_effect(priors, channels=channels, offers=offers),
            configured_attrition(channels, [0.0] * len(channels)),
        ),
        "challenger 7",
        local_midnight_us(trained_until, BERLIN),
    )
    monkeypatch.setattr("pipelines.evaluate_policy.load_effect", lambda *_: loaded)
    found = evaluate(campaign, models=("challenger",))
    value = found.report.values[0]
    told = any("before the models' training" in note for note in found.notes)
    assert told == (trained_until > SPRING[0])
    if trained_until > SPRING[1]:
        assert isinstance(value, Refused)
        assert "after the models' training" in value.text
        return
    assert found.first_day == SPRING[trained_until > SPRING[0]]
    if told:
        return
    assert isinstance(value, PolicyValue)
    assert value.name == "challenger 7"
    # Three quarters have consented to e-mail.
    assert value.shares[3] == pytest.approx(0.7, abs=0.1)
    assert isinstance(found.curves[0], UpliftCurves)
    assert found.curves[0].rows <= found.rows


def test_refusals_are_told_once(campaign: Config, capsys: pytest.CaptureFixture[str]) -> None:
    render_evaluation(evaluate(campaign, rules="phone/none"), result_console())
    assert capsys.readouterr().out.count("never occur in the log") == 1
