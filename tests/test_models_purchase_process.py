"""Purchase processes: truths recovered, forecasts that come true, published figures."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import hyp2f1

from benchmarks.purchase_process import (
    PUBLISHED,
    TRUTH,
    SimulatedCustomers,
    read_sample,
    simulate_customers,
)
from features.errors import ArtifactError, DataError
from models.purchase_counts import PurchaseCounts, collapse_counts
from models.purchase_likelihood import Likelihood, Process
from models.purchase_process import (
    PROCESSES,
    PurchaseProcess,
    fit_process,
    process_from_json,
)

DATA = Path(os.environ.get("WINBACK_DATA", Path(__file__).parent.parent / ".." / "shared" / "data"))
HORIZON = 120.0
Numbers = list[float]


def simulated(process: Process, *, customers: int = 60_000, seed: int = 1) -> SimulatedCustomers:
    rng = np.random.default_rng(seed)
    age = rng.integers(1, 500, customers).astype(float)
    return simulate_customers(process, TRUTH, age=age, horizon=HORIZON, rng=rng)


def known(process: Process, **changes: float) -> PurchaseProcess:
    parameters: dict[str, Any] = {**TRUTH, **changes}
    return PurchaseProcess(
        process, **parameters, log_likelihood=0.0, customers=0, returning=0, converged=True
    )


def counts_of(repeats: Numbers, last: Numbers, age: Numbers) -> PurchaseCounts:
    return collapse_counts(np.array(repeats), np.array(last), np.array(age))


def sample_or_skip() -> PurchaseCounts:
    file = DATA / "cdnow" / "CDNOW_sample.txt"
    if not file.is_file():
        pytest.skip(f"no cdnow/CDNOW_sample.txt in the folder WINBACK_DATA ({DATA})")
    return read_sample(file)


@pytest.mark.parametrize("process", PROCESSES)
def test_the_truth_is_recovered(process: Process) -> None:
    found = simulated(process)
    counts = collapse_counts(found.repeats, found.last, found.age)

    fitted = fit_process(counts, process=process)

    assert fitted.converged
    assert fitted.informed
    assert fitted.customers == 60_000
    assert fitted.returning == np.count_nonzero(found.repeats)
    for name, value in TRUTH.items():
        assert getattr(fitted, name) == pytest.approx(value, rel=0.12)
    at_truth, _ = Likelihood.of(counts, process=process).evaluate(np.array(list(TRUTH.values())))
    # Twice the gain over the truth is chi-squared with 4 degrees of freedom: 18.5 is one in 1000.
    assert 0 <= 2 * (fitted.log_likelihood - at_truth) < 18.5


@pytest.mark.parametrize("process", PROCESSES)
def test_forecasts_come_true_for_every_number_of_repeats(process: Process) -> None:
    found = simulated(process, seed=2)
    records = (found.repeats, found.last, found.age)
    model = known(process)
    forecasts = (
        (model.p_alive(*records), found.alive.astype(float)),
        (model.p_order(*records, horizon=HORIZON), (found.later > 0).astype(float)),
        (model.expected_orders(*records, horizon=HORIZON), found.later),
    )
    for low, high in ((0, 0), (1, 1), (2, 3), (4, 9), (10, 10_000)):
        rows = (found.repeats >= low) & (found.repeats <= high)
        for forecast, outcome in forecasts:
            error = outcome[rows] - forecast[rows]
            allowed = 4 * error.std() / np.sqrt(rows.sum()) + 1e-12
            assert abs(error.mean()) < allowed, (low, high)


@pytest.mark.parametrize("process", PROCESSES)
def test_likelihoods_are_probabilities(process: Process) -> None:
    """P(no repeats in T), from the simulator, is the likelihood of (0, 0, T)."""
    rng = np.random.default_rng(3)
    age = np.full(100_000, 90.0)
    found = simulate_customers(process, TRUTH, age=age, horizon=0.0, rng=rng)
    counts = counts_of([0.0], [0.0], [90.0])

    log_likelihood, _ = Likelihood.of(counts, process=process).evaluate(
        np.array(list(TRUTH.values()))
    )

    assert np.exp(log_likelihood) == pytest.approx(np.mean(found.repeats == 0), abs=0.006)


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("point", [(0.3, 5.0, 0.7, 2.0), (4.0, 90.0, 3.0, 0.4)])
def test_the_gradient_is_the_slope(process: Process, point: tuple[float, ...]) -> None:
    found = simulated(process, customers=300, seed=4)
    likelihood = Likelihood.of(
        collapse_counts(found.repeats, np.rint(found.last), found.age), process=process
    )
    middle = np.array(point)

    _, gradient = likelihood.evaluate(middle)

    for i in range(4):
        step = np.zeros(4)
        step[i] = 1e-5 * middle[i]
        rise = likelihood.evaluate(middle + step)[0] - likelihood.evaluate(middle - step)[0]
        assert gradient[i] == pytest.approx(rise / (2 * step[i]), rel=1e-4, abs=1e-4)


def test_collapsing_keeps_every_customer_and_changes_no_likelihood() -> None:
    found = simulated("mbg_nbd", customers=3_000, seed=5)
    last = np.rint(found.last)
    counts = collapse_counts(found.repeats, last, found.age)
    apart = PurchaseCounts(found.repeats, last, found.age, np.ones(3_000))

    assert len(counts.repeats) < 3_000
    assert counts.customers == apart.customers == 3_000
    assert counts.returning == np.count_nonzero(found.repeats)
    records = np.stack([counts.repeats, counts.age, counts.last], axis=1)
    np.testing.assert_array_equal(records, np.unique(records, axis=0))
    point = np.array([0.5, 20.0, 1.0, 2.0])
    values = [Likelihood.of(which, process="mbg_nbd").evaluate(point) for which in (counts, apart)]
    assert values[0][0] == pytest.approx(values[1][0], rel=1e-12)
    np.testing.assert_allclose(values[0][1], values[1][1], rtol=1e-9)


def test_the_order_of_customers_does_not_matter() -> None:
    found = simulated("mbg_nbd", customers=2_000, seed=6)
    order = np.random.default_rng(0).permutation(2_000)

    straight = fit_process(collapse_counts(found.repeats, found.last, found.age), process="mbg_nbd")
    mixed = fit_process(
        collapse_counts(found.repeats[order], found.last[order], found.age[order]),
        process="mbg_nbd",
    )

    assert mixed == straight


@pytest.mark.parametrize("process", PROCESSES)
def test_the_unit_of_time_does_not_matter(process: Process) -> None:
    found = simulated(process, customers=3_000, seed=7)
    records = (found.repeats, found.last, found.age)
    weeks = (found.repeats, found.last / 7, found.age / 7)

    in_days = fit_process(collapse_counts(*records), process=process)
    in_weeks = fit_process(collapse_counts(*weeks), process=process)

    assert in_weeks.alpha * 7 == pytest.approx(in_days.alpha, rel=1e-3)
    np.testing.assert_allclose(
        in_weeks.p_order(*weeks, horizon=10.0), in_days.p_order(*records, horizon=70.0), rtol=1e-3
    )


@pytest.mark.parametrize("a", [0.3, 0.999, 1.001, 2.0, 40.0])
@pytest.mark.parametrize("process", PROCESSES)
def test_expected_orders_equal_the_closed_form(process: Process, a: float) -> None:
    model = known(process, a=a)
    repeats = np.array([0.0, 1.0, 2.0, 7.0, 30.0])
    age, last = np.full(5, 200.0), np.array([0.0, 10.0, 90.0, 199.0, 200.0])
    n, kept = model.r + repeats, model.b + repeats + (process == "mbg_nbd")
    rest = a + kept - 1
    share = HORIZON / (model.alpha + age + HORIZON)
    closed = rest / (a - 1) * (1 - (1 - share) ** n * hyp2f1(n, kept, rest, share))

    found = model.expected_orders(repeats, last, age, horizon=HORIZON)

    np.testing.assert_allclose(found, closed * model.p_alive(repeats, last, age), rtol=1e-7)


@pytest.mark.parametrize("process", PROCESSES)
def test_where_the_closed_form_divides_by_nought_expectations_stay_smooth(
    process: Process,
) -> None:
    records = (np.array([0.0, 3.0]), np.array([0.0, 50.0]), np.array([0.0, 60.0]))
    around = [
        known(process, a=a).expected_orders(*records, horizon=365.0) for a in (1 - 1e-6, 1.0, 1.001)
    ]
    np.testing.assert_allclose(around[0], around[1], rtol=1e-5)
    np.testing.assert_allclose(around[2], around[1], rtol=1e-2)
    for extreme in ({"alpha": 1e-3}, {"a": 1e-5}, {"b": 1e5}, {"r": 1e5}, {"a": 1e5, "b": 1e-5}):
        expected = known(process, **extreme).expected_orders(*records, horizon=365.0)
        assert np.isfinite(expected).all()
        assert (expected >= 0).all()


@pytest.mark.parametrize("process", PROCESSES)
def test_silence_lowers_and_a_longer_horizon_raises_the_chances(process: Process) -> None:
    model = known(process)
    ages = np.arange(100.0, 2_000.0, 50.0)
    steady = np.full(len(ages), 4.0), np.full(len(ages), 100.0)

    assert (np.diff(model.p_alive(*steady, ages)) < 0).all()
    near = model.p_order(*steady, ages, horizon=30.0)
    far = model.p_order(*steady, ages, horizon=90.0)
    assert (near < far).all()
    assert (far < model.p_alive(*steady, ages)).all()
    assert (model.expected_orders(*steady, ages, horizon=90.0) >= far).all()
    assert (model.p_order(*steady, ages, horizon=0.0) == 0).all()


def test_who_never_came_back_is_alive_in_one_process_only() -> None:
    never = (np.array([0.0]), np.array([0.0]), np.array([700.0]))
    assert known("bg_nbd").p_alive(*never).tolist() == [1.0]
    assert known("mbg_nbd").p_alive(*never).item() < 0.5


@pytest.mark.parametrize("process", PROCESSES)
def test_a_row_without_counts_stays_without_a_figure(process: Process) -> None:
    records = (np.array([np.nan, 2.0]), np.array([np.nan, 5.0]), np.array([np.nan, 9.0]))
    model = known(process)
    for figures in (
        model.p_alive(*records),
        model.p_order(*records, horizon=30.0),
        model.expected_orders(*records, horizon=30.0),
    ):
        assert np.isnan(figures).tolist() == [True, False]


DEGENERATE: dict[str, tuple[Numbers, Numbers, Numbers]] = {
    "one customer who never returned": ([0.0], [0.0], [10.0]),
    "one customer who did": ([5.0], [9.0], [10.0]),
    "nobody returned": ([0.0] * 300, [0.0] * 300, [float(day) for day in range(300)]),
    "all return on every day": ([100.0] * 50, [100.0] * 50, [100.0] * 50),
    "all return once and leave": ([1.0] * 50, [1.0] * 50, [3000.0] * 50),
    "a return on the day of birth": ([1.0] * 9, [0.0] * 9, [10.0] * 9),
    "one in a hundred returns 100,000 times": (
        [0.0] * 99 + [1e5],
        [0.0] * 99 + [3000.0],
        [3000.0] * 100,
    ),
    "everybody the same": ([3.0] * 80, [30.0] * 80, [40.0] * 80),
}


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("name", DEGENERATE)
def test_odd_shops_get_finite_parameters_and_probabilities(process: Process, name: str) -> None:
    repeats, last, age = (np.array(column) for column in DEGENERATE[name])

    with np.errstate(divide="raise", invalid="raise", over="raise"):
        fitted = fit_process(collapse_counts(repeats, last, age), process=process)
        p_order = fitted.p_order(repeats, last, age, horizon=90.0)
        expected = fitted.expected_orders(repeats, last, age, horizon=90.0)

    assert np.isfinite([fitted.r, fitted.alpha, fitted.a, fitted.b, fitted.log_likelihood]).all()
    assert fitted.converged
    assert ((p_order >= 0) & (p_order <= 1)).all()
    assert (np.isfinite(expected) & (expected >= p_order * (1 - 1e-9))).all()
    assert fitted.informed == (np.count_nonzero(repeats) >= 4)


@pytest.mark.parametrize("process", PROCESSES)
def test_where_nobody_returned_nobody_is_expected_back(process: Process) -> None:
    records = tuple(np.array(column) for column in DEGENERATE["nobody returned"])

    fitted = fit_process(collapse_counts(*records), process=process)

    assert not fitted.informed
    assert fitted.p_order(*records, horizon=90.0).max() < 0.05
    assert fitted.p_order(*records, horizon=90.0).mean() < 1 / 300


@pytest.mark.parametrize(
    ("repeats", "last", "age", "fault"),
    [
        ([], [], [], "no customer"),
        ([0.0, 0.0], [0.0, 0.0], [0.0, 0.0], "nobody was observed for any time"),
        ([np.nan, 1.0], [0.0, 1.0], [4.0, 9.0], "of 2 customers' records, 1 missing or infinite"),
        ([-1.0, 1.5], [0.0, 1.0], [4.0, 9.0], "1 negative; 1 not whole in repeats"),
        ([1.0], [5.0], [4.0], "1 with the last order after the end of observation"),
    ],
)
def test_counts_that_cannot_be_are_refused(
    repeats: Numbers, last: Numbers, age: Numbers, fault: str
) -> None:
    with pytest.raises(DataError, match=fault):
        counts_of(repeats, last, age)


@pytest.mark.parametrize("process", PROCESSES)
def test_json_gives_the_same_process_back(process: Process) -> None:
    fitted = fit_process(counts_of([0.0, 2.0], [0.0, 7.0], [9.0, 9.0]), process=process)
    assert process_from_json(json.loads(json.dumps(fitted.to_json()))) == fitted


@pytest.mark.parametrize(
    "change",
    [
        {"process": "pareto_nbd"},
        {"r": 0.0},
        {"alpha": float("nan")},
        {"a": "much"},
        {"b": None},
        {"log_likelihood": float("inf")},
        {"returning": 7, "customers": 3},
    ],
)
def test_a_process_that_cannot_be_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ArtifactError, match="not a fitted process"):
        process_from_json({**known("bg_nbd").to_json(), **change})
    with pytest.raises(ArtifactError, match="not a fitted process"):
        process_from_json({})


@pytest.mark.real_data
def test_the_cdnow_sample_gives_the_published_bg_nbd() -> None:
    counts = sample_or_skip()

    fitted = fit_process(counts, process="bg_nbd")

    assert counts.customers == 2_357
    for name, value in PUBLISHED.items():
        assert getattr(fitted, name) == pytest.approx(value, rel=0.01)
    assert fitted.log_likelihood == pytest.approx(-9582.4, abs=0.1)
    # Fader, Hardie and Lee 2005, their example customer over the next 39 weeks.
    example = fitted.expected_orders(
        np.array([2.0]), np.array([30.43]), np.array([38.86]), horizon=39.0
    )
    assert example.item() == pytest.approx(1.226, abs=0.003)


@pytest.mark.real_data
def test_the_cdnow_sample_gives_the_published_mbg_nbd() -> None:
    fitted = fit_process(sample_or_skip(), process="mbg_nbd")

    # As BTYDplus estimates it.
    for name, value in {"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614}.items():
        assert getattr(fitted, name) == pytest.approx(value, rel=0.01)
