import json
from dataclasses import replace
from pathlib import Path

import pytest
from ingest_home import EVENTS, NOW, ingest_text, shop, write

from features.errors import UsageError
from features.source import CustomerSource
from pipelines.ingest import run_ingest

HEADER = "customer_id,occurred_at,event_type,amount\n"
GOOD = "1,2026-01-01 10:00:00,order,2.5\n"


def test_the_summary_is_plain_json(tmp_path: Path) -> None:
    summary = ingest_text(tmp_path, HEADER + GOOD + ",2026-01-01,visit,\n")
    document = json.loads(json.dumps(summary.to_json()))
    assert document["schema_version"] == 1
    assert document["rejects"] == [
        {
            "rule": "customer_id_missing",
            "column": "customer_id",
            "rows": 1,
            "meaning": "null or blank",
            "examples": [f"{tmp_path / 'in.csv'}:2"],
        }
    ]
    assert document["first"] == document["last"] == "2026-01-01T09:00:00+00:00"
    assert document["versions"]["events"] == 1


def test_progress_is_told_step_by_step(tmp_path: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    ingest_text(tmp_path, HEADER + GOOD, progress=lambda *step: steps.append(step))
    assert ("reading files", 1, 1) in steps
    assert ("writing rows", 1, 1) in steps
    assert all(0 <= done <= total for _, done, total in steps)


def test_no_progress_is_told_where_there_is_none_to_make(tmp_path: Path) -> None:
    ingest_text(tmp_path, HEADER + GOOD)
    steps: list[tuple[str, int, int]] = []
    again = HEADER + GOOD + "\n"  # other bytes, the same row
    summary = ingest_text(tmp_path, again, progress=lambda *step: steps.append(step))
    assert (summary.accepted, summary.duplicate) == (0, 1)
    assert all(total > 0 for _, _, total in steps)


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_a_share_outside_its_range_is_refused(share: float, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--max-reject-share"):
        ingest_text(tmp_path, HEADER + GOOD, max_reject_share=share)


def test_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'orders' is no kind of data"):
        run_ingest(shop(tmp_path), "orders", ["x.csv"], now=NOW)  # type: ignore[arg-type]


def test_the_default_share_is_one_percent(tmp_path: Path) -> None:
    rows = "".join(f"{n},2026-01-01,visit,\n" for n in range(99))
    path = write(tmp_path / "in.csv", HEADER + rows + ",2026-01-01,visit,\n")
    assert run_ingest(shop(tmp_path, events=EVENTS), "events", [path], now=NOW).rejected == 1


def test_a_where_that_keeps_nothing_is_noted(tmp_path: Path) -> None:
    source = replace(EVENTS, where="customer_id = 'nobody'")
    summary = ingest_text(tmp_path, HEADER + GOOD, events=source)
    assert (summary.accepted, summary.filtered) == (0, 1)
    assert "`where` left out every row." in summary.notes


def test_events_before_any_customer_are_noted_once(tmp_path: Path) -> None:
    note = (
        "No customer records yet: channels that require consent reach nobody until "
        "`winback ingest customers`."
    )
    first = ingest_text(tmp_path / "a", HEADER + GOOD)
    second = ingest_text(tmp_path / "a", HEADER + GOOD.replace("1,", "2,", 1), name="b.csv")
    assert (first.notes, second.notes) == ((note,), ())
    ingest_text(tmp_path / "b", "customer_id\n1\n", kind="customers")
    assert ingest_text(tmp_path / "b", HEADER + GOOD, name="b.csv").notes == ()


def test_undated_attributes_of_a_first_fill_are_noted(tmp_path: Path) -> None:
    path = write(tmp_path / "customers.csv", "customer_id,tier\na,gold\n")
    config = shop(tmp_path, customers=CustomerSource(attributes={"tier": "tier"}))
    (note,) = run_ingest(config, "customers", [path], now=NOW).notes
    assert "changed_at is not mapped" in note
    later = write(tmp_path / "later.csv", "customer_id,tier\na,silver\n")
    assert run_ingest(config, "customers", [later], now=NOW).notes == ()
