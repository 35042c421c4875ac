"""Reports on terminals of different widths."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from test_pipelines_report import SUMMARY

from features.ingestion_summary import IngestSummary
from pipelines.nightly import NightlyReport
from pipelines.promotion import PromotionReport, Registration
from pipelines.render import render_ingestion, render_promotion
from pipelines.render_night import render_nightly
from pipelines.terminal import text_table

LONG_ID = "customer-0123456789"


def printed(render: Any, report: Any, *, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False, markup=False)
    render(report, console)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def ingested(*files: str) -> IngestSummary:
    counts = dict.fromkeys(
        ("duplicate", "duplicate_in_warehouse", "filtered", "ignored", "remapped"), 0
    ) | dict.fromkeys(("repeats_kept", "rejected", "clock_gap", "clock_overlap"), 0)
    return IngestSummary(
        kind="events",
        ingestion="i1",
        files=files,
        skipped_files=(),
        rows_in=7,
        accepted=7,
        rejects=(),
        first=None,
        last=None,
        arrival_rule="",
        versions={},
        dry_run=True,
        no_op=False,
        notes=(),
        **counts,
    )


def tonight(customer_id: str = LONG_ID) -> NightlyReport:
    row = {
        "rank": 1,
        "customer_id": customer_id,
        "stage": "repeat_buyer",
        "arm": "contact",
        "channel": "email",
        "offer": "voucher_10",
        "send_at_local": "2025-11-20T18:05:00+01:00",
        "p_return_natural": 0.123,
        "expected_gain": 4.5,
        "reason_1": "orders far less often than in the half-year before, spent 1\u202f187 EUR",
        "reason_2": "last order 93 days ago",
        "reason_3": None,
    }
    return NightlyReport(
        summary=SUMMARY, status="dry run", folder=Path("lists/x"), files=(), top_rows=(row,)
    )


def test_one_file_is_counted_in_the_singular() -> None:
    assert "events: 1 file (dry run, nothing written)" in printed(
        render_ingestion, ingested("a.csv"), width=80
    )
    assert "events: 2 files (" in printed(render_ingestion, ingested("a.csv", "b.csv"), width=80)


def test_a_title_is_not_broken_at_the_width_of_its_table() -> None:
    title = "a title much longer than the table below it is wide"
    console = Console(file=io.StringIO(), width=80)
    console.print(text_table(title, ["a"], [["1"]]))
    assert console.file.getvalue().splitlines()[0].rstrip() == title  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [80, 100, 119])
def test_a_narrow_terminal_drops_columns_and_cuts_no_id(width: int) -> None:
    text = printed(render_nightly, tonight(), width=width)
    header = next(line for line in text.splitlines() if "rank" in line)
    assert all(name in header for name in ("customer", "arm", "channel", "gain", "why"))
    assert not any(word in header for word in ("offer", "returns alone"))
    assert not any(word in text for word in ("returns alone", "voucher_10", "…"))
    assert LONG_ID in text
    assert max(map(len, text.splitlines())) <= width


def test_a_very_long_id_goes_on_in_the_next_line() -> None:
    text = printed(render_nightly, tonight("0123456789" * 4), width=80)
    assert "…" not in text
    column = [line.split("│")[2].strip() for line in text.splitlines() if line.count("│") == 7]
    assert "0123456789" * 4 in "".join(column)


def test_a_wide_terminal_shows_all_columns() -> None:
    text = printed(render_nightly, tonight(), width=160)
    assert "1,187 EUR" in " ".join(text.replace("│", " ").split())
    for word in (LONG_ID, "repeat_buyer", "voucher_10", "returns alone", "12.3%", "2025-11-20"):
        assert word in text
    assert "returns alone: within 30 days" in text


def test_a_promotion_names_versions_and_reasons() -> None:
    one = Registration(
        kind="dormancy_risk",
        model="winback-dormancy-risk",
        version="2",
        alias="champion",
        run_id="r1",
        note="Version 1 was champion before.",
    )
    report = PromotionReport((one,))
    text = printed(render_promotion, report, width=100)
    assert "winback-dormancy-risk version 2 is champion." in text
    assert "Version 1 was champion before." in text
    assert report.to_json()["registrations"][0]["version"] == "2"


def test_a_night_tells_what_the_reasons_mean() -> None:
    report = replace(tonight(), summary=replace(SUMMARY, exclusions={"gain_below_minimum": 7}))
    lines = printed(render_nightly, report, width=160).splitlines()
    [told] = [line for line in lines if "gain_below_minimum" in line]
    assert [cell.strip() for cell in told.strip("│").split("│")] == [
        "7",
        "gain_below_minimum",
        "no allowed contact gains more than the minimum",
    ]


def test_a_night_tells_its_limits_in_words_in_english() -> None:
    report = replace(
        tonight(),
        summary=replace(SUMMARY, language="zh"),
        channel_labels={"sms": "text message", "email": "e-mail"},
    )
    text = " ".join(printed(render_nightly, report, width=160).split())
    assert "17.50 EUR (90%: -3.00 to 41.25); 0.8 extra returns" in text
    assert "Expected spend: 2.52 EUR (contacts 0.02, offers 2.50)." in text
    assert "0.8 extra returns (0.1 to 1.6)" in text
    assert "Follow-ups due among them: 1." in text
    assert "One more text message seat tonight is worth 1.13 EUR." in text
    assert "could expect more than 18 EUR: 99.98 %" in text
