"""`winback plan`: more never brings less, nothing is written, faults are named."""

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from night_home import DAY, NOW
from rich.console import Console

from features.errors import UsageError
from pipelines.config import Config
from pipelines.plan_night import PlanReport, PlanRequest, run_plan
from pipelines.render_plan import render_plan

pytestmark = pytest.mark.usefixtures("champions")

BUDGETS = (2.0, 5.0, 20.0)


def planned(shop: Config, **changed: object) -> PlanReport:
    request = PlanRequest(budgets=BUDGETS, seats=(2, 20), channel=None, plot=None)
    return run_plan(shop, replace(request, **changed), as_of=DAY, now=NOW)  # type: ignore[arg-type]


def test_more_money_and_more_seats_never_bring_less(shop: Config) -> None:
    report = planned(shop)
    assert [(one.seats, one.budget) for one in report.scenarios] == [
        (seats, budget) for seats in (2, 20) for budget in BUDGETS
    ]
    gain = {(one.seats, one.budget): one.gain for one in report.scenarios}
    for budget in BUDGETS:
        assert gain[20, budget] >= gain[2, budget] - 0.02
    for seats in (2, 20):
        assert 0 < gain[seats, 2.0] <= gain[seats, 5.0] + 0.02
        assert gain[seats, 5.0] <= gain[seats, 20.0] + 0.02


def test_spending_stays_within_the_budget_and_uses_it(shop: Config) -> None:
    for one in planned(shop).scenarios:
        assert one.budget is not None
        assert one.spent <= one.spent_high <= one.budget + 0.01
        # A fifth is exploration's own in this shop.
        if one.budget_price > 0:
            assert one.spent_high >= 0.9 * 0.8 * one.budget


def test_prices_tell_what_the_next_unit_brings(shop: Config) -> None:
    scarce, more, plenty = planned(shop, budgets=(20.0,), seats=(2, 7, 400)).scenarios
    assert scarce.seat_price >= more.seat_price >= plenty.seat_price == 0
    assert plenty.gain > more.gain > scarce.gain
    # Seats are worth less the more there are: five bring at most five times the first price.
    assert more.gain - scarce.gain <= 5 * 1.2 * scarce.seat_price


def test_nothing_is_written_but_the_picture(shop: Config, tmp_path: Path) -> None:
    before = sorted(shop.home.rglob("*"))
    file = tmp_path / "frontier.png"
    report = planned(shop, plot=file)
    assert sorted(shop.home.rglob("*")) == before
    assert file.read_bytes().startswith(b"\x89PNG")
    assert json.loads(json.dumps(report.to_json()))["scenarios"][0]["budget"] == 2.0


def test_without_budgets_it_looks_around_what_a_night_would_spend(shop: Config) -> None:
    report = planned(shop, budgets=(), seats=())
    assert len(report.scenarios) == 5
    assert all(one.seats == shop.channels["phone"].capacity for one in report.scenarios)
    assert report.scenarios[-1].budget_price == 0.0


def test_the_terminal_shows_a_line_per_scenario(shop: Config) -> None:
    console = Console(record=True, width=160, file=StringIO())
    render_plan(planned(shop), console, spend_level=0.9)
    text = " ".join(console.export_text().split())
    assert text.count("█") > 6
    assert "not proven yet" in text
    assert "Trials and controls are left out" in text


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"channel": "fax"}, "no such channel"),
        ({"budgets": (-1.0,)}, "--budget"),
        ({"seats": (-5,)}, "--seats"),
        ({"seats": (10**20,)}, "--seats"),
        ({"budgets": (1e300,)}, "--budget"),
        ({"plot": Path("/nowhere/frontier.png")}, "--plot"),
        ({"plot": Path("frontier.xls")}, "--plot"),
    ],
)
def test_faults_are_named_before_any_work(
    shop: Config, changed: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        planned(shop, **changed)
