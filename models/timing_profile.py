"""At which local hours customers are active: a few habits, shared out by segment and customer.

Profiles are Dirichlet distributions in a hierarchy customer -> segment -> all, METHODS
section 3.4. A segment is a mixture of habits (early, noon, late ...) that are found from
all customers' hours; a customer's own hours say how likely each habit is theirs, and
count for themselves the more the more there are.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.timing_mixture import (
    HabitFit,
    fit_habits,
    log_likelihoods,
    soften,
)

Float64Array = NDArray[np.float64]
Float32Array = NDArray[np.float32]
Int64Array = NDArray[np.int64]

HOURS: Final = 24

SMOOTHING: Final = 1.0 / (1.2 * 2 * np.pi / HOURS) ** 2
"""b of the kernel exp(b cos(2 pi dh / 24)), whose standard deviation is about 1.2 hours."""

SAMPLE: Final = 4_000
"""Customers that habits and kappa are estimated from; all enter the segments' shares."""

SEGMENT_PRIOR: Final = 20.0
"""Customers that the shares of habits among all stand for within a segment."""

WEEKDAY_PRIOR: Final = 500.0
"""Occasions that the hours of all days stand for on one weekday."""

MAX_WEEKDAY_TILT: Final = 3.0

BLOCK: Final = 65_536
"""Customers whose hours are held in wider numbers at once."""


@dataclass(frozen=True, slots=True)
class TimingProfile:
    """What is known of the hours at which customers are active.

    Attributes
    ----------
    habits : shape (k, 24), each a distribution over local hours.
    kappa : occasions that a habit stands for in a customer's own profile.
    shares : shape (n_segments, k), how common each habit is in a segment.
    segment_size : shape (n_segments,), customers with an occasion.
    weekdays : shape (7, 24), factors on the hours by weekday, Monday first.
    """

    habits: Float64Array
    kappa: float
    shares: Float64Array
    segment_size: Float64Array
    weekdays: Float64Array


def fit_timing_profile(
    hours: NDArray[np.floating],
    segment: Int64Array,
    *,
    n_segments: int,
    week: Float64Array,
) -> TimingProfile:
    """Estimate habits, their strength and how common they are in each segment.

    The number of habits is the one of the best evidence, kappa maximises the
    Dirichlet-multinomial marginal likelihood. Nothing is drawn by chance.

    Parameters
    ----------
    hours : shape (n, 24), decayed occasions by local hour.
    segment : shape (n,), codes in 0..n_segments - 1.
    week : shape (7, 24), everybody's occasions by weekday.
    """
    known = np.flatnonzero(hours.any(axis=1))
    fit = fit_habits(np.asarray(hours[_sample(known)], dtype=np.float64), smoothing=_kernel())
    shares, size = _segment_shares(fit, hours, known, segment, n_segments)
    return TimingProfile(
        habits=fit.habits,
        kappa=fit.kappa,
        shares=shares,
        segment_size=size,
        weekdays=_weekday_factors(week),
    )


def hour_profiles(
    profile: TimingProfile, hours: NDArray[np.floating], segment: Int64Array
) -> Float32Array:
    """Distribution over local hours of each customer; shape (n, 24).

    theta_i = (c_i + kappa * sum_k r_ik theta_k) / (n_i + kappa), with c_i the smoothed
    occasions and r_ik the posterior probability of habit k.

    Parameters
    ----------
    hours : shape (n, 24), decayed occasions.
    segment : shape (n,).
    """
    found = np.empty((len(hours), HOURS), dtype=np.float32)
    for start in range(0, len(hours), BLOCK):
        block = slice(start, start + BLOCK)
        own = np.asarray(hours[block], dtype=np.float64)
        prior = profile.shares[segment[block]]
        of_habit = _responsibilities(profile, own, prior) @ profile.habits
        strength = own.sum(axis=1)[:, None] + profile.kappa
        found[block] = (own @ _kernel() + profile.kappa * of_habit) / strength
    return found


def weekday_profiles(
    profile: TimingProfile, profiles: Float32Array, weekday: int | NDArray[np.int64]
) -> Float32Array:
    """Profiles on a weekday: everybody's habit of that day tilts them; rows sum to 1."""
    tilted = profiles * profile.weekdays[weekday].astype(np.float32)
    shares: Float32Array = tilted / tilted.sum(axis=1, keepdims=True)
    return shares


def own_weekday_profiles(
    profile: TimingProfile, profiles: Float32Array, day_hours: NDArray[np.floating]
) -> Float32Array:
    """Profiles on a weekday of customers with enough occasions to tell weekdays apart.

    Parameters
    ----------
    profiles : shape (m, 24), theirs on that weekday as far as it follows from all days.
    day_hours : shape (m, 24), their occasions on that weekday.
    """
    own = np.asarray(day_hours, dtype=np.float64)
    strength = own.sum(axis=1)[:, None] + profile.kappa
    return np.asarray((own @ _kernel() + profile.kappa * profiles) / strength, dtype=np.float32)


def _sample(known: Int64Array) -> Int64Array:
    """Evenly spread over all customers, so that the same customers give the same sample."""
    places = np.linspace(0, len(known) - 1, min(SAMPLE, len(known))).round().astype(np.int64)
    return known[places]


def _segment_shares(
    fit: HabitFit,
    hours: NDArray[np.floating],
    known: Int64Array,
    segment: Int64Array,
    n_segments: int,
) -> tuple[Float64Array, Float64Array]:
    """Shares of habits per segment, drawn towards those among all, and customers."""
    total = np.zeros((n_segments, len(fit.habits)))
    size = np.zeros(n_segments)
    for start in range(0, len(known), BLOCK):
        rows = known[start : start + BLOCK]
        own = np.asarray(hours[rows], dtype=np.float64)
        odds = log_likelihoods(own, fit.habits, fit.kappa) + np.log(fit.shares)
        likely = soften(odds)
        for code in range(n_segments):
            mine = segment[rows] == code
            total[code] += likely[mine].sum(axis=0)
            size[code] += mine.sum()
    everyone = (total.sum(axis=0) + fit.shares) / (size.sum() + 1.0)
    shares = (total + SEGMENT_PRIOR * everyone) / (size + SEGMENT_PRIOR)[:, None]
    return shares, size


def _responsibilities(
    profile: TimingProfile, own: Float64Array, prior: Float64Array
) -> Float64Array:
    return soften(log_likelihoods(own, profile.habits, profile.kappa) + np.log(prior))


def _weekday_factors(week: Float64Array) -> Float64Array:
    everyday = week.sum(axis=0) + 1.0 / HOURS
    everyday = everyday / everyday.sum()
    smooth = _kernel()
    base = everyday @ smooth
    days = (week @ smooth + WEEKDAY_PRIOR * base) / (
        week.sum(axis=1, keepdims=True) + WEEKDAY_PRIOR
    )
    factors: Float64Array = np.clip(days / base, 1 / MAX_WEEKDAY_TILT, MAX_WEEKDAY_TILT)
    return factors


@lru_cache(maxsize=1)
def _kernel() -> Float64Array:
    """Circular smoothing, shape (24, 24); rows and columns sum to 1."""
    hour = np.arange(HOURS)
    weight = np.exp(SMOOTHING * np.cos(2 * np.pi * np.subtract.outer(hour, hour) / HOURS))
    smooth: Float64Array = weight / weight.sum(axis=0)
    smooth.flags.writeable = False
    return smooth
