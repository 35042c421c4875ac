"""Nightly reports, explanations and the demo as terminal text."""

import math
import shlex
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.console import Console

from pipelines.render import render_ingestion, render_training
from pipelines.render_rows import plain_numbers, print_list_rows
from pipelines.report.limit_words import binding_prices, bound_text, price_text
from pipelines.report.page_parts import trial_text
from pipelines.terminal import text_table
from scoring.caution_words import caution_text
from scoring.exclusion_words import explain_code

if TYPE_CHECKING:
    from pipelines.demo import DemoReport
    from pipelines.explanation import Explanation
    from pipelines.nightly import NightlyReport

_SHOWN_PRICES = 3

_STATUS_WORDS = {
    "written": "Written to",
    "replaced": "Replaced",
    "unchanged": "Unchanged in",
    "dry run": "Would be written to",
}
_ARM_ORDER = ("contact", "explore", "ghost", "holdout")


def render_nightly(report: "NightlyReport", console: Console) -> None:
    """Tonight's list in short: counts, first rows, why others are not on it, where it lies."""
    night = report.summary
    console.print(
        f"Recall list of {night.day} ({night.timezone}): {night.scored:,} customers scored, "
        f"{night.dormant:,} dormant, {night.eligible:,} eligible, {night.listed:,} listed."
    )
    if report.top_rows:
        print_list_rows("First rows", report.top_rows, console, horizon_days=night.horizon_days)
    console.print(
        text_table(
            "Listed by channel and arm (ghost and holdout are controls: never sent)",
            ["channel", *_ARM_ORDER],
            [
                [channel, *(f"{arms[arm]:,}" for arm in _ARM_ORDER)]
                for channel, arms in night.by_channel.items()
            ],
            numeric=1,
        )
    )
    if night.exclusions:
        console.print(
            text_table(
                "Not listed, by reason",
                ["customers", "reason", "meaning"],
                [
                    [
                        f"{customers:,}",
                        code,
                        explain_code(code, language="en", caution=night.caution),
                    ]
                    for code, customers in sorted(
                        night.exclusions.items(), key=lambda item: (-item[1], item[0])
                    )
                ],
            )
        )
    _print_outlook(report, console)
    for note in night.notes:
        console.print(f"Note: {plain_numbers(note)}", style="yellow")
    console.print(f"{_STATUS_WORDS[report.status]} {report.folder}", soft_wrap=True)
    console.print(f"  {', '.join(report.files)}")


def _print_outlook(report: "NightlyReport", console: Console) -> None:
    """What the contacts should bring, what limits them, and how good the list is."""
    night = report.summary
    gain, returns = night.outlook.gain, night.outlook.extra_returns
    console.print(
        f"Expected gain of the rows to be sent: {gain.expected:z,.2f} {night.currency} "
        f"({night.outlook.level:.0%}: {gain.low:z,.2f} to {gain.high:z,.2f}); "
        f"{returns.expected:z,.1f} extra returns ({returns.low:z,.1f} to {returns.high:z,.1f}). "
        f"Expected spend: {night.spend:,.2f} {night.currency} (contacts "
        f"{night.contact_cost:,.2f}, offers {night.outlook.given_away:,.2f})."
    )
    if night.follow_ups:
        console.print(f"Follow-ups due among them: {night.follow_ups:,}.")
    # Commands speak English, whatever the language of the lists.
    english = replace(night, language="en")
    labels = report.channel_labels
    told = [price_text(one, english, labels) for one in binding_prices(night)[:_SHOWN_PRICES]]
    trials = trial_text(english) if night.by_arm["explore"] else None
    for text in (*told, bound_text(english), trials):
        if text is not None:
            console.print(plain_numbers(text))


def render_explanation(explanation: "Explanation", console: Console) -> None:
    """Why somebody is, or is not, on the list."""
    console.print(explanation.verdict, style="bold")
    if explanation.row is not None:
        console.print(explanation.row.sentence(explanation.day, explanation.currency))
    if explanation.is_scored and explanation.stage_label is not None:
        console.print(_standing(explanation))
    for sentence in explanation.follow_up.sentences(explanation.day):
        console.print(sentence)
    if explanation.waiting is not None:
        console.print(
            explanation.waiting.sentence(explanation.currency, caution=explanation.caution)
        )
    for reason in explanation.reasons:
        console.print(f"  - {plain_numbers(reason)}")
    if explanation.channels:
        _print_channels(explanation, console)
    if explanation.features:
        console.print(
            text_table(
                f"What moved the {(explanation.model or 'model').replace('_', ' ')} model most",
                ["feature", "value", "log-odds"],
                [
                    [
                        view.name,
                        "undefined" if view.value is None else f"{view.value:g}",
                        f"{view.log_odds:+.3f}",
                    ]
                    for view in explanation.features
                ],
                numeric=1,
            )
        )
    for note in explanation.notes:
        console.print(f"Note: {note}", style="yellow")


def _print_channels(explanation: "Explanation", console: Console) -> None:
    columns = ["channel", "state", "best offer", "gain"]
    if explanation.caution > 0:
        columns.append("cautious gain")
    rows = [
        [
            view.label,
            "open" if view.is_open else view.meaning or view.code,
            view.offer,
            *(None if gain is None else f"{gain:z.2f}" for gain in (view.gain, view.cautious_gain)),
        ]
        for view in explanation.channels
    ]
    title = "Channels, in the order of follow-ups (a first contact takes what gains most)"
    shown = [row[: len(columns)] for row in rows]
    console.print(text_table(title, columns, shown, numeric=3))
    if explanation.caution > 0:
        caution = caution_text(explanation.caution, language="en")
        console.print(f"The cautious gain, {caution}, is what competes for tonight's places.")


def _standing(explanation: "Explanation") -> str:
    text = f"Stage: {explanation.stage_label}."
    if explanation.silence_days is not None:
        # Whole days gone by, as in the reasons.
        text += f" Silent for {math.floor(explanation.silence_days)} days"
        if explanation.dormant_after_days is not None:
            text += f" (dormant from {explanation.dormant_after_days:g})"
        text += "."
    if explanation.p_dormant is not None:
        text += f" Risk of falling dormant {explanation.p_dormant:.1%}."
    if explanation.p_return_natural is not None:
        days = explanation.horizon_days
        within = "" if days is None else f" within {days:g} days"
        text += f" Returns without contact{within}: {explanation.p_return_natural:.1%}."
    if explanation.next_order_expected is not None:
        text += f" {_next_order(explanation)}"
    if explanation.order_value is not None:
        text += (
            f" Expected order value {explanation.order_value:,.2f} {explanation.currency}, "
            "before margin."
        )
    return text + _segments(explanation)


def _segments(explanation: "Explanation") -> str:
    """The segments as one sentence; nothing where the night did not log them."""
    if explanation.promotion is None:
        return ""
    told = [
        *([explanation.life_cycle.replace("_", " ")] if explanation.life_cycle else []),
        *([explanation.value_tier] if explanation.value_tier else []),
        f"towards offers {explanation.promotion} ({explanation.promotion_basis})",
    ]
    closed = " No offer is made to them." if explanation.no_offer_made else ""
    return f" Segments: {'; '.join(told)}.{closed}"


def _next_order(explanation: "Explanation") -> str:
    """When the next order is expected; with an open interval, that it may be much later."""
    low, high = explanation.next_order_low, explanation.next_order_high
    if low is None:
        return f"Next order without contact not before {explanation.next_order_expected}."
    if high is None:
        return (
            f"Next order without contact around {explanation.next_order_expected} or later "
            f"(80 %: {low} or later, open end)."
        )
    return (
        f"Next order without contact around {explanation.next_order_expected} "
        f"(80 %: {low} to {high})."
    )


def render_demo(report: "DemoReport", console: Console) -> None:
    """The whole path, step by step, and where its results lie."""
    for ingest in report.ingests:
        render_ingestion(ingest, console)
    render_training(report.training, console)
    console.print()
    render_nightly(report.night, console)
    console.print()
    for note in report.notes:
        console.print(f"Note: {note}", style="yellow")
    total = sum(seconds for _, seconds in report.seconds)
    steps = ", ".join(f"{step} {seconds:.0f} s" for step, seconds in report.seconds)
    console.print(f"Took {total:.0f} s: {steps}.")
    console.print(f"Recall list: {report.list_file}", soft_wrap=True, style="bold")
    console.print(f"Report:      {report.report_file}", soft_wrap=True, style="bold")
    if report.night.top_rows:
        customer = shlex.quote(str(report.night.top_rows[0]["customer_id"]))
        command = shlex.quote(sys.argv[0]) if sys.argv[0].endswith("winback") else "winback"
        folder = shlex.quote(str(report.folder))
        console.print(f"Next: {command} explain {customer} --config {folder}", soft_wrap=True)
