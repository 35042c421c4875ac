"""The frontier of gain against spend for the terminal."""

from typing import TYPE_CHECKING

from rich.console import Console

from pipelines.terminal import text_table

if TYPE_CHECKING:
    from pipelines.plan_night import PlanReport, Scenario

_BAR = 24


def render_plan(report: "PlanReport", console: Console) -> None:
    """One line per budget and number of seats, its gain drawn as a bar."""
    console.print(
        f"Plan for {report.day}: {report.eligible:,} eligible customers, "
        f"money in {report.currency}."
    )
    most = max((one.gain for one in report.scenarios), default=0.0)
    console.print(
        text_table(
            "Expected gain against spend; prices are what one more unit would add",
            (
                "budget",
                f"{report.channel} seats",
                "contacts",
                "spend",
                "at most",
                "gain",
                "",
                "price of money",
                "price of a seat",
            ),
            [_line(one, most) for one in report.scenarios],
        )
    )
    if "uplift" not in report.evidence:
        console.print(
            "Note: not proven yet: effects are the configuration's assumptions, so gains are, too.",
            style="yellow",
        )
    worst = max((one.gap for one in report.scenarios), default=0.0)
    console.print(f"Every plan is within {100 * worst:.4f} % of the best one there is.")
    if report.plot is not None:
        console.print(f"Drawn to {report.plot}", soft_wrap=True)


def _line(one: "Scenario", most: float) -> list[str]:
    filled = round(_BAR * one.gain / most) if most > 0 else 0
    return [
        "no limit" if one.budget is None else f"{one.budget:,.0f}",
        "no limit" if one.seats is None else f"{one.seats:,}",
        f"{one.contacts:,}",
        f"{one.spent:,.2f}",
        f"{one.spent_high:,.2f}",
        f"{one.gain:,.2f}",
        "█" * filled,
        f"{one.budget_price:.3f}",
        f"{one.seat_price:.3f}",
    ]
