"""The contract's page names every rule and column that exists, and its mapping works."""

import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ingest_home import RULES, ingest_text, stored

from features.contract import KINDS, TABLES, Kind
from features.ingestion_request import ASSIGNMENT_CONTRADICTION, CONTRADICTION
from features.ingestion_rules import UNREADABLE_RULES, ContractTerms, contract_rules
from features.source import CustomerSource, EventSource

PAGE = (Path(__file__).parents[1] / "docs" / "event-contract.md").read_text(encoding="utf-8")
TERMS = ContractTerms(0, RULES, ("email",), ("UTC",), {"ok": "flag_0"}, {"city": "attribute_0"})


def rule_names(kind: Kind) -> set[str]:
    return {rule.name for rule in contract_rules(kind, TERMS)}


def test_every_rule_is_documented_and_every_documented_rule_exists() -> None:
    _, rules = PAGE.split("## The rules by name")
    rules, _ = rules.split("## Crashes")
    cells = re.findall(r"^\| ([a-z0-9_, ]+) \|", rules, flags=re.MULTILINE)
    documented = {name for cell in cells for name in cell.split(", ")} - {"rule"}
    two_rows = {CONTRADICTION.name, ASSIGNMENT_CONTRADICTION.name}
    existing = {*two_rows, *UNREADABLE_RULES}.union(*map(rule_names, KINDS))
    assert documented == existing


@pytest.mark.parametrize("kind", KINDS)
def test_every_column_is_documented(kind: Kind) -> None:
    start = PAGE.index(f"**{kind}**: one row")
    section = PAGE[start : PAGE.index("\n\n**", start + 1)]
    for column in TABLES[kind].schema.names:
        assert column in section or column == "bucket"


def test_the_mapping_at_the_beginning_reads_the_files_beside_it(tmp_path: Path) -> None:
    sample, mapping = re.findall(r"```(?:text|toml)\n(.*?)```", PAGE, flags=re.DOTALL)[:2]
    lines = [re.split(r" {3,}", line) for line in sample.splitlines()]
    customers, events = ("\n".join(column) + "\n" for column in zip(*lines, strict=True))
    sources = tomllib.loads(mapping)["sources"]
    ingest_text(
        tmp_path,
        customers.encode("cp1252"),
        kind="customers",
        customers=CustomerSource(**sources["customers"]),
        max_reject_share=0.0,
    )
    source = EventSource(**sources["events"])
    ingest_text(tmp_path, events, name="sales.csv", events=source, max_reject_share=0.0)
    (customer,) = stored(tmp_path, "customers")
    assert (customer["customer_id"], customer["do_not_contact"]) == ("00017", False)
    assert customer["signup_at"] == datetime(2021, 5, 2, 22, tzinfo=UTC)
    assert customer["flags"] == [("email_ok", True)]
    (event,) = stored(tmp_path)
    assert (event["amount"], event["order_id"]) == (1234.5, "R-1")
    assert event["occurred_at"] == datetime(2025, 12, 24, 8, 30, tzinfo=UTC)
