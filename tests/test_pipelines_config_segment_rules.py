"""Limits of segments in winback.toml: what is refused, and that the nearest name is told."""

from typing import Any

import pytest

from features.stage import Stage
from pipelines.config_segment_rules import segment_limit_rules
from scoring.policy import NightLimits, SegmentLimit

STAGES = (
    Stage("guest", "guest", ("visit",), ("visit",), ("purchase",), None),
    Stage("buyer", "buyer", ("purchase",), ("purchase",), ("purchase",), 60.0),
)


def faults(*limits: dict[str, Any]) -> list[str]:
    segments = tuple(SegmentLimit(**{"name": "a", "max_share": 0.5, **one}) for one in limits)
    sections = {"limits": NightLimits(segments=segments), "stages": STAGES}
    return list(segment_limit_rules(sections))


def test_segments_that_exist_are_accepted() -> None:
    whole = {
        "stage": ("buyer",),
        "life_cycle": ("dormant", "at_risk"),
        "value_tier": ("high value, low frequency",),
        "promotion": ("sensitive",),
        "min_contacts": 2,
        "max_contacts": 2,
        "min_share": 0.1,
    }
    assert faults(whole, {"name": "b"}) == []
    assert list(segment_limit_rules({})) == []


@pytest.mark.parametrize(
    ("key", "value", "hint"),
    [
        ("life_cycle", "at risk", '"at_risk"'),
        ("life_cycle", "dormnt", '"dormant"'),
        ("value_tier", "high value", "high value, "),
        ("promotion", "entusiast", '"enthusiast"'),
        ("stage", "buyr", '"buyer"'),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest_one(key: str, value: str, hint: str) -> None:
    (fault,) = faults({key: (value,)})
    assert fault.startswith(f'limits.segments[0] (a).{key}: "{value}" is not ')
    assert hint in fault


def test_a_stage_that_nobody_is_recalled_from_is_refused() -> None:
    (fault,) = faults({"stage": ("guest",)})
    assert "a stage with silence_days" in fault


def test_bounds_that_say_nothing_or_cross_are_refused() -> None:
    (nothing,) = faults({"max_share": None})
    assert "limits nothing" in nothing
    (contacts,) = faults({"min_contacts": 5, "max_contacts": 4})
    assert "min_contacts 5 is more than max_contacts 4" in contacts
    (share,) = faults({"min_share": 0.6})
    assert "min_share 0.6 is more than max_share 0.5" in share


def test_a_name_is_used_once() -> None:
    (fault,) = faults({}, {})
    assert fault == 'limits.segments: "a" is there twice; expected each name once'
