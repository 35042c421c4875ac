from datetime import date
from pathlib import Path

import pytest
import small_shop

from pipelines.config import Config, parse_config
from pipelines.policy_absence import explain_absence
from pipelines.policy_sources import PolicyRequest
from training.assignment_counts import AssignmentCounts

LATER = date(2025, 12, 1)


@pytest.fixture(scope="module")
def config() -> Config:
    return parse_config(small_shop.BUSINESS.encode(), place="test", home=Path())


@pytest.mark.parametrize(
    ("counts", "reason", "words"),
    [
        (AssignmentCounts(), "nothing_matured", "0 assignments"),
        (
            AssignmentCounts(assignments=7, not_matured=7, matures_on=LATER),
            "nothing_matured",
            "2025-12-01",
        ),
        (
            AssignmentCounts(assignments=5, propensity_unknown=5),
            "unknown_propensities",
            "5 assignments",
        ),
        (AssignmentCounts(assignments=4, without_control=4), "no_control", "everybody"),
        (AssignmentCounts(assignments=3, unknown_action=3), "nothing_matured", "none to use"),
    ],
)
def test_the_first_thing_that_would_help_is_told(
    config: Config, counts: AssignmentCounts, reason: str, words: str
) -> None:
    found = explain_absence(PolicyRequest(rules=("none",)), counts, config, usable=0)
    assert found.reason == reason
    assert words in found.text


def test_lists_name_their_own_date(config: Config) -> None:
    counts = AssignmentCounts(assignments=9, not_matured=4, matures_on=LATER)
    found = explain_absence(PolicyRequest(lists=("2025-11-20",)), counts, config, usable=5)
    assert "2025-12-22" in found.text


def test_dates_without_assignments_are_told_apart_from_an_empty_log(config: Config) -> None:
    request = PolicyRequest(rules=("none",), since=date(2026, 1, 1))
    found = explain_absence(request, AssignmentCounts(assignments=9, used=9), config, usable=9)
    assert "none of 9 assignments" in found.text
    assert "--since" in found.text
