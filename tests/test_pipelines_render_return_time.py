"""Return times in the terminal: the figures of a training, the sentence of an explanation."""

import io
from datetime import date

import pytest
from rich.console import Console

from pipelines.explanation import Explanation
from pipelines.render_night import render_explanation
from pipelines.render_return_time import render_return_time
from training.metrics import Estimate
from training.return_time import Skipped
from training.return_time_judge import Comparison, Coverage, ReturnTimeReport


def console() -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    return Console(file=text, width=200), text


def report(covered: float | None) -> ReturnTimeReport:
    better = Estimate(-0.01, -0.02, -0.005)
    return ReturnTimeReport(
        horizon_days=365.0,
        judged_days=92.0,
        customers=5276,
        comparisons=(
            Comparison(
                "all",
                5276,
                2310,
                Estimate(0.1386, 0.13, 0.145),
                Estimate(0.1442, None, None),
                better,
                "better",
            ),
        ),
        days=(0.0, 92.0),
        model_brier=(0.0, 0.1),
        baseline_brier=(0.0, 0.2),
        coverage=Coverage(0.8, 207, covered, 4671, 0.1, 0.03),
        trees=9,
        calibration_slope=1.0,
        calibration_intercept=0.0,
    )


def test_a_report_shows_both_scores_the_verdict_and_the_coverage() -> None:
    to, text = console()
    render_return_time(report(0.83), to)
    shown = text.getvalue()
    assert "followed for 92 days; forecasts reach 365 days" in shown
    assert "0.1386 [0.1300, 0.1450]" in shown and "0.1442" in shown
    assert "better than Kaplan-Meier by segment" in shown
    assert "80 % interval: 83% of 207 customers returned inside it" in shown


def test_a_coverage_nobody_can_check_is_not_shown() -> None:
    to, text = console()
    render_return_time(report(None), to)
    assert "interval:" not in text.getvalue()


def test_without_a_model_it_says_why() -> None:
    to, text = console()
    render_return_time(Skipped("3 returns in training and 0 in validation"), to)
    assert "return time: no model: 3 returns in training" in text.getvalue()


@pytest.mark.parametrize(
    ("low", "high", "says"),
    [
        (date(2026, 1, 2), date(2026, 3, 4), "around 2026-02-01 (80 %: 2026-01-02 to 2026-03-04)."),
        (date(2026, 1, 2), None, "around 2026-02-01 or later (80 %: 2026-01-02 or later"),
        (None, None, "not before 2026-02-01."),
    ],
)
def test_an_explanation_says_when(low: date | None, high: date | None, says: str) -> None:
    to, text = console()
    told = Explanation(
        customer_id="c",
        day=date(2025, 11, 20),
        verdict="Listed.",
        is_scored=True,
        stage_label="has bought",
        p_return_natural=0.1,
        next_order_expected=date(2026, 2, 1),
        next_order_low=low,
        next_order_high=high,
    )
    render_explanation(told, to)
    assert says in text.getvalue()
