import numpy as np
import pytest

from benchmarks.contact_worlds import ACTIONS, QUICK, contact_world
from features.errors import DataError
from training.contact_propensity import (
    estimate_propensities,
    fit_propensities,
    judge_calibration,
    with_estimated_propensities,
)
from training.contact_rows import ContactRows
from training.effect_sample import EffectSample
from training.propensity_forests import PropensityPlan, customer_parts

PLAN = QUICK.propensity


def fitted(rows: ContactRows, **more):
    return fit_propensities(
        rows.x, rows.action, cluster=rows.cluster, actions=ACTIONS, plan=PLAN, **more
    )


def test_propensities_sum_to_one_and_impossible_actions_have_none() -> None:
    rows = contact_world(2000, seed=1, rule="observed")
    possible = np.ones((2000, 4), dtype=np.bool_)
    closed = (rows.action != 2) & (rows.action != 3) & (rows.x[:, 1] > 0)
    possible[closed, 2:] = False
    found = fitted(rows, possible=possible)
    assert found.probability.sum(axis=1) == pytest.approx(np.ones(2000))
    assert (found.probability[closed, 3:] == 0.0).all()
    assert (found.probability[~closed] > 0.0).all()
    assert found.floor[1:].max() <= 0.01


def test_the_floor_of_a_rare_action_is_a_tenth_of_its_share() -> None:
    rows = contact_world(2000, seed=2, rule="random", share=0.05)
    found = fitted(rows)
    share = np.count_nonzero(rows.action == 3) / 2000
    assert found.floor[4] == pytest.approx(share / 10)
    assert found.floor[0] == 0.01


def test_propensities_of_a_random_rule_hardly_vary_and_are_calibrated() -> None:
    rows = contact_world(6000, seed=3, rule="random")
    found = fitted(rows)
    assert found.probability[:, 0] == pytest.approx(np.full(6000, 0.6), abs=0.08)
    for one in judge_calibration(found, rows.as_of_us):
        assert one.ece < 0.06


def test_propensities_follow_the_rule_that_decided() -> None:
    rows = contact_world(6000, seed=4, rule="observed")
    found = fitted(rows)
    order = np.corrcoef(1.0 - found.probability[:, 0], rows.x[:, 0])[0, 1]
    assert order > 0.9
    none = judge_calibration(found, rows.as_of_us)[0]
    assert none.name == "none"
    assert 0.8 < none.slope < 1.2


def test_all_rows_of_a_customer_are_predicted_by_models_of_others() -> None:
    rows = contact_world(1000, seed=5, rule="observed")
    part = customer_parts(rows.cluster, 3)
    assert len({(c, p) for c, p in zip(rows.cluster, part, strict=True)}) == 500
    found = fitted(rows)
    # A customer's own actions never reach the forests that predict them.
    mine = rows.cluster == rows.cluster[0]
    other = rows.action.copy()
    other[mine] = np.where(other[mine] < 0, 0, -1)
    changed = fit_propensities(rows.x, other, cluster=rows.cluster, actions=ACTIONS, plan=PLAN)
    assert np.array_equal(found.raw[mine], changed.raw[mine])


def test_estimated_propensities_are_those_of_the_assigned_action() -> None:
    rows = contact_world(3000, seed=6, rule="random")
    found = estimate_propensities(
        rows.x,
        rows.action,
        cluster=rows.cluster,
        as_of_us=rows.as_of_us,
        actions=ACTIONS,
        plan=PropensityPlan(contact_rounds=10, channel_rounds=5, offer_rounds=5),
    )
    assert ((found.propensity > 0) & (found.propensity <= 1)).all()
    for code, share in zip((-1, 0, 1, 2, 3), (0.6, 0.16, 0.12, 0.08, 0.04), strict=True):
        assert found.propensity[rows.action == code].mean() == pytest.approx(share, abs=0.04)
    # Inverse propensities of an action add up to all rows.
    idle = rows.action == -1
    assert np.sum(1.0 / found.propensity[idle]) == pytest.approx(3000, rel=0.05)


def test_assignments_that_are_all_the_same_have_no_propensity() -> None:
    rows = contact_world(50, seed=7, rule="random")
    for code, word in ((-1, "no contact"), (2, '"sms/none"')):
        with pytest.raises(DataError, match=f"all 50 assignments .* {word}"):
            estimate_propensities(
                rows.x,
                np.full(50, code, dtype=np.int16),
                cluster=rows.cluster,
                as_of_us=rows.as_of_us,
                actions=ACTIONS,
            )


def test_a_sample_without_propensities_gets_estimated_ones() -> None:
    rows = contact_world(1500, seed=8, rule="observed")
    n = len(rows)
    sample = EffectSample(
        x=rows.x.astype(np.float64),
        feature_names=rows.feature_names,
        log_odds0=np.zeros(n),
        order_value=np.ones(n),
        action=rows.action,
        propensity=np.full(n, np.nan),
        returned=rows.returned,
        profit=np.zeros(n),
        left=np.zeros(n, dtype=np.int8),
        cluster=rows.cluster,
        as_of_us=rows.as_of_us,
        actions=ACTIONS,
    )
    whole, found = with_estimated_propensities(sample, PLAN)
    assert np.array_equal(whole.propensity, found.propensity)
    assert np.isnan(sample.propensity).all()
    idle = whole.action == -1
    assert np.corrcoef(whole.propensity[idle], whole.x[idle, 0])[0, 1] < -0.9
