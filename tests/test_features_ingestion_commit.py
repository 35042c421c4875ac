"""A crash at any point leaves the warehouse as it was, or the rerun repairs it."""

import os
from pathlib import Path
from typing import Any

import pytest
from ingest_home import (
    EVENTS,
    NOW,
    balanced,
    ingest_text,
    rules_of,
    shop,
    stored,
    with_rules,
    write,
)

from features.errors import ArtifactError
from features.source import EventSource
from features.warehouse import Warehouse
from pipelines.ingest import run_ingest
from pipelines.status import warehouse_status

HEADER = "customer_id,occurred_at,event_type,amount\n"
GOOD = "1,2026-01-01 10:00:00,order,2.5\n2,2026-01-02,visit,\n"
BAD = ",2026-01-01,visit,\n"


class CrashError(Exception):
    """Stands for the process being killed."""


def crash_at(monkeypatch: pytest.MonkeyPatch, method: str, call: int, *, after: bool) -> None:
    """Crash just before or just after the n-th call of a Warehouse method."""
    original = getattr(Warehouse, method)
    calls = 0

    def crashing(self: Warehouse, *args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call and not after:
            raise CrashError
        result = original(self, *args, **options)
        if calls == call:
            raise CrashError
        return result

    monkeypatch.setattr(Warehouse, method, crashing)


POINTS = [
    ("append", 1, False),
    ("append", 1, True),
    ("append", 2, False),
    ("append", 2, True),
    ("append", 3, False),
    ("append", 3, True),
    ("_create", 1, True),
    ("_create", 3, False),
]


@pytest.mark.parametrize(("method", "call", "after"), POINTS)
def test_a_rerun_after_a_crash_ends_in_the_same_warehouse(
    method: str, call: int, after: bool, tmp_path: Path
) -> None:
    text = HEADER + GOOD + BAD
    ingest_text(tmp_path / "calm", text)
    with pytest.MonkeyPatch.context() as patch:
        crash_at(patch, method, call, after=after)
        with pytest.raises(CrashError):
            ingest_text(tmp_path / "rough", text)
    for _ in range(2):
        ingest_text(tmp_path / "rough", text)
    for table in ("events", "rejects", "ingestions"):
        calm, rough = stored(tmp_path / "calm", table), stored(tmp_path / "rough", table)
        for row in (*calm, *rough):
            row.pop("file", None)
            row.pop("files", None)
        assert rough == calm


def test_a_crash_before_the_data_leaves_no_count_of_its_rejects(tmp_path: Path) -> None:
    ingest_text(tmp_path, HEADER + GOOD)
    with pytest.MonkeyPatch.context() as patch:
        crash_at(patch, "append", 2, after=False)
        with pytest.raises(CrashError):
            ingest_text(tmp_path, HEADER + GOOD + BAD, name="b.csv")
    assert warehouse_status(shop(tmp_path)).rejects == ()
    summary = ingest_text(tmp_path, HEADER + GOOD + BAD, name="b.csv")
    assert (summary.accepted, summary.duplicate, summary.rejected) == (0, 2, 1)
    (total,) = warehouse_status(shop(tmp_path)).rejects
    assert (total.rule, total.rows) == ("customer_id_missing", 1)


def test_another_file_repairs_the_record_of_a_crashed_ingestion(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        crash_at(patch, "append", 1, after=True)  # no rejects: the first append is the data
        with pytest.raises(CrashError):
            ingest_text(tmp_path, HEADER + GOOD)
    assert len(stored(tmp_path)) == 2
    assert stored(tmp_path, "ingestions") == []
    ingest_text(tmp_path, HEADER + "3,2026-01-03,visit,\n", name="b.csv")
    records = sorted(stored(tmp_path, "ingestions"), key=lambda row: row["table_version"])
    assert [record["accepted"] for record in records] == [2, 1]
    assert records[0]["files"] == [str(tmp_path / "in.csv")]


def test_ingesting_the_same_bytes_again_changes_nothing_and_says_so(tmp_path: Path) -> None:
    ingest_text(tmp_path, HEADER + GOOD)
    files = sorted((tmp_path / "warehouse").rglob("*"))
    summary = ingest_text(tmp_path, HEADER + GOOD, name="other-name.csv")
    assert summary.no_op
    assert summary.skipped_files == (str(tmp_path / "other-name.csv"),)
    assert "nothing was changed" in summary.notes[0]
    assert sorted((tmp_path / "warehouse").rglob("*")) == files


def test_of_a_set_only_new_files_are_read(tmp_path: Path) -> None:
    config = shop(tmp_path, events=EVENTS)
    old = write(tmp_path / "1.csv", HEADER + GOOD)
    run_ingest(config, "events", [old], now=NOW)
    new = write(tmp_path / "2.csv", HEADER + "3,2026-01-03,visit,\n")
    copy = write(tmp_path / "3.csv", HEADER + "3,2026-01-03,visit,\n")
    summary = run_ingest(config, "events", [str(tmp_path / "*.csv")], now=NOW)
    assert (summary.files, summary.skipped_files) == ((new,), (old, copy))
    assert summary.accepted == 1
    assert summary.notes == (f"{copy} holds the same bytes as {new}.",)


def test_a_changed_mapping_of_a_known_file_is_told(tmp_path: Path) -> None:
    ingest_text(tmp_path, HEADER + GOOD)
    source = EventSource(amount="-amount")
    summary = ingest_text(tmp_path, HEADER + GOOD, events=source)
    assert summary.no_op
    assert "was ingested before under another mapping" in summary.notes[1]
    rules = with_rules(activity=("order",))  # decides nothing about how a file is read
    assert len(ingest_text(tmp_path, HEADER + GOOD, rules=rules).notes) == 1


def test_the_same_bytes_may_be_two_kinds(tmp_path: Path) -> None:
    ingest_text(tmp_path, HEADER + GOOD)
    summary = ingest_text(tmp_path, HEADER + GOOD, kind="customers")
    assert summary.accepted == 2


def test_a_source_of_known_rows_only_is_recorded(tmp_path: Path) -> None:
    ingest_text(tmp_path, HEADER + GOOD)
    summary = ingest_text(tmp_path, HEADER + GOOD + "\n", name="b.csv")
    assert (summary.accepted, summary.duplicate_in_warehouse, summary.no_op) == (0, 2, False)
    assert ingest_text(tmp_path, HEADER + GOOD + "\n", name="b.csv").no_op


def test_two_ingestions_at_once_are_refused(tmp_path: Path) -> None:
    ingest_text(tmp_path, HEADER + GOOD)
    warehouse = Warehouse.open(str(tmp_path / "warehouse"), n_buckets=4)
    with warehouse.writing(), pytest.raises(ArtifactError, match="another process is writing"):
        ingest_text(tmp_path, HEADER + "3,2026-01-03,visit,\n", name="b.csv")
    assert ingest_text(tmp_path, HEADER + "3,2026-01-03,visit,\n", name="b.csv").accepted == 1


def test_where_a_warehouse_cannot_be_nothing_is_read(tmp_path: Path) -> None:
    write(tmp_path / "warehouse" / "letters.txt", "x")
    with pytest.raises(ArtifactError, match="is not a winback warehouse"):
        ingest_text(tmp_path, HEADER + GOOD)


def test_a_warehouse_at_a_url_is_written_and_found(tmp_path: Path) -> None:
    from dataclasses import replace

    from pipelines.config import Storage

    url = f"file://{tmp_path}/far away"
    config = replace(shop(tmp_path, events=EVENTS), storage=Storage(warehouse=url, buckets=4))
    path = write(tmp_path / "in.csv", HEADER + GOOD + BAD)
    first = run_ingest(config, "events", [path], max_reject_share=1.0, now=NOW)
    assert (first.accepted, rules_of(first)) == (2, {"customer_id_missing": 1})
    assert run_ingest(config, "events", [path], now=NOW).no_op
    more = write(tmp_path / "more.csv", HEADER + GOOD + "3,2026-01-03,visit,\n")
    second = run_ingest(config, "events", [more], now=NOW)
    assert (second.accepted, second.duplicate_in_warehouse) == (1, 2)
    assert balanced(second)
    assert warehouse_status(config).tables[0].rows == 3


def test_a_commit_with_a_file_name_that_is_not_utf8_is_repaired(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        # As names were stored before they were made safe: the data commit goes through, its
        # record does not, and until it is written every ingestion of the kind fails.
        patch.setattr("features.ingestion_files.display_name", str)
        patch.setattr("features.ingestion_commit.display_name", str)
        path = os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.csv")
        with pytest.raises(UnicodeEncodeError):
            write(Path(path), HEADER + GOOD)
            run_ingest(shop(tmp_path, events=EVENTS), "events", [path], now=NOW)
    assert (len(stored(tmp_path)), stored(tmp_path, "ingestions")) == (2, [])
    assert ingest_text(tmp_path, HEADER + GOOD, name="good.csv").no_op
    (record,) = stored(tmp_path, "ingestions")
    assert (record["files"], record["accepted"]) == ([f"{tmp_path}/bad\\xff.csv"], 2)
