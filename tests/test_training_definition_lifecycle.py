"""Personal windows by shrinkage, life-cycle states and movement between them."""

from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray

from features.gap_spread import MAX_GAPS_TOLD, Rhythm
from features.life_cycle import ACTIVE, AT_RISK, COOLING, DORMANT, LOST, NEW, REACTIVATED
from models.personal_silence import CLIP, RhythmFit, fit_rhythm, personal_limits
from training.definition_lifecycle import (
    ELSEWHERE,
    STATES,
    count_states,
    life_states,
    movement_of,
    tier_movement,
)
from training.definition_personal import summarise_windows
from training.definition_silence import NO_GAP, Standing


def rhythm_of(logs: list[NDArray[np.float64]]) -> Rhythm:
    sums, tally = np.zeros((1, 6)), np.zeros((1, MAX_GAPS_TOLD + 1, 2))
    for own in logs:
        n, total = len(own), own.sum()
        sums[0] += [n, n * n, 1, total, total**2 / n, ((own - own.mean()) ** 2).sum()]
        tally[0, min(n, MAX_GAPS_TOLD)] += [1, own.mean()]
    return Rhythm(sums, tally)


def standing_of(
    silence: list[float],
    *,
    gaps: list[int] | None = None,
    broken: list[int] | None = None,
    stage: list[int] | None = None,
    spend: list[float] | None = None,
    order_days: list[int] | None = None,
) -> Standing:
    n = len(silence)
    return Standing(
        seen=np.ones(n, dtype=np.bool_),
        stage=np.array([0] * n if stage is None else stage, dtype=np.int16),
        silence_days=np.array(silence),
        gaps=np.array([1] * n if gaps is None else gaps, dtype=np.int32),
        log_mean=np.full(n, np.log(10.0)),
        broken_days=np.array([NO_GAP] * n if broken is None else broken, dtype=np.int32),
        broken_stage=np.array([0] * n, dtype=np.int16),
        spend=np.array([0.0] * n if spend is None else spend),
        order_days=np.array([0] * n if order_days is None else order_days, dtype=np.int32),
    )


def test_the_spread_of_simulated_gaps_is_found_again() -> None:
    rng = np.random.default_rng(1)
    mean, between, within = 3.0, 0.6, 0.9
    logs = [rng.normal(rng.normal(mean, between), within, rng.integers(1, 15)) for _ in range(4000)]
    fit = fit_rhythm(rhythm_of(logs), 0)
    assert fit is not None
    assert fit.sigma == pytest.approx(within, rel=0.03)
    assert fit.kappa == pytest.approx(within**2 / between**2, rel=0.1)
    assert fit.mean_log == pytest.approx(mean, abs=0.05)


def test_few_gaps_are_drawn_to_the_mean_and_many_are_not() -> None:
    fit = RhythmFit(customers=100, gaps=1000, mean_log=np.log(30.0), sigma=0.5, kappa=2.0)
    gaps = np.array([0, 1, 50], dtype=np.int32)
    log_mean = np.array([np.nan, np.log(10.0), np.log(10.0)])
    limits = personal_limits(fit, gaps, log_mean, window_days=50.0)
    z = NormalDist().inv_cdf(0.95)
    centre = np.array([np.log(30.0), (np.log(10) + 2 * np.log(30)) / 3, 0.0])
    centre[2] = (50 * np.log(10) + 2 * np.log(30)) / 52
    assert limits[2] == pytest.approx(np.exp(centre + z * 0.5))
    assert (np.diff(limits, axis=0) > 0).all()


def test_personal_windows_stay_within_a_third_and_three_times() -> None:
    fit = RhythmFit(customers=100, gaps=1000, mean_log=np.log(30.0), sigma=0.5, kappa=0.1)
    gaps = np.array([200, 200], dtype=np.int32)
    limits = personal_limits(fit, gaps, np.log(np.array([1.0, 900.0])), window_days=60.0)
    assert limits[2] == pytest.approx([60 / CLIP, 60 * CLIP])
    ratio = np.exp((NormalDist().inv_cdf(0.8) - NormalDist().inv_cdf(0.95)) * 0.5)
    assert limits[0] / limits[2] == pytest.approx([ratio, ratio])
    summary = summarise_windows(fit, limits[2], np.array([25.0, 100.0]), window_days=60.0)
    assert (summary.at_floor, summary.at_ceiling) == (1, 1)
    assert (summary.dormant_earlier, summary.dormant_later) == (1, 1)


def test_customers_of_one_gap_each_cannot_be_told_apart() -> None:
    fit = fit_rhythm(rhythm_of([np.array([x]) for x in np.linspace(2, 4, 50)]), 0)
    assert fit is not None
    assert fit.kappa is None
    assert fit.sigma == pytest.approx(np.std(np.linspace(2, 4, 50), ddof=1))
    limits = personal_limits(
        fit, np.array([1, 1], dtype=np.int32), np.array([0.0, 5.0]), window_days=100.0
    )
    assert limits[2, 0] == limits[2, 1]


def test_equal_gaps_everywhere_give_that_gap() -> None:
    fit = fit_rhythm(rhythm_of([np.full(10, np.log(7.0))] * 20), 0)
    assert fit is not None
    limits = personal_limits(
        fit, np.array([10], dtype=np.int32), np.array([np.log(7.0)]), window_days=10.0
    )
    assert limits[2] == pytest.approx([7.0])


def test_without_any_gap_there_is_no_fit() -> None:
    assert fit_rhythm(Rhythm(np.zeros((1, 6)), np.zeros((1, MAX_GAPS_TOLD + 1, 2))), 0) is None


def test_each_state_has_its_silence() -> None:
    standing = standing_of(
        [5, 5, 5, 25, 35, 45, 65, 200, 5],
        gaps=[0, 3, 3, 3, 3, 3, 3, 3, 3],
        broken=[NO_GAP, 20, 80, 80, 20, 20, 20, 20, 20],
        stage=[0, 0, 0, 0, 0, 0, 0, 0, 1],
    )
    limits = np.tile(np.array([[20.0], [30.0], [40.0]]), 9)
    state = life_states(standing, 0, limits=limits, windows=[60.0, None], lost_days=150.0)
    assert state.tolist() == [
        NEW, ACTIVE, REACTIVATED, COOLING, AT_RISK, DORMANT, DORMANT, LOST, ELSEWHERE,
    ]  # fmt: skip
    counts = count_states(state)
    assert list(counts) == list(STATES)
    assert counts["dormant"] == 2
    assert sum(counts.values()) == 8


def test_nobody_is_lost_before_dormant() -> None:
    limits = np.full((3, 2), np.inf)
    state = life_states(standing_of([30.0, 70.0]), 0, limits=limits, windows=[60.0], lost_days=20.0)
    assert state.tolist() == [ACTIVE, LOST]


def test_movement_counts_from_and_to() -> None:
    before = np.array([ACTIVE, ACTIVE, ELSEWHERE, ELSEWHERE], dtype=np.int8)
    after = np.array([ACTIVE, DORMANT, NEW, ELSEWHERE], dtype=np.int8)
    movement = movement_of(before, after)
    assert movement.counts[ACTIVE][ACTIVE] == 1
    assert movement.counts[ACTIVE][DORMANT] == 1
    assert movement.counts[ELSEWHERE][NEW] == 1
    assert sum(map(sum, movement.counts)) == 3


def test_a_slide_from_high_to_low_frequency_is_an_early_warning() -> None:
    before = standing_of([1.0] * 5, spend=[0, 0, 0, 0, 50], order_days=[0, 1, 1, 9, 9])
    after = standing_of([1.0] * 5, spend=[0, 0, 0, 0, 50], order_days=[0, 1, 1, 0, 0])
    dormant = np.array([False, False, False, False, True])
    tiers = tier_movement(before, after, quantile=0.6, dormant=dormant)
    assert tiers is not None
    assert (tiers.slid, tiers.slid_awake) == (2, 1)
    assert tiers.movement.counts[1][0] == 1
    assert tiers.movement.counts[3][2] == 1
    unknown = before._replace(seen=np.zeros(5, dtype=np.bool_))
    assert tier_movement(unknown, after, quantile=0.6, dormant=dormant) is None
