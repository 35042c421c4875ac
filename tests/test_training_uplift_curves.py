import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_log import Customers, draw_customers, draw_log

from training.effect_sample import EffectSample
from training.policy_support import Policy, Refused
from training.uplift_curves import (
    GRID,
    UpliftCurves,
    _half_sample_spread,
    _measure,
    _tie_groups,
    measure_uplift,
)


def rate_by_definition(effects: np.ndarray, score: np.ndarray) -> tuple[float, float]:
    """AUTOC and Qini written as their definition says, ties at random averaged out."""
    order = np.argsort(-score, kind="stable")
    even = np.array([effects[score == score[row]].mean() for row in order])
    n = len(even)
    toc = [even[: j + 1].mean() - effects.mean() for j in range(n)]
    return float(np.mean(toc)), float(np.mean([(j + 1) / n * toc[j] for j in range(n)]))


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.tuples(st.floats(-5, 5, width=32), st.integers(0, 4)), min_size=1, max_size=40)
)
def test_rate_is_as_defined_with_ties(rows: list[tuple[float, int]]) -> None:
    effects = np.array([effect for effect, _ in rows], dtype=np.float64)
    score = np.array([score for _, score in rows], dtype=np.float64)
    order = np.argsort(-score, kind="stable")
    found = _measure(effects[order], _tie_groups(score[order]))
    assert found[:2] == pytest.approx(rate_by_definition(effects, score), abs=1e-9)
    assert found[2] == 0.0
    assert found[-1] == pytest.approx(effects.mean(), abs=1e-9)


def test_a_constant_score_ranks_nothing() -> None:
    effects = np.random.default_rng(1).normal(size=50)
    found = _measure(effects, _tie_groups(np.ones(50)))
    assert found[:2] == pytest.approx([0.0, 0.0], abs=1e-12)
    assert found[2:] == pytest.approx(GRID * effects.mean(), abs=1e-12)


def test_half_samples_spread_like_new_samples() -> None:
    rng = np.random.default_rng(2)
    drawn, spreads = [], []
    for _ in range(150):
        score = rng.normal(size=400)
        effects = 0.3 * score + rng.normal(size=400)
        order = np.argsort(-score)
        ranked, tie = effects[order], _tie_groups(score[order])
        drawn.append(_measure(ranked, tie)[:2])
        if len(spreads) < 10:
            spreads.append(_half_sample_spread(ranked, tie, np.arange(400), rng=rng)[:2])
    assert np.mean(spreads, axis=0) == pytest.approx(np.std(drawn, axis=0), rel=0.2)


def test_half_samples_draw_customers_not_rows() -> None:
    rng = np.random.default_rng(3)
    score = rng.normal(size=300)
    effects = rng.normal(size=300)
    order = np.argsort(-score, kind="stable")
    once = _half_sample_spread(effects[order], _tie_groups(score[order]), order, rng=rng)
    twice = np.repeat(order, 2)
    tie = _tie_groups(score[twice])
    doubled = _half_sample_spread(effects[twice], tie, twice, rng=rng)
    assert doubled[:2] == pytest.approx(once[:2], rel=0.25)


def judged(seed: int = 1, n: int = 6000) -> tuple[Customers, EffectSample, Policy]:
    customers = draw_customers(n, np.random.default_rng(seed))
    sample = draw_log(customers, np.random.default_rng(seed + 10))
    return customers, sample, Policy("email", np.zeros(n, dtype=np.int16))


def stated(found: UpliftCurves | Refused) -> UpliftCurves:
    assert isinstance(found, UpliftCurves), found
    return found


def test_a_good_score_is_told_from_a_bad_one() -> None:
    customers, sample, contact = judged()
    rng = np.random.default_rng(5)
    truth = customers.p[:, 1] - customers.p[:, 0]
    good = stated(measure_uplift(sample, contact, truth, outcome="returns", rng=rng))
    bad = stated(measure_uplift(sample, contact, -truth, outcome="returns", rng=rng))
    assert good.autoc.low > 0.0 > bad.autoc.high
    assert good.qini.low > 0.0 > bad.qini.high
    order = np.argsort(-truth)
    true = _measure(truth[order], _tie_groups(truth[order]))
    assert good.autoc.low < true[0] < good.autoc.high
    assert good.qini.low < true[1] < good.qini.high


def test_tenths_are_ordered_and_hold_all_rows() -> None:
    customers, sample, contact = judged()
    score = customers.x[:, 1]
    found = stated(
        measure_uplift(sample, contact, score, outcome="returns", rng=np.random.default_rng(1))
    )
    assert sum(tenth.rows for tenth in found.tenths) == len(sample)
    lowest = [tenth.lowest for tenth in found.tenths]
    assert lowest == sorted(lowest, reverse=True)
    total = sum(tenth.rows * tenth.effect.value for tenth in found.tenths)
    assert total / len(sample) == pytest.approx(found.effect.value)
    assert found.tenths[0].effect.value > found.tenths[-1].effect.value
    assert found.gained[-1] == pytest.approx(found.effect.value)


def test_the_order_of_rows_never_matters() -> None:
    customers, sample, contact = judged(n=2000)
    score = np.round(customers.x[:, 1], 1)
    order = np.random.default_rng(7).permutation(len(sample))
    first = stated(measure_uplift(sample, contact, score, rng=np.random.default_rng(1)))
    second = stated(
        measure_uplift(sample.take(order), contact, score[order], rng=np.random.default_rng(1))
    )
    assert first.autoc.value == pytest.approx(second.autoc.value, rel=1e-9)
    assert first.autoc.se == pytest.approx(second.autoc.se, rel=1e-9)
    assert first.gained_high == pytest.approx(second.gained_high, rel=1e-9)


def test_a_log_without_control_is_refused() -> None:
    customers, sample, contact = judged(n=1000)
    treated = sample.action >= 0
    found = measure_uplift(
        sample.take(treated),
        Policy("email", contact.action[treated]),
        customers.x[treated, 1],
        rng=np.random.default_rng(1),
    )
    assert isinstance(found, Refused)
    assert found.reason == "no_control"
