"""Habits of the hour: shrinkage, smoothing, weekdays, answers; nothing is drawn by chance."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.timing_mixture import fit_habits, log_likelihoods, soften
from models.timing_profile import (
    TimingProfile,
    fit_timing_profile,
    hour_profiles,
    own_weekday_profiles,
    weekday_profiles,
)
from models.timing_response import response_factors

HOUR = np.arange(24)
NO_WEEK = np.zeros((7, 24))


def law(peak: float, concentration: float = 3.0) -> NDArray[np.float64]:
    """A distribution over hours around a peak."""
    weight = np.exp(concentration * np.cos(2 * np.pi * (HOUR - peak) / 24))
    return np.asarray(weight / weight.sum())


def people(n: int, *, seed: int = 1) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Occasions of customers of two kinds, active at 9 or at 20, and the kind of each."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 2, n)
    sizes = rng.choice([0, 1, 3, 12, 40], n)
    laws = np.array([law(9), law(20)])
    counts = [rng.multinomial(size, laws[k]) for size, k in zip(sizes, kind, strict=True)]
    return np.array(counts, dtype=np.float64), kind


def fitted(
    counts: NDArray[np.float64], segment: NDArray[np.int64] | None = None
) -> tuple[TimingProfile, NDArray[np.int64]]:
    """A profile of one segment, or of those given."""
    codes = np.zeros(len(counts), dtype=np.int64) if segment is None else segment
    count = int(codes.max(initial=0)) + 1
    return fit_timing_profile(counts, codes, n_segments=count, week=NO_WEEK), codes


def test_two_habits_are_found_and_told_apart() -> None:
    counts, kind = people(1500)
    profile, codes = fitted(counts)
    assert len(profile.habits) == 2
    assert sorted(profile.habits.argmax(axis=1).tolist()) == [9, 20]
    found = hour_profiles(profile, counts, codes)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-5)
    many = counts.sum(axis=1) >= 12
    near = np.abs(found[many].argmax(axis=1) - np.array([9, 20])[kind[many]]) <= 1
    assert near.mean() > 0.99


def test_one_late_night_order_does_not_make_two_o_clock_a_good_hour() -> None:
    counts, _ = people(1500)
    late = np.zeros((1, 24))
    late[0, 2] = 2.0
    profile, _ = fitted(np.concatenate((counts, late)))
    found = hour_profiles(profile, late, np.zeros(1, dtype=np.int64))[0]
    assert found.argmax() in (8, 9, 10, 19, 20, 21)
    assert found[2] < 0.5 * found.max()
    worker = hour_profiles(profile, late * 100, np.zeros(1, dtype=np.int64))[0]
    assert worker.argmax() == 2, "one who is up every night is believed"


def test_segments_lend_their_habit_to_customers_without_occasions() -> None:
    counts, kind = people(1500)
    profile, codes = fitted(counts, kind)
    nobody = np.zeros((2, 24))
    found = hour_profiles(profile, nobody, np.array([0, 1]))
    assert np.abs(found.argmax(axis=1) - np.array([9, 20])).max() <= 1
    assert profile.segment_size.tolist() == [
        int((counts[codes == code].sum(axis=1) > 0).sum()) for code in (0, 1)
    ]


def test_a_small_segment_is_drawn_to_everybody() -> None:
    counts, _ = people(1500)
    counts[0] = np.random.default_rng(3).multinomial(10, law(9))
    alone = np.where(np.arange(len(counts)) == 0, 1, 0)
    profile, _ = fitted(counts, alone)
    assert np.abs(profile.shares[1] - profile.shares[0]).max() < 0.1


def test_nobody_s_hours_are_all_alike() -> None:
    profile, codes = fitted(np.zeros((3, 24)))
    np.testing.assert_allclose(hour_profiles(profile, np.zeros((3, 24)), codes), 1 / 24, rtol=1e-6)
    empty = fit_timing_profile(np.zeros((0, 24)), codes[:0], n_segments=2, week=NO_WEEK)
    assert empty.segment_size.tolist() == [0, 0]


def test_equal_counts_give_equal_bytes_and_the_order_of_others_hardly_matters() -> None:
    counts, _ = people(800)
    half = counts.astype(np.float16)
    first, codes = fitted(half)
    again, _ = fitted(half.copy())
    assert (
        hour_profiles(first, half, codes).tobytes() == hour_profiles(again, half, codes).tobytes()
    )
    turned, _ = fitted(half[::-1].copy())
    np.testing.assert_allclose(
        hour_profiles(turned, half, codes), hour_profiles(first, half, codes), atol=0.02
    )


def test_likelihoods_are_dirichlet_multinomial() -> None:
    counts = np.array([[2.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    habits = np.array([[0.5, 0.25, 0.25], [0.2, 0.2, 0.6]])
    found = log_likelihoods(counts, habits, 4.0)
    # By hand: draws one after the other, (count so far + kappa theta) / (n so far + kappa).
    first = (2.0 / 4) * (3.0 / 5) * (1.0 / 6)
    second = (0.8 / 4) * (1.8 / 5) * (2.4 / 6)
    np.testing.assert_allclose(found[0], np.log([first, second]))
    np.testing.assert_allclose(found[1], 0.0, atol=1e-12)
    np.testing.assert_allclose(soften(np.log([[1.0, 3.0]])), [[0.25, 0.75]])


def test_more_habits_than_there_are_do_not_pay() -> None:
    rng = np.random.default_rng(5)
    counts = rng.multinomial(20, law(14), size=600).astype(np.float64)
    assert len(fit_habits(counts, smoothing=np.eye(24)).habits) == 1


def test_weekdays_tilt_profiles_by_what_everybody_does_and_the_busy_by_their_own() -> None:
    counts, _ = people(300)
    week = np.tile(law(12) * 5000, (7, 1))
    week[6] = law(16) * 5000
    codes = np.zeros(len(counts), dtype=np.int64)
    profile = fit_timing_profile(counts, codes, n_segments=1, week=week)
    found = hour_profiles(profile, counts, codes)
    sunday, monday = weekday_profiles(profile, found, 6), weekday_profiles(profile, found, 0)
    np.testing.assert_allclose(sunday.sum(axis=1), 1.0, rtol=1e-5)
    mean = (sunday * HOUR).sum(axis=1) - (monday * HOUR).sum(axis=1)
    assert (mean > 0).all()
    own = np.zeros((1, 24))
    own[0, 3] = 500.0
    busy = own_weekday_profiles(profile, sunday[:1], own)[0]
    assert busy.argmax() == 3
    assert busy.sum() == pytest.approx(1.0, rel=1e-4)


def test_answers_are_judged_by_how_often_was_asked() -> None:
    sends, clicks = np.zeros((3, 24)), np.zeros((3, 24))
    # All hours are answered alike, though most sends were at 10.
    sends[0], sends[0, 10] = 1000, 50_000
    clicks[0] = 0.05 * sends[0]
    # Evenings are answered twice as often.
    sends[1] = 5000
    clicks[1] = np.where(HOUR >= 18, 0.10, 0.05) * sends[1]
    # Too few answers to say anything.
    sends[2], clicks[2, 10] = 10, 5
    factors = response_factors(sends, clicks, np.zeros((3, 24)))
    np.testing.assert_allclose(factors[0], 1.0, atol=0.01)
    assert (factors[1, 18:] > 1.4).all()
    assert (factors[1, :18] < 0.9).all()
    assert (factors[2] == 1.0).all()
    # Opens count only where no click is known.
    by_opens = response_factors(sends, np.zeros((3, 24)), clicks)
    np.testing.assert_allclose(by_opens, factors)
    assert (response_factors(sends, clicks, clicks[::-1]) == factors).all()


def test_a_channel_all_of_whose_contacts_were_answered_tells_nothing_of_hours() -> None:
    sends = np.full((1, 24), 100.0)
    assert (response_factors(sends, sends, sends) == 1.0).all()
