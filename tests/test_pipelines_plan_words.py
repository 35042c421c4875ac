"""What the terminal and the picture of `winback plan` say, of scenarios written by hand."""

from datetime import date
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from pipelines import plan_plot
from pipelines.plan_night import PlanReport, Scenario
from pipelines.plan_plot import draw_frontier, frontier_curves
from pipelines.plots import new_figure
from pipelines.render_plan import render_plan


def scenario(seats: int | None, spent: float, gain: float) -> Scenario:
    return Scenario(
        budget=spent + 1.0,
        seats=seats,
        contacts=9,
        spent=spent,
        spent_high=spent + 0.5,
        gain=gain,
        budget_price=0.25,
        seat_price=1.5,
        gap=0.0,
    )


def report(*evidence: str) -> PlanReport:
    return PlanReport(
        day=date(2025, 11, 20),
        currency="EUR",
        channel="phone",
        channel_label="phone call",
        eligible=9,
        evidence=evidence,
        scenarios=tuple(
            scenario(seats, spent, gain * (1.0 if seats == 5 else 2.0))
            for seats in (5, 50, 100, None)
            for spent, gain in ((10.0, 4.0), (20.0, 6.0))
        ),
        plot=None,
    )


def told(*evidence: str) -> str:
    console = Console(record=True, width=250, file=StringIO())
    render_plan(report(*evidence), console, spend_level=0.95)
    return console.export_text()


def test_figures_have_units_and_probabilities() -> None:
    text = told("rules")
    for part in (
        "expected spend",
        "at most (95 % sure)",
        "EUR per EUR",
        "EUR per seat",
        "Trials and controls are left out of these figures",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        (("rules",), "effects are the configuration's assumptions"),
        (("response", "rules"), "some effects are estimated from past contacts"),
        (("response",), "effects are estimated from past contacts"),
        (("response", "uplift"), None),
    ],
)
def test_the_note_says_what_effects_rest_on(evidence: tuple[str, ...], words: str | None) -> None:
    text = told(*evidence)
    assert ("not proven yet" in text) == (words is not None)
    assert words is None or f"not proven yet: {words}" in text


def test_equal_curves_are_drawn_as_one_and_no_marker_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    curves = frontier_curves(report("rules"))
    assert [label for label, _ in curves] == [
        "5 phone seats",
        "50 or 100 or no limit of phone seats",
    ]
    assert curves[1][1] == [(10.0, 8.0), (20.0, 12.0)]
    figure, axes = new_figure(tall=False)
    monkeypatch.setattr(plan_plot, "new_figure", lambda *, tall: (figure, axes))
    draw_frontier(report("rules"), tmp_path / "frontier.svg")
    assert axes.get_ylim() == (0.0, pytest.approx(1.08 * 12.0))
    assert axes.get_legend() is None  # it stands below the axes, away from the lines
    assert len(figure.legends) == 1
    assert "</svg>" in (tmp_path / "frontier.svg").read_text()
