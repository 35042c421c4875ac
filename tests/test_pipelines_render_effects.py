"""Effects of contact in the terminal after a training."""

import io

import pytest
from rich.console import Console
from test_training_effect_fit import PRIORS, TERMS, draw

from pipelines.effect_record import EffectsReport, effect_figures
from pipelines.render_effects import render_effects
from training.assignment_counts import AssignmentCounts
from training.attrition import AttritionReport
from training.effect_fit import EffectReport, fit_contact_effect
from training.effect_plan import EffectPlan

ATTRITION = AttritionReport({"sms": 0}, {"sms": 0}, {"sms": 0.01}, "configured")


def report_of(effect: EffectReport | None) -> EffectsReport:
    return EffectsReport(
        effect=effect,
        absence="" if effect else "no assignment is logged",
        assignments=AssignmentCounts(assignments=9, contaminated=2),
        study=None,
        attrition=ATTRITION,
        assumed={"sms/none": (0.2, 0.1)},
    )


def shown(report: EffectsReport) -> str:
    text = io.StringIO()
    render_effects(report, Console(file=text, width=200))
    return text.getvalue()


def test_without_assignments_it_shows_what_is_assumed_and_why() -> None:
    text = shown(report_of(None))
    assert "sms/none" in text and "+0.20 [+0.00, +0.40]" in text
    assert "not proven yet; assumptions serve. no assignment is logged" in text
    assert "2 assignments to no contact with a record of one" in text
    assert dict(effect_figures(report_of(None)))["contact_effect/assignments/contaminated"] == 2.0


@pytest.mark.parametrize("n", [60, 8000])
def test_every_action_is_shown_with_counts_and_evidence(n: int) -> None:
    fit = fit_contact_effect(draw(n, 2)[0], priors=PRIORS, terms=TERMS, plan=EffectPlan())
    report = report_of(fit.report)
    text = shown(report)
    for one in fit.report.actions:
        (line,) = [line for line in text.splitlines() if one.action in line]
        assert f"{one.rows:,}" in line and one.evidence in line and f"{one.shift:+.2f}" in line
    assert all(verdict in text for verdict in report.verdicts)
    figures = dict(effect_figures(report))
    assert figures["contact_effect/sms/none/rows"] == fit.report.actions[2].rows
    assert ("contact_effect/arm_means/log_loss.low" in figures) == (n == 8000)
