"""`winback list diff`: who came, who left, what changed, and why, by the decisions of both days."""

import json
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from list_folders import DAY, NEXT_DAY, make_home, record_decisions, write_list
from rich.console import Console
from test_scoring_recall_list import control, row

from features.errors import ArtifactError, UsageError
from pipelines.config import Config
from pipelines.list_change import DayDecisions, Decided, changes_between, why_changed
from pipelines.list_diff import ChangeReason, ListDiff, diff_lists
from pipelines.render_list import render_diff

BEFORE = (
    row(1, customer_id="same"),
    row(2, customer_id="paused"),
    row(3, customer_id="returned"),
    row(4, customer_id="calmer", p_dormant=0.9),
    control(5, customer_id="ghost"),
    row(6, customer_id="gone"),
    row(7, customer_id="closed", channel="sms"),
    row(8, customer_id="redrawn"),
)
AFTER = (
    row(1, customer_id="same"),
    row(2, customer_id="fresh"),
    row(3, customer_id="risky", p_dormant=0.95),
    row(4, customer_id="rested"),
    row(5, customer_id="closed", channel="phone"),
    control(6, customer_id="redrawn"),
    row(7, customer_id="unknown then"),
    row(8, customer_id="followed", channel="sms", follow_up_of="2025-11-17-abc/3"),
)
THEN = {
    **{item["customer_id"]: {"exclusion": None} for item in BEFORE},
    "fresh": {"exclusion": "not_dormant"},
    "risky": {"exclusion": "not_dormant"},
    "rested": {"exclusion": "min_pause"},
    "followed": {"exclusion": "in_follow_up"},
}
NOW = {
    **{item["customer_id"]: {"exclusion": None} for item in AFTER},
    "paused": {"exclusion": "min_pause"},
    "returned": {"exclusion": "not_dormant"},
    "calmer": {"exclusion": "not_dormant"},
    "ghost": {"exclusion": "control_window"},
    "closed": {"exclusion": None, "channel_blocks": "email=not_in_stage; sms=unsubscribed"},
}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    home = make_home(tmp_path / "home")
    write_list(home, *BEFORE)
    write_list(home, *AFTER, day=NEXT_DAY)
    record_decisions(home, THEN)
    record_decisions(home, NOW, day=NEXT_DAY)
    return home


def who(reasons: tuple[ChangeReason, ...]) -> dict[str, list[str]]:
    """Example customers by reason."""
    return {item.code: [one["customer_id"] for one in item.examples] for item in reasons}


def text_of(diff: ListDiff) -> str:
    stream = StringIO()
    render_diff(diff, Console(file=stream, width=160, highlight=False, markup=False))
    return stream.getvalue()


def test_everyone_is_told_of_with_a_reason(config: Config) -> None:
    diff = diff_lists(config)
    assert (diff.day, diff.since, diff.listed, diff.listed_before) == (NEXT_DAY, DAY, 8, 8)
    assert diff.same == 1
    assert who(diff.came) == {
        "newly_dormant": ["fresh"],
        "risk_rose": ["risky"],
        "min_pause": ["rested"],
        "new_customer": ["unknown then"],
        "follow_up_due": ["followed"],
    }
    assert who(diff.left) == {
        "min_pause": ["paused"],
        "returned": ["returned"],
        "risk_fell": ["calmer"],
        "control_window": ["ghost"],
        "not_scored": ["gone"],
    }
    assert who(diff.changed) == {"unsubscribed": ["closed"], "drawn_again": ["redrawn"]}
    [closed] = next(item.examples for item in diff.changed if item.code == "unsubscribed")
    assert closed["changes"] == {"channel": ("sms", "phone")}


def test_counts_of_a_reason_come_before_examples(config: Config) -> None:
    diff = diff_lists(config, top=0)
    assert all(item.examples == () and item.customers == 1 for item in diff.left)
    assert sum(item.customers for item in diff.came) == 5


def test_reasons_are_ordered_by_customers_and_told_in_words(config: Config) -> None:
    many = [f"m{number}" for number in range(3)]
    record_decisions(config, {**THEN, **{name: {"exclusion": "cap_7d"} for name in many}})
    day = date(2025, 11, 22)
    more = [row(place, customer_id=name) for place, name in enumerate(many, start=9)]
    write_list(config, *AFTER, *more, day=day)
    record_decisions(config, NOW, day=day)
    diff = diff_lists(config, since=DAY)
    assert (diff.came[0].code, diff.came[0].customers) == ("cap_7d", 3)
    told = "was left out then: was contacted (or held out) as often as the caps allow"
    assert told in diff.came[0].meaning


def test_who_came_on_trial_is_not_said_to_gain_enough(config: Config) -> None:
    record_decisions(config, {**THEN, "rested": {"exclusion": "gain_below_minimum"}})
    record_decisions(config, {**NOW, "rested": {"recommended_action": "none"}}, day=NEXT_DAY)
    diff = diff_lists(config)
    assert who(diff.came)["on_trial"] == ["rested"]
    assert "gain_below_minimum" not in who(diff.came)
    assert "drawn by chance to learn" in text_of(diff)
    record_decisions(config, {**NOW, "rested": {"recommended_action": "sms/none"}}, day=NEXT_DAY)
    assert who(diff_lists(config).came)["gain_below_minimum"] == ["rested"]


def test_a_gain_that_rounds_to_nothing_has_no_sign(config: Config) -> None:
    day = date(2025, 11, 22)
    write_list(config, row(1, customer_id="fresh", expected_gain=-0.001), day=day)
    record_decisions(config, {"fresh": {"exclusion": None}}, day=day)
    told = text_of(diff_lists(config, as_of=day, since=DAY))
    assert " 0.00 " in told
    assert "-0.00" not in told


def test_models_and_configuration_that_changed_are_named(config: Config) -> None:
    day = date(2025, 11, 22)
    write_list(config, row(1, model_version="m/2", config_hash="def"), day=day)
    record_decisions(config, {"c1": {"exclusion": None}}, day=day)
    diff = diff_lists(config, as_of=day, since=DAY)
    assert diff.made_with == {"models": ("m/1", "m/2"), "configuration": ("abc", "def")}
    assert diff_lists(config, as_of=NEXT_DAY).made_with == {}
    assert "Other models: m/1 -> m/2" in text_of(diff)
    assert "Another configuration: abc -> def" in text_of(diff)


def test_codes_of_earlier_versions_stand_for_themselves(config: Config) -> None:
    record_decisions(config, {**THEN, "rested": {"exclusion": "rule_of_old"}})
    told = {item.code: item.meaning for item in diff_lists(config).came}
    assert told["rule_of_old"] == 'was left out then: the rule "rule_of_old" of an earlier version'


def test_flags_that_close_a_channel_are_named(config: Config) -> None:
    blocks = "sms=no_consent_or_unreachable:sms_consent"
    record_decisions(config, {**NOW, "closed": {"channel_blocks": blocks}}, day=NEXT_DAY)
    told = [item.meaning for item in diff_lists(config).changed]
    assert any('"sms_consent" is not true' in text for text in told)


def test_days_without_decisions_are_said_to_be(tmp_path: Path) -> None:
    config = make_home(tmp_path / "home")
    write_list(config, *BEFORE)
    write_list(config, *AFTER, day=NEXT_DAY)
    record_decisions(config, NOW, day=NEXT_DAY)
    diff = diff_lists(config)
    assert {item.code for item in diff.came} == {"not_recorded", "follow_up_due"}
    assert "no decisions of 2025-11-20" in diff.came[0].meaning
    assert "not_recorded" not in who(diff.left)


def test_json_is_plain_and_versioned(config: Config) -> None:
    document = json.loads(json.dumps(diff_lists(config).to_json()))
    assert document["schema_version"] == 1
    assert (document["day"], document["since"]) == ("2025-11-21", "2025-11-20")
    assert {item["code"] for item in document["left"]} >= {"returned", "min_pause"}
    changed = {item["code"]: item for item in document["changed"]}
    assert changed["unsubscribed"]["examples"][0]["changes"] == {"channel": ["sms", "phone"]}


def test_the_terminal_counts_by_reason_and_shows_examples(config: Config) -> None:
    told = text_of(diff_lists(config))
    assert "8 rows, before 8. 5 came on, 5 left, 2 changed, 1 is the same." in told
    for part in ("Came on, by reason", "has returned", "Changed: examples", "channel sms"):
        assert part in told


def test_lists_of_version_3_are_compared(tmp_path: Path) -> None:
    config = make_home(tmp_path / "home")
    write_list(config, *BEFORE, version=3)
    write_list(config, *AFTER, day=NEXT_DAY)
    record_decisions(config, THEN)
    record_decisions(config, NOW, day=NEXT_DAY)
    assert "newly_dormant" in who(diff_lists(config).came)


def test_lists_of_nobody_are_compared(tmp_path: Path) -> None:
    config = make_home(tmp_path / "home")
    write_list(config)
    write_list(config, row(1, customer_id="fresh"), day=NEXT_DAY)
    record_decisions(config, {"fresh": {"exclusion": "not_dormant"}})
    record_decisions(config, {"fresh": {"exclusion": None}}, day=NEXT_DAY)
    diff = diff_lists(config)
    assert who(diff.came) == {"newly_dormant": ["fresh"]}
    assert (diff.left, diff.changed, diff.made_with, diff.same) == ((), (), {}, 0)
    assert "0 left" in text_of(diff)


def test_the_list_before_is_found_over_a_gap(config: Config) -> None:
    later = date(2025, 12, 3)
    write_list(config, *AFTER, day=later)
    record_decisions(config, NOW, day=later)
    assert diff_lists(config).since == NEXT_DAY
    assert diff_lists(config, since=DAY).since == DAY


def test_what_cannot_be_compared_is_refused(config: Config) -> None:
    with pytest.raises(ArtifactError, match="no list before that of 2025-11-20"):
        diff_lists(config, as_of=DAY)
    with pytest.raises(UsageError, match="not before the list of 2025-11-21"):
        diff_lists(config, since=NEXT_DAY)
    with pytest.raises(ArtifactError, match=r"no list of 2025-11-01.*2025-11-20, 2025-11-21"):
        diff_lists(config, since=date(2025, 11, 1))


@pytest.mark.parametrize(
    ("old", "new", "code", "changes"),
    [
        ({"offer": "none"}, {"offer": "coupon"}, "worth_more", {"offer": ("none", "coupon")}),
        (
            {"arm": "explore", "offer": "coupon"},
            {"offer": "none"},
            "by_chance",
            {"offer": ("coupon", "none"), "arm": ("explore", "contact")},
        ),
        (
            {},
            {"send_at_local": "2025-11-21T19:30:00+01:00"},
            "other_hour",
            {"hour": ("11", "19")},
        ),
    ],
)
def test_changes_have_their_reason(
    old: dict[str, Any], new: dict[str, Any], code: str, changes: dict[str, Any]
) -> None:
    before, after = row(1, **old), row(1, **new)
    assert changes_between(before, after) == changes
    decided = DayDecisions(NEXT_DAY, is_recorded=True, of={})
    assert why_changed(before, after, decided).code == code


def test_who_lost_a_place_to_others_is_told_so() -> None:
    before, after = row(1, channel="phone"), row(1, channel="sms")
    decided = Decided(exclusion=None, blocks={}, best=("phone", "none"), on_trial=False)
    why = why_changed(before, after, DayDecisions(NEXT_DAY, is_recorded=True, of={"c1": decided}))
    assert why.code == "displaced"


def test_another_minute_is_no_change() -> None:
    later = row(1, send_at_local="2025-11-21T11:47:00+01:00")
    assert changes_between(row(1), later) == {}
