"""Rows of a recall list as a terminal table, wide or narrow as the terminal is."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from pipelines.terminal import text_table

_WIDE = 120
"""Columns a terminal needs for the whole of a row."""

_LONGEST_WHOLE_ID = 20
"""Longer ids go on in a second line where the terminal is narrow."""

_WIDE_COLUMNS = (
    "rank",
    "customer",
    "stage",
    "arm",
    "channel",
    "offer",
    "send at (local)",
    "returns alone",
    "gain",
    "why",
)
_NARROW_COLUMNS = ("rank", "customer", "arm", "channel", "gain", "why")


def print_list_rows(
    title: str, rows: Sequence[Mapping[str, Any]], console: Console, *, horizon_days: float
) -> None:
    """Print rows of a list, by its columns, of which there is at least one.

    Parameters
    ----------
    horizon_days : days within which a return counts.
    """
    is_wide = console.width >= _WIDE
    if is_wide:
        title += f"; returns alone: within {horizon_days:g} days"
    shown = [_list_row(row, reasons=3 if is_wide else 1) for row in rows]
    columns = _WIDE_COLUMNS if is_wide else _NARROW_COLUMNS
    longest = max(len(str(row["customer"])) for row in shown)
    console.print(
        text_table(
            title,
            columns,
            [[row[name] for name in columns] for row in shown],
            whole=("customer",) if longest <= _LONGEST_WHOLE_ID else (),
        )
    )


def _list_row(row: Mapping[str, Any], *, reasons: int) -> dict[str, object]:
    """A row of the list by column of the terminal, with so many reasons at most."""
    why = [row[f"reason_{place}"] for place in range(1, reasons + 1)]
    send_at = row["send_at_local"]
    return {
        "rank": row["rank"],
        "customer": row["customer_id"],
        "stage": row["stage"],
        "arm": row["arm"],
        "channel": row["channel"],
        "offer": row["offer"],
        "send at (local)": str(send_at)[:16].replace("T", " ") if send_at else "not sent",
        "returns alone": f"{row['p_return_natural']:.1%}",
        "gain": f"{row['expected_gain']:z.2f}",
        "why": plain_numbers("; ".join(str(reason) for reason in why if reason)),
    }


def plain_numbers(text: str) -> str:
    """Thousands set apart as in the terminal's other figures; it breaks lines at spaces."""
    return text.replace("\u202f", ",")
