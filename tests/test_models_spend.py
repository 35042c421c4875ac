"""Gamma-Gamma spend: truths recovered, published figures, shrinkage, odd prices."""

import json
import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import betaprime

from features.errors import ArtifactError, DataError
from models.spend import Spend, fit_spend, spend_from_json

DATA = Path(os.environ.get("WINBACK_DATA", Path(__file__).parent.parent / ".." / "shared" / "data"))
P, Q, GAMMA = 6.25, 3.74, 15.44
KNOWN = Spend(P, Q, GAMMA, 0.0, 100, 0, True)


def simulated(customers: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean values, orders and the true expected values of customers of a known model."""
    rng = np.random.default_rng(seed)
    orders = rng.geometric(0.4, customers).astype(float)
    rate = rng.gamma(Q, 1 / GAMMA, customers)
    return rng.gamma(P * orders) / rate / orders, orders, P / rate


def log_likelihood(value: np.ndarray, orders: np.ndarray) -> float:
    """At the truth, through the beta distribution that the share of gamma and total has."""
    shape = P * orders
    return float(betaprime(shape, Q, scale=GAMMA / orders).logpdf(value).sum())


def test_the_truth_is_recovered() -> None:
    value, orders, _ = simulated(50_000, 1)

    fitted = fit_spend(value, orders)

    assert fitted.converged
    assert (fitted.customers, fitted.left_out) == (50_000, 0)
    assert fitted.p == pytest.approx(P, rel=0.1)
    assert fitted.q == pytest.approx(Q, rel=0.1)
    assert fitted.gamma == pytest.approx(GAMMA, rel=0.15)
    assert fitted.mean == pytest.approx(P * GAMMA / (Q - 1), rel=0.02)
    # Chi-squared with 3 degrees of freedom: 16.3 is one in 1000.
    assert 0 <= 2 * (fitted.log_likelihood - log_likelihood(value, orders)) < 16.3


def test_expected_values_are_right_on_average_for_every_number_of_orders() -> None:
    value, orders, truth = simulated(60_000, 2)
    expected = KNOWN.expected_value(value, orders)
    for rows in (orders == 1, orders == 2, orders > 3, value > np.quantile(value, 0.9)):
        error = truth[rows] - expected[rows]
        assert abs(error.mean()) < 4 * error.std() / np.sqrt(rows.sum())
    own = np.mean((truth - value) ** 2)
    assert np.mean((truth - expected) ** 2) < 0.8 * own


def test_the_more_orders_the_closer_to_the_own_mean() -> None:
    orders = np.array([1.0, 3.0, 10.0, 1e6])
    expected = KNOWN.expected_value(np.full(4, 200.0), orders)
    assert (np.diff(expected) > 0).all()
    assert KNOWN.mean < expected[0]
    assert expected[-1] == pytest.approx(200.0, rel=1e-4)


def test_who_never_ordered_gets_everybodys_mean() -> None:
    value = np.array([np.nan, 0.0, np.nan, 10.0])
    orders = np.array([0.0, 0.0, 2.0, np.nan])
    np.testing.assert_allclose(KNOWN.expected_value(value, orders), KNOWN.mean)


def test_refunded_customers_count_as_nought() -> None:
    value, orders = np.array([0.0, -50.0]), np.array([2.0, 2.0])
    expected = KNOWN.expected_value(value, orders)
    assert expected[0] == expected[1] == pytest.approx(P * GAMMA / (2 * P + Q - 1))


def test_free_orders_are_left_out_of_the_fit_and_counted() -> None:
    value, orders, _ = simulated(500, 3)
    none = np.array([0.0, -3.0, np.nan, 7.0])

    fitted = fit_spend(np.append(value, none), np.append(orders, [1.0, 1.0, 1.0, 0.0]))

    alone = fit_spend(value, orders)
    assert fitted.left_out == 4
    assert (fitted.p, fitted.q, fitted.gamma) == (alone.p, alone.q, alone.gamma)


@pytest.mark.parametrize("value", [[], [0.0, 0.0, 0.0], [np.nan, -1.0]])
def test_prices_all_nought_are_refused(value: list[float]) -> None:
    with pytest.raises(DataError, match=f"none of {len(value)} customers has orders with"):
        fit_spend(np.array(value), np.ones(len(value)))


@pytest.mark.parametrize(
    ("value", "orders"),
    [
        ([5.0], [1.0]),
        ([5.0] * 100, [3.0] * 100),
        ([5.0] * 100 + [1e9], [1.0] * 101),
        ([1e-9, 2e-9, 5e-9], [1.0, 2.0, 1.0]),
        ([3.0, 4.0, 9.0], [1e6, 1e6, 1e6]),
    ],
)
def test_odd_prices_get_finite_parameters(value: list[float], orders: list[float]) -> None:
    columns = np.array(value), np.array(orders)

    with np.errstate(divide="raise", invalid="raise", over="raise"):
        fitted = fit_spend(*columns)
        expected = fitted.expected_value(*columns)

    assert fitted.converged
    assert np.isfinite([fitted.p, fitted.q, fitted.gamma, fitted.log_likelihood]).all()
    assert (expected > 0).all()
    assert expected.min() >= min(value) * 0.5
    if len(set(value)) == 1:
        np.testing.assert_allclose(expected, 5.0, rtol=1e-3)


def test_the_currency_does_not_matter() -> None:
    value, orders, _ = simulated(2_000, 4)
    here, there = fit_spend(value, orders), fit_spend(value * 130.0, orders)
    assert there.gamma / 130 == pytest.approx(here.gamma, rel=1e-3)
    assert there.p == pytest.approx(here.p, rel=1e-3)


def test_json_gives_the_same_model_back() -> None:
    fitted = fit_spend(*simulated(100, 5)[:2])
    assert spend_from_json(json.loads(json.dumps(fitted.to_json()))) == fitted


@pytest.mark.parametrize(
    "change", [{"p": 0.0}, {"q": 1.0}, {"gamma": float("nan")}, {"q": "high"}, {"customers": None}]
)
def test_a_model_that_cannot_be_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ArtifactError, match="not a fitted Gamma-Gamma model"):
        spend_from_json({**KNOWN.to_json(), **change})


@pytest.mark.real_data
def test_the_cdnow_sample_gives_the_published_model() -> None:
    file = DATA / "cdnow" / "CDNOW_sample.txt"
    if not file.is_file():
        pytest.skip(f"no cdnow/CDNOW_sample.txt in the folder WINBACK_DATA ({DATA})")
    spent: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for line in file.read_text(encoding="utf-8").splitlines():
        _, customer, day, _, value = line.split()
        if day <= "19970930":
            spent[customer][day] += float(value)
    repeats = [[days[day] for day in sorted(days)[1:]] for days in spent.values() if len(days) > 1]

    fitted = fit_spend(
        np.array([np.mean(values) for values in repeats]),
        np.array([float(len(values)) for values in repeats]),
    )

    assert fitted.customers == 946
    # Fader and Hardie 2013, repeat orders of the calibration period.
    for name, value in (("p", P), ("q", Q), ("gamma", GAMMA)):
        assert getattr(fitted, name) == pytest.approx(value, rel=0.01)
