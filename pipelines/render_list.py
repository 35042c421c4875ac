"""Rows of a list, differences of two and exports as terminal text."""

from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console

from pipelines.render_rows import print_list_rows
from pipelines.terminal import text_table

if TYPE_CHECKING:
    from pipelines.list_diff import ChangeReason, ListDiff
    from pipelines.list_export import ExportReport
    from pipelines.list_show import ListView

_OTHER = {"models": "Other models", "configuration": "Another configuration"}


def render_show(view: "ListView", console: Console) -> None:
    """Rows that passed the filters, and how long the list is good for."""
    whole = "1 row" if view.listed == 1 else f"{view.listed:,} rows"
    passed = f"{view.matching:,} of {whole}" if view.filters else whole
    console.print(f"Recall list of {view.day}: {passed}.")
    if view.rows:
        first = "The first" if len(view.rows) == 1 else f"The first {len(view.rows):,}"
        print_list_rows(
            f"{first} by rank, gain in {view.currency} (ghost and holdout are "
            "controls: never sent)",
            view.rows,
            console,
            horizon_days=view.horizon_days,
        )
    elif "customer" in view.filters:
        console.print("Why a customer is not on it: `winback explain CUSTOMER`.")
    if view.expires_at is not None:
        told = "Void since" if view.is_expired else "Good until"
        console.print(
            f"{told} {_moment(view.expires_at)}.", style="yellow" if view.is_expired else ""
        )


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def render_diff(diff: "ListDiff", console: Console) -> None:
    """Counts of what changed by reason, then examples of each."""
    came, left, changed = (
        sum(reason.customers for reason in part) for part in (diff.came, diff.left, diff.changed)
    )
    console.print(
        f"Recall list of {diff.day} against that of {diff.since}: {diff.listed:,} rows, before "
        f"{diff.listed_before:,}. {came:,} came on, {left:,} left, {changed:,} changed, "
        f"{diff.same:,} {'is' if diff.same == 1 else 'are'} the same."
    )
    for what, (before, after) in diff.made_with.items():
        console.print(f"{_OTHER[what]}: {before} -> {after}")
    parts = (("Came on", diff.came), ("Left", diff.left), ("Changed", diff.changed))
    for title, reasons in parts:
        if reasons:
            console.print(
                text_table(
                    f"{title}, by reason",
                    ["customers", "reason", "meaning"],
                    [[f"{item.customers:,}", item.code, item.meaning] for item in reasons],
                )
            )
    for title, reasons in parts:
        examples = [row for reason in reasons for row in _example_rows(reason)]
        if examples:
            columns = ["customer", "rank", "arm", "channel", "offer", "gain", "reason", "was"]
            # Who came on or left had nothing else before: no column for nothing.
            width = len(columns) - (not any(row[-1] for row in examples))
            shown = [row[:width] for row in examples]
            console.print(text_table(f"{title}: examples", columns[:width], shown))


def _example_rows(reason: "ChangeReason") -> list[list[object]]:
    return [
        [
            row["customer_id"],
            row["rank"],
            row["arm"],
            row["channel"],
            row["offer"],
            f"{row['expected_gain']:z.2f}",
            reason.code,
            ", ".join(f"{name} {was}" for name, (was, _) in row.get("changes", {}).items()),
        ]
        for row in reason.examples
    ]


def render_export(report: "ExportReport", console: Console) -> None:
    """What was written, and what was left out."""
    console.print(
        text_table(
            f"Recall list of {report.day}: rows to be sent",
            ["channel", "rows"],
            [[channel, f"{rows:,}"] for channel, rows in report.rows.items()],
            numeric=1,
        )
    )
    window = "past its send window" if report.late == 1 else "past their send window"
    for rows, what in ((report.expired, "void by now"), (report.late, window)):
        if rows:
            told = "written all the same" if report.forced else "left out"
            console.print(f"{_rows_are(rows)} {what}: {told}.", style="yellow")
    console.print(f"{_rows_are(report.controls)} controls: never exported.")
    for channel, rows in report.not_exported.items():
        console.print(f"{_rows_are(rows)} for the channel {channel}: not exported.")
    verb = "Written to" if report.status == "written" else "Would be written to"
    for path in report.files:
        console.print(f"{verb} {path}", soft_wrap=True)


def _rows_are(rows: int) -> str:
    return "1 row is" if rows == 1 else f"{rows:,} rows are"
