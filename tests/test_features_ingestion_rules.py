"""The contract's page names every rule and every column that exists, and no other rule."""

import re
from pathlib import Path

import pytest
from ingest_home import RULES

from features.contract import KINDS, TABLES, Kind
from features.ingestion_request import CONTRADICTION
from features.ingestion_rules import UNREADABLE_RULES, ContractTerms, contract_rules

PAGE = (Path(__file__).parents[1] / "docs" / "event-contract.md").read_text(encoding="utf-8")
TERMS = ContractTerms(0, RULES, ("email",), ("UTC",), {"ok": "flag_0"}, {"city": "attribute_0"})


def rule_names(kind: Kind) -> set[str]:
    return {rule.name for rule in contract_rules(kind, TERMS)}


def test_every_rule_is_documented_and_every_documented_rule_exists() -> None:
    _, rules = PAGE.split("## The rules by name")
    rules, _ = rules.split("## Crashes")
    cells = re.findall(r"^\| ([a-z0-9_, ]+) \|", rules, flags=re.MULTILINE)
    documented = {name for cell in cells for name in cell.split(", ")} - {"rule"}
    existing = {CONTRADICTION.name, *UNREADABLE_RULES}.union(*map(rule_names, KINDS))
    assert documented == existing


@pytest.mark.parametrize("kind", KINDS)
def test_every_column_is_documented(kind: Kind) -> None:
    start = PAGE.index(f"**{kind}**: one row")
    section = PAGE[start : PAGE.index("\n\n**", start + 1)]
    for column in TABLES[kind].schema.names:
        assert column in section or column == "bucket"
