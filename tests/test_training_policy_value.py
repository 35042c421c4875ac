from dataclasses import fields, replace

import numpy as np
import pytest
from small_log import ACTIONS, draw_customers, draw_log, likely_helped

from training import policy_value
from training.effect_sample import EffectSample, concat_samples
from training.policy_support import Policy, Refused, logged_policy, mixed_policy, no_contact
from training.policy_value import (
    PolicyDifference,
    PolicyReport,
    PolicyValue,
    Switch,
    evaluate_policies,
)


def sample_and_policy(n: int = 4000, seed: int = 1) -> tuple[EffectSample, Policy]:
    customers = draw_customers(n, np.random.default_rng(seed))
    sample = draw_log(customers, np.random.default_rng(seed + 1))
    return sample, Policy("helped", likely_helped(customers))


def value_of(report: PolicyReport, place: int = 0) -> PolicyValue:
    found = report.values[place]
    assert isinstance(found, PolicyValue), found
    return found


def difference_of(report: PolicyReport, place: int = 0) -> PolicyDifference:
    found = report.differences[place]
    assert isinstance(found, PolicyDifference), found
    return found


@pytest.mark.parametrize("confounded", [False, True])
def test_estimators_are_right_on_average_where_the_truth_is_known(confounded: bool) -> None:
    errors: dict[str, list[float]] = {"ips": [], "snips": [], "dr": [], "difference": []}
    for seed in range(14):
        customers = draw_customers(2500, np.random.default_rng(seed))
        log = draw_log(customers, np.random.default_rng(100 + seed), confounded=confounded)
        action = likely_helped(customers)
        none = no_contact(len(log))
        report = evaluate_policies(log, [Policy("helped", action), none])
        truth = customers.value(action)
        found = value_of(report)
        for name in ("ips", "snips", "dr"):
            errors[name].append(getattr(found, name).value - truth)
        gain = truth - customers.value(none.action)
        errors["difference"].append(difference_of(report).dr.value - gain)
    for name, one in errors.items():
        assert abs(np.mean(one)) < 3.5 * np.std(one) / np.sqrt(len(one)), name
    assert np.std(errors["dr"]) < np.std(errors["ips"])


def test_intervals_of_returns_cover_the_truth() -> None:
    covered = []
    for seed in range(30):
        customers = draw_customers(1200, np.random.default_rng(seed))
        log = draw_log(customers, np.random.default_rng(500 + seed))
        action = likely_helped(customers)
        found = value_of(evaluate_policies(log, [Policy("p", action)], outcome="returns")).dr
        covered.append(found.low < customers.returns(action) < found.high)
    assert np.mean(covered) > 0.86


def test_a_paired_difference_is_narrower_than_two_separate_values() -> None:
    sample, policy = sample_and_policy()
    nearly = Policy("nearly", np.where(sample.x[:, 0] > 1.5, 2, policy.action).astype(np.int16))
    report = evaluate_policies(sample, [policy, nearly])
    separate = np.hypot(value_of(report, 0).dr.se, value_of(report, 1).dr.se)
    assert difference_of(report).dr.se < 0.6 * separate


def test_a_policy_does_not_differ_from_itself() -> None:
    sample, policy = sample_and_policy()
    same = difference_of(evaluate_policies(sample, [policy, replace(policy, name="again")]))
    assert (same.dr.value, same.dr.se, same.differing) == (0.0, 0.0, 0.0)
    assert same.verdict == "the same"
    assert same.rows_to_prove is None


def test_intervals_widen_when_customers_are_there_twice() -> None:
    sample, policy = sample_and_policy()
    twice = concat_samples([sample, sample])
    both = Policy("helped", np.concatenate([policy.action, policy.action]))
    apart = replace(twice, cluster=np.arange(len(twice), dtype=np.uint64))
    honest = value_of(evaluate_policies(twice, [both])).ips
    fooled = value_of(evaluate_policies(apart, [both])).ips
    once = value_of(evaluate_policies(sample, [policy])).ips
    assert honest.value == pytest.approx(fooled.value)
    assert honest.se == pytest.approx(once.se, rel=1e-6)
    assert honest.se == pytest.approx(np.sqrt(2) * fooled.se, rel=0.01)


def test_the_order_of_rows_changes_nothing() -> None:
    sample, policy = sample_and_policy(2000)
    order = np.random.default_rng(3).permutation(len(sample))
    first = value_of(evaluate_policies(sample, [policy]))
    shuffled = Policy("helped", policy.action[order])
    second = value_of(evaluate_policies(sample.take(order), [shuffled]))
    for name in ("ips", "snips", "dr"):
        assert getattr(first, name).value == pytest.approx(getattr(second, name).value, rel=1e-9)
        assert getattr(first, name).se == pytest.approx(getattr(second, name).se, rel=1e-9)


def test_a_policy_that_draws_is_worth_the_mixture_of_what_it_draws() -> None:
    sample, policy = sample_and_policy()
    n, half = len(sample), np.zeros((len(sample), len(ACTIONS) + 1))
    half[np.arange(n), policy.action + 1] += 0.5
    half[:, 0] += 0.5
    report = evaluate_policies(sample, [mixed_policy("half", half), policy, no_contact(n)])
    mixed, sure, none = (value_of(report, place).dr.value for place in range(3))
    assert mixed == pytest.approx((sure + none) / 2, abs=1e-9)
    assert difference_of(report, 1).differing == pytest.approx(np.mean(policy.action >= 0) / 2)


def test_without_any_action_left_no_contact_is_worth_what_happened() -> None:
    """All channels were taken out of the configuration: of old experiments the controls stay."""
    sample, _ = sample_and_policy()
    controls = sample.take(~sample.treated)
    n = len(controls)
    controls = replace(controls, actions=(), propensity=np.ones(n))
    found = value_of(evaluate_policies(controls, [no_contact(n)]))
    assert found.dr.value == pytest.approx(controls.profit.mean())


def test_a_mixture_must_be_one() -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        mixed_policy("odd", np.full((3, 2), 0.4))


def test_the_policy_that_made_the_log_is_worth_what_happened() -> None:
    sample, policy = sample_and_policy()
    report = evaluate_policies(sample, [policy, logged_policy(sample)])
    logged = value_of(report, 1)
    assert logged.dr.value == pytest.approx(sample.profit.mean())
    assert logged.support.effective_rows == pytest.approx(len(sample))


def test_a_models_expectation_alone_is_never_a_value() -> None:
    """There is no field for it, and no policy without followers gets one."""
    names = {field.name for field in fields(PolicyValue)}
    assert names == {"name", "shares", "support", "ips", "snips", "dr", "switch"}
    assert {field.name for field in fields(Switch)} == {
        "limit",
        "switched_share",
        "switched_weight",
        "value",
    }
    public = {name for name in vars(policy_value.Ledger) if not name.startswith("_")}
    assert public == {"sample", "outcome", "model", "residual", "scores"}
    sample, _ = sample_and_policy()
    followed = sample.action == 0
    unlike = Policy("unlike", np.where(followed, 1, 0).astype(np.int16))
    rows = sample.take(sample.action != 1)
    rare = Policy("rare", unlike.action[sample.action != 1])
    refused = evaluate_policies(rows, [rare]).values[0]
    assert isinstance(refused, Refused)


def test_switching_is_stated_and_never_replaces_most_of_the_weight() -> None:
    sample, policy = sample_and_policy()
    plain = value_of(evaluate_policies(sample, [policy]))
    assert plain.switch.limit == pytest.approx(np.sqrt(len(sample)))
    assert plain.switch.switched_share == 0.0
    assert plain.switch.value == plain.dr
    heavy = replace(sample, propensity=np.where(sample.action == 2, 1e-3, sample.propensity))
    ledger = policy_value.open_ledger(heavy, "profit")
    found = policy_value._judge(ledger, policy, policy_value.weights_of(policy, heavy))
    assert found.value.switch.switched_weight > policy_value.MOST_SWITCHED
    assert found.value.switch.value is None


def test_a_difference_that_is_not_proven_says_how_many_rows_it_takes() -> None:
    sample, policy = sample_and_policy(1500)
    found = difference_of(evaluate_policies(sample, [policy, no_contact(len(sample))]))
    if found.dr.low > 0 or found.dr.high < 0:
        pytest.fail("choose another seed: the difference is proven")
    assert found.verdict == "not proven yet"
    assert found.rows_to_prove is not None
    assert found.rows_to_prove > len(sample)


def test_a_large_difference_is_proven() -> None:
    sample, policy = sample_and_policy(8000)
    better = replace(sample, profit=sample.profit + 5.0 * (sample.action == policy.action))
    found = difference_of(evaluate_policies(better, [policy, no_contact(len(sample))]))
    assert found.verdict == "better"
    assert found.rows_to_prove is None
