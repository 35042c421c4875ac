"""The churn definition as one self-contained page: tables and plots, for desk and phone."""

from functools import partial
from importlib.resources import files as package_files
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, StrictUndefined

from features.errors import ArtifactError, describe
from pipelines.render_definition import group_text
from pipelines.report.charts import Bar, stack_bars
from pipelines.report.line_chart import Line, LineChart, Mark, draw_lines
from scoring.language import number_text

if TYPE_CHECKING:
    from pipelines.define import DefinitionReport
    from training.definition import StageDefinition

_TEMPLATE = "definition.html.j2"
_OPINION_STYLES = {"return rule": "rule", "D-curve": "cost", "configured": "given"}
_GROUP_STYLES = ("g1", "g2", "g3", "g4")


def check_place(file: Path) -> None:
    """Refuse a place where the page cannot be written, before any work.

    Raises
    ------
    ArtifactError : there is no such folder, or the place is one.
    """
    if file.is_dir() or not file.resolve().parent.is_dir():
        fault = "it is a folder" if file.is_dir() else "its folder does not exist"
        raise ArtifactError(
            describe(
                f"--html {file}",
                fault,
                expected="a file in an existing folder",
                fix="choose another place, such as --html definition.html",
            )
        )


def write_page(report: "DefinitionReport", file: Path) -> str:
    """Write the page and return its path, whose folder must exist."""
    file.write_text(build_definition_page(report), encoding="utf-8")
    return str(file)


def build_definition_page(report: "DefinitionReport") -> str:
    """Render the page; equal reports give equal text."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["count"] = partial(number_text, language="en")
    environment.filters["share"] = _share_text
    environment.filters["days"] = _days_text
    template = environment.from_string(
        package_files("pipelines.report").joinpath(_TEMPLATE).read_text(encoding="utf-8")
    )
    return template.render(
        report=report,
        found=report.definition,
        plan=report.definition.plan,
        charts={stage.name: _charts(report, stage) for stage in report.definition.stages},
        state_bars={stage.name: _state_bars(stage) for stage in report.definition.stages},
    )


def _charts(report: "DefinitionReport", stage: "StageDefinition") -> list[LineChart]:
    plan = report.definition.plan
    whole, *groups = stage.curves
    limit = Mark(f"{100 * plan.q:g} %", "limit", plan.q)
    windows = [
        Mark(f"{one.source}: {one.window_days:g}", _OPINION_STYLES[one.source], one.window_days)
        for one in stage.opinions
        if one.window_days is not None
    ]
    x_name = "days of silence"
    title = f"Chance of a return within {plan.horizon_days} days"
    charts = [
        draw_lines(
            title,
            [Line("all customers", "main", whole.rate.tolist())],
            x_name=x_name,
            band=(whole.low.tolist(), whole.high.tolist()),
            down=windows,
            across=[limit],
        )
    ]
    for name, part in (("value", groups[:2]), ("cadence before the silence", groups[2:])):
        lines = [
            Line(group_text(one.name, stage), style, one.rate.tolist())
            for one, style in zip(part, _GROUP_STYLES, strict=False)
        ]
        charts.append(draw_lines(f"The same by {name}", lines, x_name=x_name, across=[limit]))
    if stage.cost is not None:
        false, waiting = stage.cost.false_alarm, stage.cost.waiting
        shown = slice(0, min(len(waiting), 2 * stage.cost.scale_days))
        total = [a + b for a, b in zip(false[shown], waiting[shown], strict=True)]
        charts.append(
            draw_lines(
                "D-curve: false alarms and waiting together",
                [
                    Line("together", "main", total),
                    Line("false alarms: return at all", "g1", false[shown]),
                    Line("cost of waiting", "g2", waiting[shown]),
                ],
                x_name=x_name,
                down=[mark for mark in windows if mark.style == "cost"],
            )
        )
    return [chart for chart in charts if chart.lines]


def _state_bars(stage: "StageDefinition") -> tuple[Bar, ...]:
    return stack_bars([(name, {"main": count}) for name, count in stage.states.items()])


def _share_text(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _days_text(days: float | None) -> str:
    return "–" if days is None else number_text(days, language="en")
