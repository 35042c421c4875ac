"""Return curves: against known truths, a slow oracle, and however customers are split."""

import numpy as np
import pytest
from definition_oracle import slow_survival
from numpy.typing import NDArray

from models.silence_survival import MIN_AT_RISK, survival
from training.definition_counts import (
    CADENCES,
    CELLS,
    MAX_DAYS,
    Cuts,
    SilenceCounts,
    cells_of,
    count_silences,
)
from training.definition_curve import ReturnCurve, return_curves
from training.definition_silence import Silences

CUTS = Cuts(spend=0.0, fast_days=np.array([10.0]), slow_days=np.array([20.0]))


def silences_of(
    days: NDArray[np.int_],
    ended: NDArray[np.bool_],
    *,
    customer: NDArray[np.int_] | None = None,
    typical: NDArray[np.float64] | None = None,
    spend: NDArray[np.float64] | None = None,
) -> Silences:
    n = len(days)
    return Silences(
        customer=(np.arange(n) if customer is None else customer).astype(np.int32),
        stage=np.zeros(n, dtype=np.int16),
        begun=np.zeros(n, dtype=np.int32),
        days=days.astype(np.int32),
        ended=ended,
        typical_days=np.full(n, np.nan) if typical is None else typical,
        spend=np.zeros(n) if spend is None else spend,
    )


def keys_of(n: int, seed: int = 0) -> NDArray[np.uint64]:
    return np.random.default_rng(seed).integers(0, 2**64, n, dtype=np.uint64)


def counted(silences: Silences, *, share: float = 1.0, n_days: int = MAX_DAYS) -> SilenceCounts:
    counts = SilenceCounts.empty([True], n_days)
    n_customers = int(silences.customer.max(initial=-1)) + 1
    cells = cells_of(silences, CUTS)
    count_silences(silences, cells, keys=keys_of(n_customers), share=share, into=counts)
    return counts


def exponential(
    n: int, *, mean_days: float, seed: int, gone: float = 0.0, seen_days: int = 400
) -> Silences:
    """Gaps of a known law, cut off at a random age; a share of customers never returns."""
    rng = np.random.default_rng(seed)
    gap = np.ceil(rng.exponential(mean_days, n))
    gap[rng.random(n) < gone] = np.inf
    seen = rng.integers(0, seen_days, n)
    return silences_of(np.minimum(gap, seen).astype(np.int64), gap <= seen)


def overall(silences: Silences, *, horizon_days: int, share: float = 1.0) -> ReturnCurve:
    return return_curves(counted(silences, share=share), 0, horizon_days=horizon_days)[0]


def test_exponential_gaps_give_the_known_curve() -> None:
    """Without memory R(d, H) is 1 - exp(-H / mean) whatever d."""
    curve = overall(exponential(60_000, mean_days=40, seed=1), horizon_days=30)
    truth = 1 - np.exp(-30 / 40)
    assert curve.rate[:60] == pytest.approx(truth, abs=0.02)
    assert np.mean((curve.low[:60] <= truth) & (truth <= curve.high[:60])) > 0.8


def test_customers_who_are_gone_make_the_curve_fall_as_computed() -> None:
    """R(d, H) = (1-g) e^(-d/m) (1 - e^(-H/m)) / ((1-g) e^(-d/m) + g)."""
    curve = overall(exponential(60_000, mean_days=20, seed=2, gone=0.4), horizon_days=30)
    d = np.arange(100)
    alive = 0.6 * np.exp(-d / 20)
    truth = alive * (1 - np.exp(-30 / 20)) / (alive + 0.4)
    assert curve.rate[:100] == pytest.approx(truth, abs=0.015)
    ever = alive / (alive + 0.4)
    assert curve.returned_ever()[:100] == pytest.approx(ever, abs=0.015)


def test_kaplan_meier_equals_its_definition() -> None:
    rng = np.random.default_rng(3)
    days, ended = rng.integers(0, 30, 300), rng.random(300) < 0.6
    ended &= days > 0
    counts = counted(silences_of(days, ended))
    survivors = survival(counts.ended[0].sum(axis=0), counts.still_open[0].sum(axis=0))
    pairs = list(zip(days.tolist(), ended.tolist(), strict=True))
    for day in range(30):
        assert survivors[day] == pytest.approx(slow_survival(pairs, day), abs=1e-12)


def test_the_band_covers_the_truth_about_as_often_as_it_says() -> None:
    truth, hits = 1 - np.exp(-30 / 40), []
    for seed in range(40):
        curve = overall(exponential(400, mean_days=40, seed=100 + seed), horizon_days=30)
        _, low, high = curve.at(10) or (0.0, 0.0, 0.0)
        hits.append(low <= truth <= high)
    assert 33 <= sum(hits) <= 40


def test_one_customers_gaps_do_not_count_as_independent() -> None:
    """The same gaps told by few customers leave more doubt than told by many."""
    rng = np.random.default_rng(5)
    own = np.repeat(rng.choice([5, 60], 100), 30)
    few = silences_of(own, np.ones(3000, dtype=bool), customer=np.repeat(np.arange(100), 30))
    many = silences_of(own, np.ones(3000, dtype=bool))
    widths = [
        (one.at(0) or (0, 0, 0))[2] - (one.at(0) or (0, 0, 0))[1]
        for one in (overall(few, horizon_days=10), overall(many, horizon_days=10))
    ]
    assert widths[0] > 3 * widths[1]


def test_the_split_into_buckets_changes_nothing() -> None:
    whole = exponential(900, mean_days=30, seed=6)
    keys = keys_of(900)
    total = SilenceCounts.empty([True], 500)
    for part in (slice(600, 900), slice(0, 250), slice(250, 600)):
        piece = Silences(*(column[part] for column in whole))
        piece = piece._replace(customer=(piece.customer - part.start).astype(np.int32))
        counts = SilenceCounts.empty([True], 500)
        count_silences(piece, cells_of(piece, CUTS), keys=keys[part], share=0.5, into=counts)
        total.add(counts)
    once = counted(whole, share=0.5, n_days=500)
    for name in SilenceCounts.__slots__:
        assert np.array_equal(getattr(total, name), getattr(once, name)), name


def test_a_sample_of_customers_gives_about_the_same_band() -> None:
    """Only the band comes from the sample, narrowed to the number of all."""
    silences = exponential(8000, mean_days=30, seed=7)
    whole = overall(silences, horizon_days=30)
    sampled = overall(silences, horizon_days=30, share=0.25)
    assert np.array_equal(whole.rate, sampled.rate)
    assert (sampled.high - sampled.low)[:50].mean() == pytest.approx(
        (whole.high - whole.low)[:50].mean(), rel=0.25
    )


def test_groups_add_up_to_all() -> None:
    rng = np.random.default_rng(8)
    n = 2000
    silences = silences_of(
        rng.integers(1, 50, n),
        rng.random(n) < 0.7,
        typical=np.where(rng.random(n) < 0.3, np.nan, rng.uniform(1, 40, n)),
        spend=rng.integers(0, 2, n).astype(float),
    )
    whole, low, high, *cadences = return_curves(counted(silences), 0, horizon_days=5)
    assert low.silences + high.silences == whole.silences == n
    assert sum(one.silences for one in cadences) == n
    assert [one.name for one in cadences] == list(CADENCES)
    assert high.silences == int((silences.spend > 0).sum())
    slow = next(one for one in cadences if one.name == "slow")
    assert slow.silences == int((silences.typical_days > 20).sum())


def test_a_gap_at_a_cut_is_on_its_lower_side_however_logs_round() -> None:
    days = np.array([10.0, 20.0, 10.0 + 1e-9, 20.0 + 1e-9, 10.1, 20.1])
    silences = silences_of(np.ones(6, dtype=int), np.ones(6, dtype=bool), typical=days)
    assert (cells_of(silences, CUTS) % len(CADENCES)).tolist() == [1, 2, 1, 2, 2, 3]
    assert cells_of(silences, CUTS).max() < CELLS


def test_the_curve_ends_where_few_silences_are_left() -> None:
    days = np.concatenate([np.full(200, 10), np.full(MIN_AT_RISK, 40), np.full(3, 90)])
    curve = overall(silences_of(days, np.zeros(len(days), dtype=bool)), horizon_days=15)
    assert curve.supported_days == 40
    assert len(curve.rate) == 40 - 15 + 1
    assert curve.at(25) is not None
    assert curve.at(26) is None


def test_a_horizon_longer_than_the_data_gives_no_curve() -> None:
    curve = overall(exponential(500, mean_days=5, seed=1, seen_days=20), horizon_days=90)
    assert len(curve.rate) == len(curve.low) == len(curve.high) == 0


def test_silences_beyond_three_years_are_still_open_there() -> None:
    days = np.full(100, MAX_DAYS + 300)
    counts = counted(silences_of(days, np.ones(100, dtype=bool)))
    assert counts.still_open[0, :, -1].sum() == 100
    assert counts.ended.sum() == 0


def test_no_silence_at_all_is_no_fault() -> None:
    curve = overall(exponential(0, mean_days=5, seed=1), horizon_days=30)
    assert (curve.silences, curve.returns, curve.supported_days) == (0, 0, 0)
