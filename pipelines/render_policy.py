"""An evaluation of policies as terminal text."""

from typing import TYPE_CHECKING

from rich.console import Console

from pipelines.terminal import text_table
from training.policy_support import Refused

if TYPE_CHECKING:
    from pipelines.evaluate_policy import PolicyEvaluation
    from training.clustered_mean import Mean
    from training.policy_value import PolicyDifference, PolicyValue
    from training.uplift_curves import UpliftCurves

_PER_ROWS = 1000


def render_evaluation(evaluation: "PolicyEvaluation", console: Console) -> None:
    """Differences first, then values and what carries them, then rankings."""
    if evaluation.rows:
        console.print(
            f"{evaluation.rows:,} logged assignments of {evaluation.customers:,} customers, "
            f"{evaluation.first_day} to {evaluation.last_day}. Figures are {_unit(evaluation)} "
            "per 1,000 assignments."
        )
    for note in evaluation.notes:
        console.print(f"  {note}")
    labels = _labels(evaluation)
    for name, label in labels.items():
        if label != name:
            console.print(f"  {label}: {name}", soft_wrap=True)
    _render_differences(evaluation, labels, console)
    _render_values(evaluation, labels, console)
    for curves in evaluation.curves:
        if not isinstance(curves, Refused):
            _render_curves(curves, console)
    for text in _refusals(evaluation):
        console.print(f"Not stated: {text}")
    if evaluation.tracking_uri is not None:
        console.print(f"MLflow: {evaluation.tracking_uri}, run {evaluation.run_id}", soft_wrap=True)


def _labels(evaluation: "PolicyEvaluation") -> dict[str, str]:
    """A short name for each policy: rules are too long for a table of 80 columns."""
    labels = {name: f"policy {at}" for at, name in enumerate(evaluation.policies, start=1)}
    baseline = evaluation.policies[-1]
    return labels | ({baseline: baseline} if baseline in ("none", "logged") else {})


def _unit(evaluation: "PolicyEvaluation") -> str:
    return evaluation.currency if evaluation.outcome == "profit" else "returns"


def _render_differences(
    evaluation: "PolicyEvaluation", labels: dict[str, str], console: Console
) -> None:
    stated = [one for one in evaluation.report.differences if not isinstance(one, Refused)]
    if not stated:
        return
    rows = [
        [
            f"{labels[one.name]}\nminus {labels[one.baseline]}",
            _text(one.dr),
            f"{one.differing:.0%}",
            _verdict(one),
        ]
        for one in stated
    ]
    columns = ["", "difference", "differ in", "verdict"]
    console.print(text_table("Which is better", columns, rows, numeric=1))


def _verdict(one: "PolicyDifference") -> str:
    if one.rows_to_prove is None:
        return one.verdict
    return f"{one.verdict}\n(about {one.rows_to_prove:,} rows)"


def _render_values(
    evaluation: "PolicyEvaluation", labels: dict[str, str], console: Console
) -> None:
    stated = [one for one in evaluation.report.values if not isinstance(one, Refused)]
    if not stated:
        return
    figures = [
        [
            labels[one.name],
            _text(one.dr),
            _number(one.snips),
            _number(one.ips),
            _number(one.switch.value) if one.switch.value is not None else "",
        ]
        for one in stated
    ]
    columns = ["", "doubly robust", "SNIPS", "IPS", "switch-DR"]
    console.print(text_table("Value of each", columns, figures, numeric=1))
    carried = [[labels[one.name], *_support(one), _actions(one, evaluation)] for one in stated]
    columns = ["", "followed", "returns", "effective", "heaviest", "would do"]
    console.print(text_table("What carries it", columns, carried, whole=columns[:5]))
    dropped = ", ".join(
        f"{labels[one.name]} {one.switch.switched_share:.1%}"
        for one in stated
        if one.switch.switched_share > 0.0
    )
    console.print(
        f"  Weights above {stated[0].switch.limit:,.0f}, which switch-DR leaves out: "
        f"{dropped + ' of the rows' if dropped else 'none'}."
    )


def _support(one: "PolicyValue") -> list[str]:
    support = one.support
    return [
        f"{support.followed:,}",
        f"{support.positives:,}",
        f"{support.effective_rows:,.0f}",
        f"{support.largest_weight:,.1f}",
    ]


def _actions(one: "PolicyValue", evaluation: "PolicyEvaluation") -> str:
    shares = sorted(
        zip(one.shares, ("none", *evaluation.actions), strict=True), key=lambda pair: -pair[0]
    )
    return ", ".join(f"{name} {share:.0%}" for share, name in shares[:4] if share > 0.0)


def _render_curves(curves: "UpliftCurves", console: Console) -> None:
    rows = [
        [str(at), f"{tenth.rows:,}", _text(tenth.effect)]
        for at, tenth in enumerate(curves.tenths, start=1)
    ]
    title = f"{curves.name}: effect of contact by tenth of its score, best first"
    console.print(text_table(title, ["tenth", "rows", "effect"], rows, numeric=1))
    sorted_by_effect = "ranks by effect" if curves.autoc.low > 0.0 else "not proven yet"
    console.print(
        f"  RATE: AUTOC {_text(curves.autoc)}, Qini {_text(curves.qini)}: {sorted_by_effect}"
    )


def _refusals(evaluation: "PolicyEvaluation") -> list[str]:
    """Each text once: a policy's own refusal comes back in its differences."""
    found = (*evaluation.report.values, *evaluation.report.differences, *evaluation.curves)
    return list(dict.fromkeys(one.text for one in found if isinstance(one, Refused)))


def _number(mean: "Mean") -> str:
    return f"{mean.value * _PER_ROWS:,.1f}"


def _text(mean: "Mean") -> str:
    low, high = mean.low * _PER_ROWS, mean.high * _PER_ROWS
    return f"{mean.value * _PER_ROWS:,.1f} [{low:,.1f}, {high:,.1f}]"
