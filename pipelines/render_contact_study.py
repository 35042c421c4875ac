"""The study of past contacts as terminal text."""

from typing import TYPE_CHECKING

from rich.console import Console

from pipelines.terminal import text_table
from training.contact_effects import NORMAL_95

if TYPE_CHECKING:
    from pipelines.contact_study import ContactStudyReport
    from training.contact_effects import ShiftEstimate
    from training.contact_study import ContactStudy
    from training.contact_verdict import ActionStudy

VERDICTS = {
    "usable": "may move assumptions",
    "confounded": "not to be believed, those contacted were different",
    "unbalanced": "not to be believed, groups stay different after weighting",
    "untested": "not to be believed, nothing could test it",
    "no overlap": "nothing to compare with",
    "too few": "too few contacts or returns",
    "nothing to study": "no contacts",
}


def render_contact_study(report: "ContactStudyReport", console: Console) -> None:
    """Verdict first, then effects, overlap, propensities, and what becomes of the priors."""
    study = report.study
    console.print(
        f"{report.business}, as of {report.as_of}: {study.rows:,} rows of {study.customers:,} "
        f"customers at {report.cutoffs} cutoffs; {study.contacted:,} were contacted within "
        f"{report.decision_days:g} days of theirs."
    )
    if study.counts.unreachable:
        console.print(
            f"Left out, no channel open: {study.counts.unreachable:,} of "
            f"{study.counts.considered:,} dormant customers at cutoffs."
        )
    if study.counts.on_trial:
        console.print(
            f"Left out, on a list of winback or in an experiment then: {study.counts.on_trial:,}; "
            "those are learnt from with the propensities that were logged."
        )
    if study.counts.untestable:
        console.print(
            f"Left out, of stages where every sign of life ends silence: "
            f"{study.counts.untestable:,}; no placebo could test what is said of them."
        )
    _render_dirt(study, console)
    prior = study.prior
    weight = f"weight {prior.weight:g}" if prior.weight else "weight 0"
    console.print(f"Verdict: {prior.verdict} ({VERDICTS[prior.verdict]}), {weight}.", style="bold")
    for reason in prior.reasons:
        console.print(f"  {reason}")
    if study.any_contact is None:
        return
    console.print()
    _render_effects(study, console)
    _render_overlap(study, console)
    _render_calibration(study, console)
    _render_priors(report, console)
    if report.run_id is not None:
        console.print(f"MLflow run: {report.run_id}")


def _render_dirt(study: "ContactStudy", console: Console) -> None:
    if study.counts.closed_channel:
        console.print(
            f"Contacted though the customer record closes the channel: "
            f"{study.counts.closed_channel:,}; counted as no action of the study."
        )
    if study.counts.other_contact:
        console.print(
            f"Contacted in a channel or with an offer that is not configured: "
            f"{study.counts.other_contact:,}; counted as no action of the study."
        )
    if study.contacted:
        console.print(
            f"Of those not contacted {_percent(study.contacted_later)} were contacted before their "
            "outcome window ended: effects are those of a contact now instead of later or never."
        )


def _render_effects(study: "ContactStudy", console: Console) -> None:
    rows = []
    for one in _all(study):
        placebo = _placebo_of(study, one)
        rows.append(
            [
                one.name,
                f"{one.overlap.treated:,}",
                "-" if one.effect is None else f"{one.effect.positives_treated:,}",
                "-" if one.effect is None else _signed(one.effect.naive),
                _interval(one.effect),
                _interval(placebo),
            ]
        )
    console.print(
        text_table(
            "Shift of a return's log-odds, with the half width of its 95 % interval",
            ["action", "rows", "returns", "plain", "adjusted", "placebo"],
            rows,
            numeric=1,
        )
    )


def _render_overlap(study: "ContactStudy", console: Console) -> None:
    rows = [
        [
            one.name,
            _percent(one.overlap.low_share),
            _percent(one.overlap.trimmed_share),
            f"{one.overlap.max_weight:.1f}",
            f"{one.overlap.effective_treated:,.0f}",
            f"{one.overlap.smd_before:.2f}",
            f"{one.overlap.smd_after:.2f}",
        ]
        for one in _all(study)
    ]
    console.print(
        text_table(
            "Overlap: were those contacted and those not comparable?",
            ["action", "e < .02", "trimmed", "max w", "worth", "SMD", "weighted"],
            rows,
            numeric=1,
        )
    )


def _render_calibration(study: "ContactStudy", console: Console) -> None:
    rows = [
        [one.name, f"{one.rows:,}", _percent(one.share), _plain(one.slope), _plain(one.ece, 4)]
        for one in study.calibration
    ]
    console.print(
        text_table(
            "Propensities on later cutoffs than they were calibrated on (ideal: slope 1, ECE 0)",
            ["action", "rows", "share", "slope", "ECE"],
            rows,
            numeric=1,
        )
    )


def _render_priors(report: "ContactStudyReport", console: Console) -> None:
    if not report.combined.moved.any():
        console.print("The configured priors stay as they are.")
        return
    configured, combined = report.configured, report.combined
    rows = [
        [
            name,
            f"{configured.mean[at]:+.3f} ± {configured.sd[at]:.3f}",
            f"{combined.mean[at]:+.3f} ± {combined.sd[at]:.3f}",
            "response" if combined.moved[at] else "rules",
        ]
        for at, name in enumerate(report.study.prior.actions)
    ]
    console.print(
        text_table(
            f"Priors, with the study at weight {report.study.prior.weight:g}",
            ["action", "configured", "combined", "evidence"],
            rows,
            numeric=1,
        )
    )


def _all(study: "ContactStudy") -> tuple["ActionStudy", ...]:
    return study.actions if study.any_contact is None else (study.any_contact, *study.actions)


def _placebo_of(study: "ContactStudy", one: "ActionStudy") -> "ShiftEstimate | None":
    if study.placebo is None:
        return None
    return (
        study.placebo.overall if one is study.any_contact else study.placebo.by_action.get(one.name)
    )


def _interval(estimate: "ShiftEstimate | None") -> str:
    if estimate is None or estimate.shift is None:
        return "-"
    return f"{estimate.shift:+.2f} ± {NORMAL_95 * (estimate.sd or 0.0):.2f}"


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.2f}"


def _plain(value: float | None, decimals: int = 2) -> str:
    return "-" if value is None else f"{value:.{decimals}f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
