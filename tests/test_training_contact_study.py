from dataclasses import replace

import numpy as np
import pytest

from benchmarks.contact_worlds import ACTIONS, QUICK, SHIFTS, TINY, contact_world, true_shift
from training.contact_rows import OTHER_CONTACT, UNKNOWN
from training.contact_study import ContactStudy, study_rows
from training.contact_verdict import StudyPlan

TRUE = [true_shift(shift) for shift in SHIFTS]


def covered(study: ContactStudy, *, naive: bool = False) -> list[bool]:
    """Whether each action's interval, about the adjusted or the plain estimate, holds the truth."""
    found = []
    for one in study.actions:
        assert one.effect is not None
        centre = one.effect.naive if naive else one.effect.shift
        found.append(abs(centre - TRUE[ACTIONS.index(one.name)]) < 1.96 * one.effect.sd)
    return found


def test_confounding_that_is_recorded_is_taken_out_where_plain_means_are_fooled() -> None:
    studies = [
        study_rows(contact_world(4000, seed=seed, rule="observed"), StudyPlan())
        for seed in (1, 2, 3)
    ]
    assert np.mean([covered(study) for study in studies]) >= 0.8
    assert np.mean([covered(study, naive=True) for study in studies]) <= 0.3
    for study in studies:
        assert study.any_contact.overlap.smd_before > 0.5
        assert study.any_contact.overlap.smd_after < 0.1
        assert study.placebo.found_nothing
        assert study.prior.verdict == "usable"
        assert study.prior.weight == 0.2


def test_confounding_that_nobody_recorded_is_flagged_by_the_placebo() -> None:
    for seed in (1, 2, 3):
        study = study_rows(contact_world(3000, seed=seed, rule="hidden"), QUICK)
        assert study.prior.verdict == "confounded"
        assert study.prior.weight == 0.0
        assert not study.prior.used.any()
        assert "before any contact" in study.prior.reasons[0]
        assert study.placebo.overall.low > 0


def test_randomised_contacts_pass_the_placebo_at_the_nominal_rate() -> None:
    studies = [
        study_rows(contact_world(1200, seed=seed, rule="random"), TINY) for seed in range(30)
    ]
    passed = sum(study.placebo.found_nothing for study in studies)
    errors = [study.placebo.overall.shift / study.placebo.overall.sd for study in studies]
    # Of 30 at 95 % fewer than 25 pass once in two hundred times.
    assert passed >= 25
    assert 0.7 < np.std(errors) < 1.3
    assert abs(np.mean(errors)) < 0.5


def test_an_action_never_used_has_no_estimate_and_the_others_do() -> None:
    rows = contact_world(3000, seed=4, rule="random")
    action = np.where(rows.action == 3, -1, rows.action).astype(np.int16)
    study = study_rows(replace(rows, action=action), QUICK)
    assert [one.name for one in study.actions] == list(ACTIONS[:3])
    assert np.isinf(study.prior.sd[3])
    assert not study.prior.used[3]
    assert study.prior.used[:3].all()


def test_everybody_contacted_is_no_overlap_with_counts() -> None:
    rows = contact_world(1500, seed=5, rule="random")
    action = np.where(rows.action < 0, 0, rows.action).astype(np.int16)
    action[:7] = -1
    study = study_rows(replace(rows, action=action), QUICK)
    assert study.prior.verdict == "no overlap"
    assert "1,493 were contacted and 7 were not" in study.prior.reasons[0]
    assert study.any_contact is None


def test_a_rule_without_exception_is_no_overlap() -> None:
    rows = contact_world(3000, seed=6, rule="random")
    action = np.where(rows.x[:, 0] > 0, 0, -1).astype(np.int16)
    study = study_rows(replace(rows, action=action), StudyPlan())
    assert study.prior.verdict in {"no overlap", "too few"}
    assert study.prior.weight == 0.0


def test_no_contacts_are_nothing_to_study() -> None:
    rows = contact_world(500, seed=7, rule="random")
    nobody = replace(rows, action=np.full(500, -1, dtype=np.int16))
    study = study_rows(nobody, QUICK)
    assert study.prior.verdict == "nothing to study"
    assert "None of 500 rows" in study.prior.reasons[0]
    assert study.to_json()["prior"]["actions"] == dict.fromkeys(ACTIONS)


def test_contacts_that_are_no_configured_action_are_neither_treated_nor_controls() -> None:
    rows = contact_world(3000, seed=8, rule="random")
    action = np.where(rows.action == 1, OTHER_CONTACT, rows.action).astype(np.int16)
    study = study_rows(replace(rows, action=action), QUICK)
    assert [one.name for one in study.actions] == [ACTIONS[0], ACTIONS[2], ACTIONS[3]]
    assert study.calibration[-1].name == "other"
    idle = int(np.count_nonzero(action == -1))
    assert all(one.overlap.control_kept <= idle for one in study.actions)


def test_without_a_pre_period_nothing_is_believed() -> None:
    rows = contact_world(2000, seed=9, rule="random")
    study = study_rows(replace(rows, before=np.full(2000, UNKNOWN, dtype=np.int8)), QUICK)
    assert study.prior.verdict == "untested"
    assert study.prior.weight == 0.0
    assert "0 of 0 rows" in study.prior.reasons[0]


def test_few_returns_give_no_estimate_but_a_count() -> None:
    rows = contact_world(1000, seed=10, rule="random")
    returned = np.where(rows.action == 3, 0, rows.returned).astype(np.int8)
    study = study_rows(replace(rows, returned=returned), QUICK)
    problem = study.actions[3].problem
    assert problem.kind == "too few"
    assert "0 of those contacted" in problem.text or "are needed" in problem.text


def test_the_order_of_rows_does_not_matter() -> None:
    rows = contact_world(1500, seed=11, rule="observed")
    shuffled = rows.take(np.random.default_rng(1).permutation(1500))
    one, other = study_rows(rows, QUICK).prior, study_rows(shuffled, QUICK).prior
    assert one.mean == pytest.approx(other.mean, abs=0.02)
    assert one.verdict == other.verdict


def test_a_placebo_before_the_silence_may_condemn_but_not_acquit() -> None:
    blind = np.zeros(2500, dtype=np.bool_)
    random = replace(contact_world(2500, seed=12, rule="random"), testable=blind)
    study = study_rows(random, QUICK)
    assert study.placebo.found_nothing
    assert study.prior.verdict == "untested"
    assert study.prior.weight == 0.0
    assert "nothing shows whether those contacted were still active" in study.prior.reasons[0]
    hidden = replace(contact_world(2500, seed=12, rule="hidden"), testable=blind)
    assert study_rows(hidden, QUICK).prior.verdict == "confounded"


def test_rows_that_no_placebo_could_test_are_left_out_where_others_can_be() -> None:
    rows = contact_world(3000, seed=13, rule="random")
    mixed = replace(rows, testable=np.arange(3000) >= 600)
    study = study_rows(mixed, QUICK)
    assert study.counts.untestable == 600
    assert study.rows == 2400
    assert study.prior.verdict == "usable"


def test_the_prior_is_no_surer_than_the_placebo() -> None:
    study = study_rows(contact_world(3000, seed=14, rule="random"), QUICK)
    for one in study.actions:
        if one.problem is None:
            sd = study.prior.sd[ACTIONS.index(one.name)]
            assert sd == pytest.approx(np.hypot(one.effect.sd, study.placebo.overall.sd))
