"""The stack's weights, the calibrations by cutoff, and the choice of the rung that serves."""

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from models.ladder import FOREST, RUNGS, STACK, stacked
from models.purchase_rung import PURCHASE_PROCESS
from training.stack import (
    calibrate_rung,
    choose_calibration,
    choose_rung,
    cross_fitted_losses,
    fit_shift,
    fit_weights,
    is_enough,
)

SEASONS = np.array([-0.8, 0.1, 0.9])


def hashes(n: int, seed: int = 9) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**64, size=n, dtype=np.uint64)


def world(
    n: int, weights: tuple[float, float], seed: int = 1
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Log-odds by rung, labels and cutoffs; labels follow the weighted sum and a season."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=n)
    raw = {name: 0.5 * shared + rng.normal(size=n) for name in RUNGS if name != STACK}
    cutoff = rng.integers(0, len(SEASONS), size=n)
    odds = weights[0] * raw[FOREST] + weights[1] * raw[PURCHASE_PROCESS] + SEASONS[cutoff]
    return raw, (rng.random(n) < expit(odds)).astype(np.int8), cutoff


@pytest.mark.parametrize("weights", [(0.8, 0.3), (1.2, 0.0), (0.0, 0.9), (0.5, 0.5)])
def test_a_known_mixture_is_recovered_whatever_the_seasons(weights: tuple[float, float]) -> None:
    assert fit_weights(*world(20_000, weights)) == pytest.approx(weights, abs=0.06)


def test_a_season_does_not_pass_for_a_difference_between_customers() -> None:
    """A member that only tells seasons apart is worth nothing beside an intercept for each."""
    raw, labels, cutoff = world(20_000, (0.8, 0.0))
    raw[PURCHASE_PROCESS] = SEASONS[cutoff] + 0.01 * raw[PURCHASE_PROCESS]
    forest, process = fit_weights(raw, labels, cutoff)
    assert forest == pytest.approx(0.8, abs=0.06)
    assert abs(process - 0.5) < 0.3  # the prior's word: the data say next to nothing


@given(seed=st.integers(0, 1000), n=st.integers(4, 200), backwards=st.booleans())
@settings(max_examples=40, deadline=None)
def test_no_weight_is_below_0(seed: int, n: int, backwards: bool) -> None:
    rng = np.random.default_rng(seed)
    raw, labels, cutoff = world(n, (0.6, 0.4), seed)
    if backwards:
        raw = {name: -odds * rng.uniform(0, 3) for name, odds in raw.items()}
    weights = fit_weights(raw, labels, cutoff)
    assert min(weights) >= 0 and np.isfinite(weights).all()


def test_with_few_rows_the_belief_in_halves_rules() -> None:
    weights = fit_weights(*world(8, (3.0, 0.0)))
    assert np.abs(np.array(weights) - 0.5).max() < 0.3
    many = fit_weights(*world(5_000, (3.0, 0.0)))
    assert many[0] > 2.5


def test_rows_of_one_label_give_finite_weights_and_a_calibration() -> None:
    raw, _, cutoff = world(100, (0.5, 0.5))
    nobody = np.zeros(100, dtype=np.int8)
    assert np.isfinite(fit_weights(raw, nobody, cutoff)).all()
    given_map = calibrate_rung(raw[FOREST], nobody, cutoff, method="platt")
    p = given_map.calibration.apply(raw[FOREST] + given_map.offsets[cutoff])
    assert (p < 0.1).all() and (p > 0).all()


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_calibration_is_right_within_every_cutoff(method: Literal["platt", "isotonic"]) -> None:
    raw, labels, cutoff = world(30_000, (0.8, 0.3))
    mixed = stacked(raw, (1.6, 0.6))  # twice too sharp
    found = calibrate_rung(mixed, labels, cutoff, method=method)
    assert found.slope == pytest.approx(0.5, abs=0.03)
    p = found.calibration.apply(mixed + found.offsets[cutoff])
    for number in range(len(SEASONS)):
        chosen = cutoff == number
        assert p[chosen].mean() == pytest.approx(labels[chosen].mean(), abs=0.01)
    top = p > np.quantile(p, 0.9)
    assert p[top].mean() == pytest.approx(labels[top].mean(), abs=0.02)


def test_a_rung_that_ranks_backwards_is_made_flat() -> None:
    raw, labels, cutoff = world(5_000, (0.8, 0.3))
    found = calibrate_rung(-raw[FOREST], labels, cutoff, method="platt")
    p = found.calibration.apply(-raw[FOREST] + found.offsets[cutoff])
    for number in range(len(SEASONS)):
        chosen = p[cutoff == number]
        assert np.ptp(chosen) < 0.15
        assert chosen.mean() == pytest.approx(labels[cutoff == number].mean(), abs=0.02)


def test_a_shift_finds_how_far_a_level_moves_a_rung() -> None:
    """Labels follow the log-odds, 1.4 times the level and a constant: both are recovered."""
    rng = np.random.default_rng(4)
    parts = []
    for _ in range(2):
        odds, level = rng.normal(size=20_000), rng.choice(SEASONS, size=20_000)
        chance = expit(odds + 1.4 * level - 0.3)
        parts.append((odds, (rng.random(20_000) < chance).astype(np.int8), level))
    shift = fit_shift(parts[0], parts[1], slope=1.0)
    assert shift.scale == pytest.approx(1.4, abs=0.06)
    assert shift.constant == pytest.approx(-0.3, abs=0.04)
    assert shift.of(0.5) == pytest.approx(1.4 * 0.5 - 0.3, abs=0.06)


def test_without_levels_that_differ_a_level_moves_every_rung_alike() -> None:
    rng = np.random.default_rng(5)
    odds = rng.normal(size=500)
    labels = (rng.random(500) < expit(odds)).astype(np.int8)
    shift = fit_shift((odds, labels, np.zeros(500)), (odds, labels, np.zeros(500)), slope=1.0)
    assert shift.scale == pytest.approx(1.0)


def losses_of(labels: np.ndarray, customers: np.ndarray) -> dict[str, np.ndarray]:
    raw, _, cutoff = world(len(labels), (0.8, 0.3))
    return cross_fitted_losses(raw, labels, cutoff, customers=customers, method="platt")


def test_cross_fitted_losses_know_nothing_of_the_half_they_judge() -> None:
    """Other labels of some customers move the losses of the other half, never of their own."""
    _, labels, _ = world(2_000, (0.8, 0.3))
    customers = hashes(2_000)
    half = (customers >> np.uint64(8)) % np.uint64(2) == 0
    changed = half & (np.arange(2_000) % 5 == 0)
    before = losses_of(labels, customers)
    after = losses_of(np.where(changed, 1 - labels, labels).astype(np.int8), customers)
    for name in RUNGS:
        same = half & ~changed
        np.testing.assert_array_equal(after[name][same], before[name][same])
        assert (after[name][~half] != before[name][~half]).all()


def test_rows_of_one_customer_are_in_one_half() -> None:
    """Two rows of a customer with one label would tell the other's."""
    customers = np.repeat(hashes(500), 4)
    _, labels, _ = world(2_000, (0.8, 0.3))
    mine = customers == customers[0]
    before = losses_of(labels, customers)
    after = losses_of(np.where(mine & (np.arange(2_000) == 0), 1 - labels, labels), customers)
    for name in RUNGS:
        np.testing.assert_array_equal(after[name][1:4], before[name][1:4])


def test_a_cutoff_that_only_one_half_has_is_no_fault() -> None:
    """A population may be a handful of customers at its first cutoffs."""
    raw, labels, cutoff = world(300, (0.8, 0.3))
    customers = hashes(300)
    first = (customers >> np.uint64(8)) % np.uint64(2) == 0
    for lonely in (np.flatnonzero(first)[0], np.flatnonzero(~first)[0]):
        for number in (0, 3):
            rare = np.where(cutoff == number, 1, cutoff)
            rare[lonely] = number
            found = cross_fitted_losses(raw, labels, rare, customers=customers, method="platt")
            assert all(np.isfinite(loss).all() for loss in found.values())


def test_a_half_of_one_label_is_fitted_on_everybody() -> None:
    raw, labels, cutoff = world(60, (0.8, 0.3))
    customers = hashes(60)
    labels[(customers >> np.uint64(8)) % np.uint64(2) == 0] = 0
    found = cross_fitted_losses(raw, labels, cutoff, customers=customers, method="platt")
    assert all(np.isfinite(loss).all() for loss in found.values())


def losses(**means: float) -> dict[str, np.ndarray]:
    """Losses of 400 customers, each rung's a mean beside the stack's 0.5, sd 0.2 of gaps."""
    rng = np.random.default_rng(6)
    base = rng.uniform(0.2, 0.8, size=400)
    found = {}
    for name in RUNGS:
        noise = rng.normal(size=400)
        noise = (noise - noise.mean()) / noise.std()
        gap = means.get(name.replace(" ", "_").replace("/", "_"), 0.5) - 0.5
        found[name] = base + (0.0 if name == STACK else gap + 0.2 * noise)
    return found


# The standard error of a mean gap is 0.2 / sqrt(400) = 0.01.
@pytest.mark.parametrize(
    ("means", "shipped"),
    [
        ({}, STACK),
        ({"LightGBM": 0.493}, STACK),
        ({"LightGBM": 0.485}, FOREST),
        ({"LightGBM": 0.485, "MBG_NBD": 0.47}, PURCHASE_PROCESS),
        ({"recency_rule": 0.45, "LightGBM": 0.48}, "recency rule"),
        ({"LightGBM": 0.7, "MBG_NBD": 0.7}, STACK),
    ],
)
def test_the_stack_serves_unless_another_is_clearly_better(
    means: dict[str, float], shipped: str
) -> None:
    assert choose_rung(losses(**means), hashes(400)) == shipped


def test_the_rows_of_one_customer_count_as_one_observation() -> None:
    """What 400 customers prove, four with a hundred rows each do not."""
    found = losses(LightGBM=0.5)
    found[FOREST] = found[STACK] - np.repeat([0.30, -0.10, -0.10, -0.06], 100)
    assert choose_rung(found, hashes(400)) == FOREST
    assert choose_rung(found, np.repeat(hashes(4), 100)) == STACK


def bent(n: int, seed: int = 7) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log-odds that no straight line mends: everybody above 0 is equally likely."""
    rng = np.random.default_rng(seed)
    raw = rng.normal(size=n) * 3
    labels = (rng.random(n) < expit(2.0 * np.minimum(raw, 0.0) + 1.0)).astype(np.int8)
    return raw, labels, rng.integers(0, 3, size=n)


def test_isotonic_is_taken_where_it_forecasts_later_customers_clearly_better() -> None:
    raw, labels, cutoff = bent(30_000)
    assert choose_calibration(raw, labels, cutoff, customers=hashes(30_000)) == "isotonic"


def test_platt_is_taken_where_a_line_is_right_or_rows_are_few() -> None:
    raw, labels, cutoff = world(30_000, (0.8, 0.3))
    mixed = stacked(raw, (1.6, 0.6))
    assert choose_calibration(mixed, labels, cutoff, customers=hashes(30_000)) == "platt"
    few = bent(1_500)
    assert choose_calibration(*few, customers=hashes(1_500)) == "platt"


def test_one_validation_cutoff_is_enough_to_choose_a_calibration() -> None:
    raw, labels, _ = bent(30_000)
    alone = np.zeros(30_000, dtype=np.int64)
    assert choose_calibration(raw, labels, alone, customers=hashes(30_000)) == "isotonic"


def test_what_is_fitted_must_beat_forest_and_process_at_face_value() -> None:
    """By more than one standard error: fitted on a small shop it is mostly noise."""
    rng = np.random.default_rng(8)
    plain = rng.normal(size=2_000)
    labels = (rng.random(2_000) < expit(plain)).astype(np.int8)
    face_value = np.logaddexp(0.0, plain) - labels * plain
    noise = rng.normal(scale=0.2, size=2_000)
    customers = hashes(2_000)
    assert not is_enough(face_value, plain, labels, customers)
    assert not is_enough(face_value + 0.02 + noise, plain, labels, customers)
    assert not is_enough(face_value - 0.001 + noise - noise.mean(), plain, labels, customers)
    assert is_enough(face_value - 0.02 + noise, plain, labels, customers)
    # The rows of a customer are one observation: four customers prove nothing.
    shared = np.repeat([0.08, -0.05, 0.03, -0.02], 500)
    four = np.repeat(hashes(4), 500)
    assert not is_enough(face_value - 0.01 + shared, plain, labels, four)
