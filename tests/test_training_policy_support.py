from dataclasses import replace

import numpy as np
import pytest
from small_log import ACTIONS, draw_customers, draw_log, likely_helped

from training.effect_sample import NO_CONTACT, EffectSample
from training.policy_support import (
    Policy,
    Refused,
    effective_rows,
    measure_support,
    no_contact,
    refuse_support,
)
from training.policy_value import PolicyDifference, PolicyReport, PolicyValue, evaluate_policies


def sample_and_policy(n: int = 3000) -> tuple[EffectSample, Policy]:
    customers = draw_customers(n, np.random.default_rng(1))
    sample = draw_log(customers, np.random.default_rng(2))
    return sample, Policy("helped", likely_helped(customers))


def refusal(report: PolicyReport) -> Refused:
    found = report.values[0]
    assert isinstance(found, Refused)
    return found


def test_nothing_matured_names_the_date_to_wait_for() -> None:
    sample, policy = sample_and_policy()
    none = sample.take(np.zeros(0, dtype=np.int64))
    policy = replace(policy, action=policy.action[:0])
    report = evaluate_policies(none, [policy, no_contact(0)], matures_on="2026-12-24")
    assert refusal(report).reason == "nothing_matured"
    assert "wait until 2026-12-24" in refusal(report).text
    assert report.differences == (refusal(report),)


def test_a_log_without_control_is_refused() -> None:
    sample, policy = sample_and_policy()
    treated = sample.action != NO_CONTACT
    policy = replace(policy, action=policy.action[treated])
    found = refusal(evaluate_policies(sample.take(treated), [policy]))
    assert found.reason == "no_control"
    assert "experiment.ghost_share" in found.text


@pytest.mark.parametrize("wrong", [np.nan, 0.0, -0.1, 1.5])
def test_unknown_or_impossible_propensities_are_counted(wrong: float) -> None:
    sample, policy = sample_and_policy()
    propensity = sample.propensity.copy()
    propensity[:7] = wrong
    found = refusal(evaluate_policies(replace(sample, propensity=propensity), [policy]))
    assert found.reason == "unknown_propensities"
    assert "7 of 3,000 rows" in found.text


def test_an_action_never_tried_is_named_with_its_share() -> None:
    sample, _ = sample_and_policy()
    tried = sample.action != 2
    action = np.full(int(tried.sum()), NO_CONTACT, dtype=np.int16)
    action[: len(action) // 4] = 2
    found = refusal(evaluate_policies(sample.take(tried), [Policy("calls", action)]))
    assert found.reason == "action_never_tried"
    assert f"{ACTIONS[2]} in 25.0% of the rows" in found.text


def test_an_action_that_some_could_not_get_is_refused() -> None:
    """Only the outcome model would speak for them."""
    sample, _ = sample_and_policy()
    closed = sample.x[:, 0] > 0.0
    kept = ~(closed & (sample.action == 2))
    open_share = np.where(closed, 1 - 0.2, 1.0)
    sample = replace(sample, propensity=sample.propensity / open_share).take(kept)
    found = refusal(evaluate_policies(sample, [Policy("sms", np.full(len(sample), 2, np.int16))]))
    assert found.reason == "action_without_a_chance"
    share = int(found.text.split("about ")[1].split("%")[0])
    assert 35 <= share <= 55


def test_propensities_that_do_not_describe_the_log_are_refused() -> None:
    sample, policy = sample_and_policy()
    found = refusal(evaluate_policies(replace(sample, propensity=sample.propensity / 2), [policy]))
    assert found.reason == "wrong_propensities"


def test_too_few_rows_say_how_many_are_missing() -> None:
    sample, policy = sample_and_policy(300)
    found = refusal(evaluate_policies(sample, [policy]))
    assert found.reason == "too_few_rows"
    assert found.missing_rows is not None
    assert 50 <= found.missing_rows <= 3000
    assert f"about {found.missing_rows:,} more rows" in found.text


@pytest.mark.parametrize(
    ("rows", "positives", "missing"),
    [(99, 40, 99 * 100 / 99 - 99), (200, 29, 200 * 30 / 29 - 200), (50, 20, 50.0)],
)
def test_missing_rows_grow_in_proportion(rows: int, positives: int, missing: float) -> None:
    sample, _ = sample_and_policy()
    sample = sample.take(np.arange(rows))
    returned = np.zeros(rows, dtype=np.int8)
    returned[:positives] = 1
    support = measure_support(replace(sample, returned=returned), np.ones(rows))
    found = refuse_support(support, label="policy p")
    assert found is not None
    assert found.missing_rows == int(np.ceil(missing))


def test_enough_is_enough() -> None:
    sample, _ = sample_and_policy()
    sample = replace(sample.take(np.arange(100)), returned=np.ones(100, dtype=np.int8))
    assert refuse_support(measure_support(sample, np.ones(100)), label="p") is None


def test_a_policy_nobody_followed_cannot_say_how_many_rows() -> None:
    sample, _ = sample_and_policy(500)
    other = np.where(sample.action == 0, 1, 0).astype(np.int16)
    found = refusal(evaluate_policies(sample, [Policy("other", other)]))
    assert found.missing_rows is None


def test_effective_rows_of_equal_and_of_unequal_weights() -> None:
    assert effective_rows(np.full(7, 3.0)) == pytest.approx(7)
    assert effective_rows(np.array([1.0, 1.0, 0.0])) == pytest.approx(2)
    assert effective_rows(np.array([100.0, 1.0, 1.0])) < 1.1
    assert effective_rows(np.zeros(3)) == 0.0


def test_a_difference_rests_on_the_rows_where_policies_differ() -> None:
    sample, _ = sample_and_policy()
    few = np.full(len(sample), NO_CONTACT, dtype=np.int16)
    few[:60] = 0
    report = evaluate_policies(sample, [Policy("few", few), no_contact(len(sample))])
    assert isinstance(report.values[0], PolicyValue)
    assert isinstance(report.differences[0], Refused)
    assert "few minus none" in report.differences[0].text


def test_one_refused_policy_does_not_stop_the_others() -> None:
    sample, policy = sample_and_policy()
    other = Policy("other", np.where(sample.action == 0, 1, 0).astype(np.int16))
    policies = [policy, other, no_contact(len(sample))]
    report = evaluate_policies(sample, policies, pairs=[(0, 1), (0, 2)])
    assert isinstance(report.values[0], PolicyValue)
    assert isinstance(report.values[1], Refused)
    assert isinstance(report.differences[0], Refused)
    assert isinstance(report.differences[1], PolicyDifference)


def test_refusals_name_no_customer() -> None:
    sample, policy = sample_and_policy(300)
    assert str(sample.cluster[0]) not in refusal(evaluate_policies(sample, [policy])).text
