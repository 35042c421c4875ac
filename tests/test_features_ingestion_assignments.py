"""Assignments: whose rows are rejected, which are there already, and what they can prove."""

import json
import re
import tempfile
import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ingest_home import NOW, RULES, balanced, ingest_text, rules_of, shop, stored, write

from features.contract import TABLES
from features.errors import DataError
from features.ingestion_request import ASSIGNMENT_CONTRADICTION
from features.ingestion_rules import ContractTerms, contract_rules
from features.ingestion_summary import IngestSummary
from features.source import AssignmentSource
from features.warehouse import Warehouse
from pipelines.ingest import run_ingest
from scoring.policy import Offer

SOURCE = AssignmentSource(
    offer="offer",
    experiment="experiment",
    propensity="propensity",
    propensities="propensities",
)
HEADER = "assignment_id;customer_id;assigned_at;experiment;channel;offer;propensity;propensities\n"
SMS = 'a;1;2026-03-01 10:00:00;spring;sms;;0.5;{"none": 0.5, "sms/none": 0.5}\n'
NONE = "b;2;2026-03-01 10:00:00;spring;;;0.5;\n"


def ingest(home: Path, rows: str, *, name: str = "in.csv", **options: object) -> IngestSummary:
    text = HEADER + rows
    return ingest_text(home, text, kind="assignments", assignments=SOURCE, name=name, **options)


def test_an_assignment_is_stored_as_it_is_meant(tmp_path: Path) -> None:
    summary = ingest(tmp_path, SMS + NONE)
    assert (summary.accepted, summary.rejected, balanced(summary)) == (2, 0, True)
    sms, none = stored(tmp_path, "assignments")
    assert (sms["channel"], sms["offer"], sms["propensity"]) == ("sms", "none", 0.5)
    assert sms["propensities"] == [("none", 0.5), ("sms/none", 0.5)]
    assert sms["assigned_at"] == sms["arrived_at"] == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert (none["channel"], none["offer"], none["propensities"]) == (None, None, None)


def test_what_a_row_leaves_out_is_filled_in(tmp_path: Path) -> None:
    row = 'a;1;2026-03-01;;email;;;{"sms/none": 0.25, "email/none": 0.75}\n'
    ingest(tmp_path, row + "b;2;2026-03-01;;;none;;\n")
    email, none = stored(tmp_path, "assignments")
    assert (email["experiment"], email["offer"], email["propensity"]) == ("imported", "none", 0.75)
    assert email["propensities"] == [("email/none", 0.75), ("sms/none", 0.25)]
    assert (none["experiment"], none["offer"], none["propensity"]) == ("imported", None, None)


FAULTS = [
    (";1;2026-03-01;x;sms;;0.5;", "assignment_id_missing"),
    ("a;;2026-03-01;x;sms;;0.5;", "customer_id_missing"),
    ("a;1;;x;sms;;0.5;", "assigned_at_missing"),
    ("a;1;soon;x;sms;;0.5;", "assigned_at_unparsable"),
    ("a;1;2027-03-01;x;sms;;0.5;", "assigned_at_in_future"),
    ("a;1;2026-03-01;x;pigeon;;0.5;", "channel_unknown"),
    ("a;1;2026-03-01;x;none;;0.5;", "channel_unknown"),
    ("a;1;2026-03-01;x;;voucher;0.5;", "offer_without_channel"),
    ("a;1;2026-03-01;x;sms;voucher;0.5;", "offer_unknown"),
    ("a;1;2026-03-01;x;sms;;half;", "propensity_not_a_number"),
    ("a;1;2026-03-01;x;sms;;nan;", "propensity_not_finite"),
    ("a;1;2026-03-01;x;sms;;inf;", "propensity_not_finite"),
    ("a;1;2026-03-01;x;sms;;0;", "propensity_not_positive"),
    ("a;1;2026-03-01;x;sms;;-0.1;", "propensity_not_positive"),
    ("a;1;2026-03-01;x;sms;;1.01;", "propensity_above_one"),
    ("a;1;2026-03-01;x;sms;;;[0.5, 0.5]", "propensities_unreadable"),
    ('a;1;2026-03-01;x;sms;;;{"sms/none": "much"}', "propensities_not_finite"),
    ('a;1;2026-03-01;x;sms;;;{"sms/none": null}', "propensities_not_finite"),
    ('a;1;2026-03-01;x;sms;;;{"sms": 1}', "propensities_action_unknown"),
    ('a;1;2026-03-01;x;sms;;;{"none": 1.5, "sms/none": -0.5}', "propensities_negative"),
    ('a;1;2026-03-01;x;sms;;;{"none": 0.5, "sms/none": 0.4}', "propensities_sum_not_one"),
    ("a;1;2026-03-01;x;sms;;;{}", "propensities_sum_not_one"),
    ('a;1;2026-03-01;x;sms;;;{"none": 1, "sms/none": 0}', "propensities_without_action"),
    ('a;1;2026-03-01;x;sms;;;{"none": 1}', "propensities_without_action"),
    ('a;1;2026-03-01;x;;;;{"sms/none": 1}', "propensities_without_action"),
    ('a;1;2026-03-01;x;sms;;0.4;{"none": 0.5, "sms/none": 0.5}', "propensity_disagrees"),
]


def test_a_row_that_breaks_a_rule_is_rejected_for_it(tmp_path: Path) -> None:
    summary = ingest(tmp_path, "".join(f"{row}\n" for row, _ in FAULTS) + NONE)
    found = sorted((row["row"], row["rule"]) for row in stored(tmp_path, "rejects"))
    assert found == [(number, rule) for number, (_, rule) in enumerate(FAULTS, 1)]
    assert (summary.accepted, balanced(summary)) == (1, True)


def test_shares_may_differ_from_one_by_rounding(tmp_path: Path) -> None:
    row = 'a;1;2026-03-01;x;sms;;0.3333333;{"none": 0.6666667, "sms/none": 0.3333334}\n'
    assert ingest(tmp_path, row).accepted == 1


def test_the_same_assignment_twice_is_a_duplicate(tmp_path: Path) -> None:
    other_order = SMS.replace('"none": 0.5, "sms/none": 0.5', '"sms/none": 0.5, "none": 0.5')
    summary = ingest(tmp_path, SMS + other_order + NONE)
    assert (summary.accepted, summary.duplicate, summary.rejected) == (2, 1, 0)
    again = ingest(tmp_path, NONE + SMS, name="again.csv")
    assert (again.accepted, again.duplicate, again.duplicate_in_warehouse) == (0, 2, 2)
    assert (balanced(summary), balanced(again)) == (True, True)


@pytest.mark.parametrize(
    "other",
    [
        "a;1;2026-03-01 10:00:00;spring;email;;0.5;\n",
        "a;1;2026-03-01 10:00:00;spring;;;0.5;\n",
        "a;2;2026-03-01 10:00:00;spring;sms;;0.5;\n",
        "a;1;2026-03-02 10:00:00;spring;sms;;0.5;\n",
    ],
)
def test_rows_that_contradict_each_other_are_rejected(other: str, tmp_path: Path) -> None:
    both = ingest(tmp_path / "at once", SMS + SMS + other + NONE)
    assert rules_of(both) == {"assignment_contradiction": 3}
    assert (both.accepted, balanced(both)) == (1, True)
    ingest(tmp_path / "later", SMS)
    later = ingest(tmp_path / "later", SMS + other + NONE, name="later.csv")
    assert rules_of(later) == {"assignment_contradiction": 1}
    assert (later.accepted, later.duplicate, balanced(later)) == (1, 1, True)
    assert [row["channel"] for row in stored(tmp_path / "later", "assignments")] == ["sms", None]


def test_an_experiment_without_control_is_named(tmp_path: Path) -> None:
    summary = ingest(tmp_path, SMS)
    (note,) = summary.notes
    assert 'Experiment "spring" has no control among 1 assignment' in note
    document = json.loads(json.dumps(summary.to_json()))
    assert document["experiments"] == [
        {"experiment": "spring", "rows": 1, "controls": 0, "without_propensity": 0}
    ]
    assert ingest(tmp_path, NONE, name="controls.csv").notes == ()


def test_missing_propensities_are_counted_over_the_whole_experiment(tmp_path: Path) -> None:
    ingest(tmp_path, "a;1;2026-03-01;spring;sms;;;\n" + NONE)
    summary = ingest(tmp_path, "c;3;2026-03-01;spring;;;;\n", name="more.csv")
    (note,) = summary.notes
    assert 'Experiment "spring": 2 of 3 assignments without a propensity' in note


def test_other_events_do_not_speak_of_experiments(tmp_path: Path) -> None:
    summary = ingest_text(
        tmp_path, "customer_id,occurred_at,event_type,amount\n1,2026-01-01,visit,\n"
    )
    assert summary.experiments == ()


def test_later_assignments_arrive_when_they_are_ingested(tmp_path: Path) -> None:
    ingest(tmp_path, SMS)
    ingest(tmp_path, NONE, name="b.csv")
    ingest(tmp_path, NONE.replace("b;", "c;"), name="c.csv", backfill=True)
    arrivals = {row["assignment_id"]: row["arrived_at"] for row in stored(tmp_path, "assignments")}
    assigned = datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert arrivals == {"a": assigned, "b": NOW, "c": assigned}


def test_the_same_file_is_ingested_once_and_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    dry = ingest(tmp_path, SMS, dry_run=True)
    assert (dry.accepted, (tmp_path / "warehouse").exists()) == (1, False)
    ingest(tmp_path, SMS)
    assert ingest(tmp_path, SMS).no_op


def test_too_many_rejects_store_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="propensity_not_positive"):
        ingest(tmp_path, "a;1;2026-03-01;x;sms;;0;\n" + NONE, max_reject_share=0.1)
    assert not (tmp_path / "warehouse").exists()


@pytest.mark.parametrize(
    "shares",
    [
        pa.array([[("sms/none", 0.25), ("none", 0.75)]], pa.map_(pa.string(), pa.float64())),
        pa.array([{"sms/none": 0.25, "none": 0.75}]),
        pa.array(['{"sms/none": 0.25, "none": 0.75}']),
    ],
)
def test_shares_may_be_a_map_a_record_or_json(shares: pa.Array, tmp_path: Path) -> None:
    columns = {
        "assignment_id": ["a"],
        "customer_id": ["1"],
        "assigned_at": [NOW - timedelta(days=30)],
        "channel": ["sms"],
        "propensities": shares,
    }
    pq.write_table(pa.table(columns), tmp_path / "in.parquet")
    config = shop(tmp_path, assignments=AssignmentSource(propensities="propensities"))
    assert run_ingest(config, "assignments", [str(tmp_path / "in.parquet")], now=NOW).accepted == 1
    (row,) = stored(tmp_path, "assignments")
    assert (row["propensity"], row["propensities"]) == (0.25, [("none", 0.75), ("sms/none", 0.25)])


def test_shares_may_be_an_object_of_a_json_line(tmp_path: Path) -> None:
    line = {"assignment_id": "a", "customer_id": "1", "assigned_at": "2026-03-01T10:00:00Z"}
    shares = {"sms/none": 0.25, "none": 0.75}
    text = json.dumps({**line, "channel": None, "propensities": shares}) + "\n"
    source = AssignmentSource(propensities="propensities")
    ingest_text(tmp_path, text, kind="assignments", assignments=source, name="in.jsonl")
    (row,) = stored(tmp_path, "assignments")
    assert (row["channel"], row["propensity"]) == (None, 0.75)


@given(st.permutations([SMS, SMS.replace("a;1", "d;4"), NONE, NONE.replace("b;", "a;"), NONE]))
@settings(max_examples=4, deadline=None)
def test_the_order_of_rows_changes_nothing(rows: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        summary = ingest(Path(folder), "".join(rows))
        ids = {row["assignment_id"] for row in stored(Path(folder), "assignments")}
    assert (summary.accepted, summary.duplicate, ids) == (2, 1, {"b", "d"})
    assert rules_of(summary) == {"assignment_contradiction": 2}


def test_shares_may_be_put_together_from_columns(tmp_path: Path) -> None:
    source = AssignmentSource(
        channel="nullif(arm, 'control')",
        propensities="MAP {'none': 1 - share::DOUBLE, 'sms/none': share::DOUBLE}",
    )
    text = "assignment_id,customer_id,assigned_at,arm,share\na,1,2026-03-01,sms,0.3\n"
    text += "b,2,2026-03-01,control,0.3\n"
    ingest_text(tmp_path, text, kind="assignments", assignments=source)
    sms, none = stored(tmp_path, "assignments")
    assert (sms["propensity"], none["propensity"]) == (0.3, 0.7)


def test_shares_of_another_type_are_refused(tmp_path: Path) -> None:
    source = replace(SOURCE, propensities="propensity::DOUBLE")
    with pytest.raises(DataError, match="expected text with a JSON object, or a map"):
        ingest_text(tmp_path, HEADER + SMS, kind="assignments", assignments=source)


def test_a_warehouse_from_before_there_were_assignments_reads_as_having_none(
    tmp_path: Path,
) -> None:
    ingest_text(tmp_path, "customer_id,occurred_at,event_type,amount\n1,2026-01-01,visit,\n")
    root = tmp_path / "warehouse"
    (root / "assignments").rename(tmp_path / "put away")
    warehouse = Warehouse.open(str(root), n_buckets=4)
    assert warehouse.files("assignments") == []
    assert warehouse.dataset("assignments").to_table().num_rows == 0
    assert warehouse.table_stats("assignments").rows == 0
    assert "assignments" not in warehouse.versions()
    assert ingest(tmp_path, SMS + NONE, name="a.csv").accepted == 2


PAGE = (Path(__file__).parents[1] / "docs" / "assignments.md").read_text(encoding="utf-8")


def test_the_experiment_on_the_page_is_imported_as_written(tmp_path: Path) -> None:
    text, mapping = re.findall(r"```(?:text|toml)\n(.*?)```", PAGE, flags=re.DOTALL)[:2]
    source = AssignmentSource(**tomllib.loads(mapping)["sources"]["assignments"])
    config = shop(tmp_path, assignments=source)
    offers = {**config.offers, "voucher_10": Offer("voucher", 10.0)}
    path = write(tmp_path / "test.csv", text)
    summary = run_ingest(replace(config, offers=offers), "assignments", [path], now=NOW)
    assert summary.accepted == 3
    (count,) = summary.experiments
    assert (count.experiment, count.controls, count.without_propensity) == ("spring 2026", 1, 0)
    rows = sorted(stored(tmp_path, "assignments"), key=lambda row: str(row["assignment_id"]))
    actions = [(row["channel"], row["offer"]) for row in rows]
    assert actions == [("sms", "none"), ("sms", "voucher_10"), (None, None)]


def test_every_rule_and_column_named_on_the_page_exists() -> None:
    faults = PAGE[PAGE.index("| fault | rule |") : PAGE.index("The same row twice")]
    cells = re.findall(r"\| ([a-z_, ]+) \|$", faults, flags=re.MULTILINE)
    documented = {name for cell in cells for name in cell.split(", ")} - {"rule"}
    terms = ContractTerms(0, RULES, ("sms",), ("UTC",), {}, {})
    existing = {rule.name for rule in contract_rules("assignments", terms)}
    assert documented <= {*existing, ASSIGNMENT_CONTRADICTION.name}
    assert len(documented) == 14
    for column in set(TABLES["holdout_ledger"].schema.names):
        assert re.search(rf"^\| .*\b{column}\b.* \|", PAGE, flags=re.MULTILINE)
