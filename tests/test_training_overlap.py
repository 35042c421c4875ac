import numpy as np
import pytest

from training.overlap import compare, effective_size, report_overlap


def test_effective_size_is_the_count_for_equal_weights_and_less_otherwise() -> None:
    assert effective_size(np.full(10, 3.0)) == pytest.approx(10)
    assert effective_size(np.array([9.0, 1.0])) == pytest.approx(100 / 82)
    assert effective_size(np.zeros(3)) == 0.0


def test_rows_outside_the_limits_are_left_out_and_counted() -> None:
    e = np.array([0.005, 0.1, 0.5, 0.995, 0.3])
    none = 1.0 - e
    treated = np.array([True, False, True, True, False])
    found = compare(
        (e, none),
        (0.01, 0.01),
        treated=treated,
        control=~treated,
        possible=np.array([True, True, True, True, False]),
    )
    assert found.rows.tolist() == [1, 2]
    assert (found.possible, found.trimmed) == (4, 2)
    assert found.low == pytest.approx(0.25)
    assert found.weight_treated.sum() == pytest.approx(2)
    assert found.weight_control.sum() == pytest.approx(2)
    assert found.raw_sums == pytest.approx((1.0, 1 / 0.9 / 2))


def test_weights_by_known_propensities_balance_what_differed() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(20_000, 2))
    e = 1.0 / (1.0 + np.exp(-x[:, 0]))
    treated = rng.uniform(size=20_000) < e
    found = compare(
        (e, 1.0 - e),
        (0.01, 0.01),
        treated=treated,
        control=~treated,
        possible=np.ones(20_000, dtype=np.bool_),
    )
    report = report_overlap(
        found,
        x.astype(np.float32),
        names=("a", "b"),
        action="sms/none",
        treated=int(treated.sum()),
    )
    assert report.smd_before > 0.7
    assert report.smd_after < 0.1
    assert report.balanced
    assert report.effective_treated < report.treated_kept
    assert report.max_weight > 5


def test_a_difference_that_weights_leave_is_named() -> None:
    x = np.zeros((2000, 2), dtype=np.float32)
    treated = np.arange(2000) % 2 == 0
    x[:, 1] = treated + np.random.default_rng(2).normal(size=2000)
    e = np.full(2000, 0.5)
    found = compare(
        (e, e), (0.01, 0.01), treated=treated, control=~treated, possible=np.ones(2000, bool)
    )
    report = report_overlap(found, x, names=("flat", "worst"), action="a", treated=1000)
    assert report.worst_feature == "worst"
    assert report.smd_after == pytest.approx(1.0, abs=0.1)
    assert report.balanced is False


def test_chance_in_a_small_group_is_no_imbalance() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(5000, 30)).astype(np.float32)
    treated = np.zeros(5000, dtype=np.bool_)
    treated[:60] = True
    e = np.full(5000, 60 / 5000)
    found = compare(
        (e, 1 - e), (0.0012, 0.01), treated=treated, control=~treated, possible=np.ones(5000, bool)
    )
    names = tuple(f"x{i}" for i in range(30))
    report = report_overlap(found, x, names=names, action="a", treated=60)
    assert report.smd_after > 0.1
    assert report.balanced
