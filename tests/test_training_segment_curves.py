"""Kaplan-Meier by hand, and which customers share a curve."""

import numpy as np
from small_ladder import random_value

from training.segment_curves import fit_segment_curves, kaplan_meier


def test_kaplan_meier_by_hand() -> None:
    # 6 silences: returns on days 1, 2, 2, 5; two unfinished ones seen for 2 and for 4 days.
    days = np.array([1.0, 2.0, 2.0, 5.0, 2.0, 4.0])
    returned = np.array([True, True, True, True, False, False])
    found = kaplan_meier(days, returned, at=np.array([0.0, 1.0, 1.9, 2.0, 4.0, 5.0, 99.0]))
    after_two = 5 / 6 * (1 - 2 / 5)
    np.testing.assert_allclose(found, [1, 5 / 6, 5 / 6, after_two, after_two, 0, 0])


def test_without_a_return_the_curve_stays_at_one() -> None:
    found = kaplan_meier(np.array([3.0, 4.0]), np.zeros(2, bool), at=np.array([0.0, 9.0]))
    assert found.tolist() == [1.0, 1.0]


def test_customers_of_a_segment_share_its_curve_and_small_segments_the_pooled() -> None:
    rng = np.random.default_rng(1)
    value = random_value(4000)
    quick = (value.stage == 0) & (value.orders >= 8)
    days = rng.exponential(np.where(quick, 2.0, 50.0))
    at = np.array([0.0, 5.0, 30.0])
    curves = fit_segment_curves(value, (days, np.ones(4000, bool)), at=at)
    survival = curves.survival_of(value)
    assert survival.shape == (4000, 3)
    assert np.all(np.diff(survival, axis=1) <= 0)
    assert len(np.unique(survival, axis=0)) == len(np.unique(curves.survival, axis=0))
    assert len(curves.segments) < 2 * 5 * 4
    own = [
        row
        for row in np.flatnonzero(quick)
        if not np.array_equal(survival[row], curves.survival[0])
    ]
    if own:
        assert survival[own, 1].max() < curves.survival[0, 1]


def test_few_customers_all_have_the_pooled_curve() -> None:
    value = random_value(30)
    curves = fit_segment_curves(value, (np.full(30, 4.0), np.ones(30, bool)), at=np.array([3.0]))
    assert len(curves.segments) == 0
    assert curves.survival_of(value).tolist() == [[1.0]] * 30
