"""The benchmark of past contacts: shares over logs, and bars that tell."""

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.contact_study import describe_shop, replicate, shop_bars, small_bars
from benchmarks.contact_worlds import SHIFTS, TINY, contact_world, true_shift
from training.contact_study import study_rows


def test_shares_are_counted_over_replications() -> None:
    found = replicate("hidden", 2, TINY, rows=1500)
    assert found["placebos"] == 2
    assert found["placebo_passed"] == 0.0
    assert 0.0 <= found["coverage"] <= found["coverage_of_plain_difference"] + 0.5


def test_the_shift_given_what_is_recorded_is_a_little_smaller() -> None:
    for shift in SHIFTS:
        assert abs(true_shift(shift)) <= abs(shift) + 1e-9
        assert true_shift(shift) == pytest.approx(shift, abs=0.06)


def shop(shift: float, verdict: str = "usable") -> dict[str, Any]:
    return {"verdict": verdict, "effect": {"shift": shift, "sd": 0.05, "naive": shift + 0.4}}


def test_bars_hold_for_a_study_that_finds_the_truth_and_fail_for_one_that_does_not() -> None:
    good = {
        "none/human": shop(0.02),
        "constant/human": shop(0.15),
        "constant/randomised": shop(0.12),
        "constant/confounded": shop(0.4, "confounded"),
    }
    assert all(bar.holds for bar in shop_bars(good))
    for name, bad in (
        ("none/human", shop(0.2)),
        ("constant/human", shop(0.5)),
        ("constant/confounded", shop(0.4)),
    ):
        assert not all(bar.holds for bar in shop_bars({**good, name: bad})), name


def test_a_placebo_that_always_passes_random_contacts_is_no_test() -> None:
    share = {"placebos": 400.0, "placebo_passed": 1.0, "coverage": 0.95}
    small = {
        "random": share,
        "observed": {**share, "coverage_of_plain_difference": 0.1},
        "hidden": {**share, "placebo_passed": 0.0},
    }
    assert [bar.holds for bar in small_bars(small)] == [True, False, True, True, True]


def test_a_shop_is_described_by_all_contacts_together() -> None:
    rows = contact_world(1200, seed=1, rule="random")
    found = describe_shop(study_rows(rows, TINY))
    assert {"verdict", "contacted", "effect", "placebo", "smd_after"} == set(found)
    nobody = replace(rows, action=rows.action * 0 - 1)
    assert describe_shop(study_rows(nobody, TINY)) == {
        "verdict": "nothing to study",
        "contacted": 0,
    }
