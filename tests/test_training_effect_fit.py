"""The ladder of effects: how far a log carries, and that it says no more than it carries."""

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from models.action_value import ActionTerms, expected_gains
from models.contact_effect import EffectPriors
from training.effect_compare import clustered_difference
from training.effect_fit import EffectFit, fit_contact_effect
from training.effect_plan import EffectPlan
from training.effect_rungs import cross_fit_folds, fit_rung
from training.effect_sample import NO_CONTACT, EffectSample, concat_samples

Floats = NDArray[np.float64]
ACTIONS = ("push/none", "push/coupon", "sms/none", "sms/coupon")
SHIFT = np.array([0.2, 0.5, 0.3, 0.6])
NOTHING = np.zeros(4)
TASTE = np.array([1.0, 1.0, -1.0, -1.0])
"""Who likes push dislikes text messages."""

PRIORS = EffectPriors(
    mean=np.zeros(4),
    channel_sd=np.array([0.3, 0.3]),
    offer_sd=np.array([0.0, 0.3]),
    moved=np.zeros(4, dtype=np.bool_),
)
TERMS = ActionTerms(
    discount=np.array([0.0, 0.1, 0.0, 0.1]),
    cost_on_return=np.zeros(4),
    contact_cost=np.array([0.01, 0.01, 0.05, 0.05]),
    gross_margin=0.35,
)
PLAN = EffectPlan()


def draw(
    n: int, seed: int, *, shift: Floats = SHIFT, taste: float = 0.0, control: float = 0.5
) -> tuple[EffectSample, Floats]:
    """A randomised log of n customers, and the true shift of each by each action."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    odds = -2.2 + 0.7 * x[:, 0]
    true = shift + taste * x[:, [1]] * TASTE
    share = (1.0 - control) / 4
    action = rng.choice(5, n, p=[control, *[share] * 4]).astype(np.int16) - np.int16(1)
    own = np.where(action == NO_CONTACT, 0.0, true[np.arange(n), action])
    sample = EffectSample(
        x=x,
        feature_names=("a", "b", "c"),
        log_odds0=odds,
        order_value=np.full(n, 30.0),
        action=action,
        propensity=np.where(action == NO_CONTACT, control, share),
        returned=(rng.random(n) < expit(odds + own)).astype(np.int8),
        profit=np.zeros(n),
        left=np.zeros(n, dtype=np.int8),
        cluster=rng.integers(0, 2**64, n, dtype=np.uint64),
        as_of_us=np.zeros(n, dtype=np.int64),
        actions=ACTIONS,
    )
    return sample, true


def fit(
    sample: EffectSample, *, priors: EffectPriors = PRIORS, plan: EffectPlan = PLAN
) -> EffectFit:
    return fit_contact_effect(sample, priors=priors, terms=TERMS, plan=plan)


def true_profit(said: Floats, judged: EffectSample, true: Floats) -> float:
    """Profit per customer of giving everybody what these shifts recommend."""

    def gains(shift: Floats) -> Floats:
        return expected_gains(
            expit(judged.log_odds0),
            expit(judged.log_odds0[:, None] + shift),
            order_value=judged.order_value,
            attrition_cost=np.zeros(4),
            terms=TERMS,
        )

    expected = gains(said)
    best, rows = expected.argmax(axis=1), np.arange(len(judged))
    return float((gains(true)[rows, best] * (expected[rows, best] > 0)).mean())


def test_without_control_the_assumptions_stay_and_it_says_why() -> None:
    found = fit(draw(2000, 1, control=0.0)[0])
    assert found.model.rung == "priors"
    assert found.model.evidence == ("rules",) * 4
    odds, x = np.zeros(2), np.zeros((2, 3))
    assert found.model.shifts(odds, x).sd == pytest.approx(np.tile(PRIORS.sd, (2, 1)))
    assert found.report.verdicts == (
        "contact effect: not proven yet; assumptions serve",
        "arm_means not tried: there is no control, so no effect can be measured",
    )


def test_assumptions_moved_by_observation_say_so_until_they_are_measured() -> None:
    moved = replace(PRIORS, moved=np.array([True, False, False, True]))
    none = fit(draw(2000, 1, control=0.0)[0], priors=moved)
    assert none.model.evidence == ("response", "rules", "rules", "response")
    assert fit(draw(8000, 1)[0], priors=moved).model.evidence == ("uplift",) * 4


def test_too_few_returns_leave_the_assumptions_and_are_counted() -> None:
    sample = draw(60, 2)[0]
    found = fit(sample)
    returned = int(sample.returned[sample.treated].sum())
    assert returned < PLAN.arm_means_from
    assert found.model.rung == "priors"
    assert found.report.steps[0].reason == (
        f"arm_means not tried: {returned} returns after a contact, {10 - returned} too few"
    )


def test_few_returns_give_one_mean_per_action() -> None:
    found = fit(draw(2000, 1)[0])
    assert PLAN.arm_means_from < found.report.treated_returns < PLAN.ridge_from
    assert found.model.rung == "arm_means"
    assert found.model.basis is None
    assert found.report.steps[-1].reason.startswith("ridge not tried")


@pytest.mark.parametrize("rung", ["priors", "arm_means", "ridge"])
def test_no_further_than_allowed(rung: Literal["priors", "arm_means", "ridge"]) -> None:
    sample = draw(16_000, 1, taste=0.5)[0]
    found = fit(sample, plan=replace(PLAN, at_most=rung, stack_from=100))
    assert found.model.rung == rung
    assert found.report.steps[-1].reason.endswith(f"not tried: effects.at_most is {rung}")


def test_thresholds_are_the_plans() -> None:
    sample = draw(8000, 1, taste=0.5)[0]
    returned = int(sample.returned[sample.treated].sum())
    assert fit(sample, plan=replace(PLAN, ridge_from=returned)).model.rung == "ridge"
    later = fit(sample, plan=replace(PLAN, ridge_from=returned + 1))
    assert later.model.rung == "arm_means"
    assert later.report.steps[-1].reason.endswith("1 too few")
    stacked = fit(sample, plan=replace(PLAN, stack_from=returned))
    assert stacked.report.steps[-1].rung == "stack"
    assert stacked.report.steps[-1].log_loss is not None


def test_where_contact_does_the_same_to_all_differences_are_hardly_believed() -> None:
    """Either the means serve, or a ridge of which little is left and that costs nothing."""
    judged, truth = draw(8000, 98)
    spread, ours, theirs = [], [], []
    for seed in range(5):
        sample = draw(8000, seed)[0]
        found = fit(sample).model
        shifts = found.shifts(judged.log_odds0, judged.x)
        assert (np.abs(shifts.mean.mean(axis=0) - SHIFT) < 4 * shifts.sd.mean(axis=0)).all()
        assert found.evidence == ("uplift",) * 4
        spread.append(shifts.mean.std(axis=0).mean())
        means = fit_rung(sample, "arm_means", priors=PRIORS).effect
        ours.append(true_profit(shifts.mean, judged, truth))
        theirs.append(true_profit(means.means(judged.log_odds0, judged.x), judged, truth))
    assert np.mean(spread) < 0.08
    assert np.mean(ours) > 0.9 * np.mean(theirs)


def test_where_customers_differ_the_ridge_earns_more_than_means() -> None:
    judged, truth = draw(8000, 99, taste=0.5)
    for seed in range(2):
        sample = draw(16_000, seed, taste=0.5)[0]
        found = fit(sample).model
        assert found.rung == "ridge"
        means = fit_rung(sample, "arm_means", priors=PRIORS).effect
        ours, theirs = (
            true_profit(one.means(judged.log_odds0, judged.x), judged, truth)
            for one in (found, means)
        )
        assert 1.3 * theirs < ours < true_profit(truth, judged, truth)


def test_a_wrong_and_confident_assumption_is_overruled() -> None:
    wrong = EffectPriors(
        mean=np.full(4, -1.0),
        channel_sd=np.array([0.1, 0.1]),
        offer_sd=np.array([0.0, 0.1]),
        moved=np.zeros(4, dtype=np.bool_),
    )
    sample = draw(16_000, 2)[0]
    found = fit(sample, priors=wrong)
    shifts = np.array([one.shift for one in found.report.actions])
    sds = np.array([one.shift_sd for one in found.report.actions])
    assert (np.abs(shifts - SHIFT) < 3 * sds).all()
    assert (shifts > 0.0).all()
    assert found.model.evidence == ("uplift",) * 4


@pytest.mark.parametrize(
    ("dropped", "evidence"),
    [
        ((2, 3), ("uplift", "uplift", "rules", "rules")),
        ((3,), ("uplift", "uplift", "uplift", "rules")),
    ],
)
def test_an_action_never_tried_is_not_measured(
    dropped: tuple[int, ...], evidence: tuple[str, ...]
) -> None:
    """Not even where both its channel and its offer were tried."""
    sample = draw(16_000, 2)[0]
    found = fit(sample.take(~np.isin(sample.action, dropped)))
    assert found.model.evidence == evidence
    untried = [one for one in found.report.actions if not one.rows]
    assert [one.action for one in untried] == [ACTIONS[code] for code in dropped]
    assert all(one.shift_sd > 0.1 for one in untried)


def test_where_contact_does_nothing_effects_are_seen_no_more_than_by_chance() -> None:
    shares = []
    for seed in range(20):
        sample = draw(3000, seed, shift=NOTHING)[0]
        found = fit(sample).model.shifts(sample.log_odds0, sample.x)
        shares.append(float((found.mean - 1.96 * found.sd > 0.0).mean()))
    assert np.mean(shares) < 0.06


def test_the_order_of_rows_does_not_matter() -> None:
    sample = draw(4000, 5, taste=0.5)[0]
    order = np.random.default_rng(1).permutation(len(sample))
    one, other = fit(sample), fit(sample.take(order))
    assert one.model.rung == other.model.rung == "ridge"
    assert other.model.mean == pytest.approx(one.model.mean, abs=1e-6)
    assert [step.reason for step in other.report.steps] == [
        step.reason for step in one.report.steps
    ]


def test_too_many_rows_are_thinned_by_customer() -> None:
    sample = draw(4000, 6)[0]
    both = concat_samples([sample, sample])
    found = fit(both, plan=replace(PLAN, max_rows=2000))
    assert found.report.rows == 2 * found.report.customers
    assert 1600 < found.report.rows < 2400


def test_folds_keep_customers_together_and_differences_count_them_once() -> None:
    sample = draw(3000, 7)[0]
    folds = cross_fit_folds(np.tile(sample.cluster, 2), folds=5)
    assert (folds[:3000] == folds[3000:]).all()
    assert np.bincount(folds).min() > 1000
    values = np.random.default_rng(1).normal(size=3000)
    once = clustered_difference(values, sample.cluster)
    twice = clustered_difference(np.tile(values, 2), np.tile(sample.cluster, 2))
    assert (twice.value, twice.low) == pytest.approx((once.value, once.low))
    error = values.std() / np.sqrt(3000)
    assert once.high - once.value == pytest.approx(1.96 * error, rel=1e-3)


def test_the_report_is_plain_and_counts_what_was_there() -> None:
    sample = draw(4000, 8)[0]
    report = fit(sample).report
    document = report.to_json()
    assert document["controls"] == int((sample.action == NO_CONTACT).sum())
    assert [one["rows"] for one in document["actions"]] == [
        int((sample.action == code).sum()) for code in range(4)
    ]
    assert document["verdicts"][0].startswith("contact effect: arm_means on 4000 assignments")
    assert "measured for 4 of 4 actions" in document["verdicts"][0]
