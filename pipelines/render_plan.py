"""The frontier of gain against spend for the terminal."""

from typing import TYPE_CHECKING

from rich.console import Console

from pipelines.terminal import text_table

if TYPE_CHECKING:
    from pipelines.plan_night import PlanReport, Scenario

_BAR = 16
_WIDE = 140
"""Columns a terminal needs for the bars beside the figures."""


def render_plan(report: "PlanReport", console: Console, *, spend_level: float) -> None:
    """One line per budget and number of seats, its gain drawn as a bar where there is room.

    Parameters
    ----------
    spend_level : probability with which spending stays below what is told as "at most".
    """
    console.print(
        f"Plan for {report.day}: {report.eligible:,} eligible customers, "
        f"money in {report.currency}."
    )
    most = max((one.gain for one in report.scenarios), default=0.0)
    bars = console.width >= _WIDE
    console.print(
        text_table(
            f"Expected gain against expected spend in {report.currency}; prices are the gain that "
            "one more unit would add",
            (
                "budget",
                f"{report.channel} seats",
                "contacts",
                "expected spend",
                f"at most ({100 * spend_level:.4g} % sure)",
                "expected gain",
                *([""] if bars else []),
                f"price of money, {report.currency} per {report.currency}",
                f"price of a seat, {report.currency} per seat",
            ),
            [_line(one, most, bars=bars) for one in report.scenarios],
        )
    )
    console.print(
        "Trials and controls are left out of these figures: a night of `winback nightly` brings "
        "less by what they take and by what trials cost, which its report tells. What a budget "
        "keeps for exploring is not planned with; a night gives the next best what is left of it."
    )
    if "uplift" not in report.evidence:
        console.print(f"Note: not proven yet: {_unproven(report)}", style="yellow")
    worst = max((one.gap for one in report.scenarios), default=0.0)
    console.print(
        f"Every plan is within {100 * worst:.4f} % of the best one with its reserve for chance."
    )
    if report.plot is not None:
        console.print(f"Drawn to {report.plot}", soft_wrap=True)


def _unproven(report: "PlanReport") -> str:
    if "response" not in report.evidence:
        return "effects are the configuration's assumptions, so gains are, too."
    moved = "effects are" if report.evidence == ("response",) else "some effects are"
    return (
        f"{moved} estimated from past contacts that nobody randomised, which move the "
        "configuration's assumptions; nothing is measured against controls, so gains are assumed."
    )


def _line(one: "Scenario", most: float, *, bars: bool) -> list[str]:
    filled = round(_BAR * one.gain / most) if most > 0 else 0
    return [
        "no limit" if one.budget is None else f"{one.budget:,.0f}",
        "no limit" if one.seats is None else f"{one.seats:,}",
        f"{one.contacts:,}",
        f"{one.spent:,.2f}",
        f"{one.spent_high:,.2f}",
        f"{one.gain:,.2f}",
        *(["█" * filled] if bars else []),
        f"{one.budget_price:.3f}",
        f"{one.seat_price:.3f}",
    ]
