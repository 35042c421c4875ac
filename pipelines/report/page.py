"""report.html: one self-contained page for the people who use the list."""

from collections import Counter
from datetime import datetime
from functools import partial
from importlib.resources import files as package_files
from zoneinfo import ZoneInfo

import pyarrow as pa
from jinja2 import Environment, StrictUndefined

from pipelines.report.charts import stack_bars
from pipelines.report.summary import NightSummary
from scoring.arms import ARMS
from scoring.exclusion_words import explain_code
from scoring.language import money_text, number_text
from scoring.list_files import ListFile

REPORT_NAME = "report.html"
_TEMPLATE = "report.html.j2"
_TOP_ROWS = 25
_TOP_COLUMNS = (
    "rank",
    "customer_id",
    "stage",
    "value_tier",
    "arm",
    "channel",
    "offer",
    "send_at_local",
    "p_return_natural",
    "next_order_expected",
    "next_order_high",
    "uplift",
    "expected_gain",
    "reason_1",
    "reason_2",
    "reason_3",
)


def build_page(
    summary: NightSummary,
    table: pa.Table,
    *,
    channel_labels: dict[str, str],
    offer_labels: dict[str, str],
    stage_labels: dict[str, str],
) -> ListFile:
    """Render the page; equal inputs give equal bytes.

    Parameters
    ----------
    table : the recall list.
    channel_labels, offer_labels, stage_labels : how operators call them, by name.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["local"] = partial(_local_text, zone=summary.timezone)
    language = summary.language
    environment.filters["words"] = partial(explain_code, language=language)
    environment.filters["count"] = partial(number_text, language=language)
    environment.filters["amount"] = partial(number_text, language=language, decimals=2)
    environment.filters["money"] = partial(money_text, currency=summary.currency, language=language)
    template = environment.from_string(
        package_files("pipelines.report").joinpath(_TEMPLATE).read_text(encoding="utf-8")
    )
    page = template.render(
        night=summary,
        arms=ARMS,
        channel_labels=channel_labels,
        offer_labels=offer_labels,
        stage_labels=stage_labels,
        channel_chart=stack_bars(
            [(channel_labels[name], arms) for name, arms in summary.by_channel.items()]
        ),
        hour_chart=stack_bars(_hours(table)),
        rows=table.slice(0, _TOP_ROWS).select(list(_TOP_COLUMNS)).to_pylist(),
    )
    return ListFile(REPORT_NAME, page.encode("utf-8"))


def _local_text(moment: datetime, *, zone: str) -> str:
    """2026-11-21 00:00 Europe/Berlin."""
    return f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone}"


def _hours(table: pa.Table) -> list[tuple[str, dict[str, int]]]:
    """Contacts per local hour, by channel."""
    sent = [
        (text[11:13], channel)
        for text, channel in zip(
            table["send_at_local"].to_pylist(), table["channel"].to_pylist(), strict=True
        )
        if text is not None
    ]
    counts = Counter(hour for hour, _ in sent)
    return [(f"{hour}:00", {"contact": counts[hour]}) for hour in sorted(counts)]
