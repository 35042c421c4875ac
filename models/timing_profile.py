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
    best_strength,
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

SAMPLE: Final = 3_000
"""Customers that habits and kappa are estimated from."""

SHARES_SAMPLE: Final = 100_000
"""Customers that the segments' shares of habits are estimated from."""

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
    kappa : how alike customers of one habit are; says how sure a customer's habit is.
    strength : occasions that the habit stands for beside a customer's own.
    shares : shape (n_segments, k), how common each habit is in a segment.
    segment_size : shape (n_segments,), customers with an occasion.
    weekdays : shape (7, 24), factors on the hours by weekday, Monday first.
    """

    habits: Float64Array
    kappa: float
    strength: float
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

    Kappa maximises the Dirichlet-multinomial marginal likelihood; the number of habits and
    their strength forecast occasions best that were left out. Nothing is drawn by chance.

    Parameters
    ----------
    hours : shape (n, 24), decayed occasions by local hour.
    segment : shape (n,), codes in 0..n_segments - 1.
    week : shape (7, 24), everybody's occasions by weekday.
    """
    known = np.flatnonzero(hours.any(axis=1))
    sample = np.asarray(hours[_sample(known, SAMPLE)], dtype=np.float64)
    fit = fit_habits(sample, smoothing=_kernel())
    shares, size = _segment_shares(fit, hours, known, segment, n_segments)
    return TimingProfile(
        habits=fit.habits,
        kappa=fit.kappa,
        strength=best_strength(sample, fit, smoothing=_kernel()),
        shares=shares,
        segment_size=size,
        weekdays=_weekday_factors(week),
    )


def hour_profiles(
    profile: TimingProfile, hours: NDArray[np.floating], segment: Int64Array
) -> Float32Array:
    """Distribution over local hours of each customer; shape (n, 24).

    theta_i = (c_i + s * sum_k r_ik theta_k) / (n_i + s), with s the strength, c_i the smoothed
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
        total = own.sum(axis=1)[:, None] + profile.strength
        found[block] = (own @ _kernel() + profile.strength * of_habit) / total
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
    total = own.sum(axis=1)[:, None] + profile.strength
    return np.asarray((own @ _kernel() + profile.strength * profiles) / total, dtype=np.float32)


def _sample(known: Int64Array, size: int) -> Int64Array:
    """Evenly spread over all customers, so that the same customers give the same sample."""
    places = np.linspace(0, len(known) - 1, min(size, len(known))).round().astype(np.int64)
    return known[places]


def _segment_shares(
    fit: HabitFit,
    hours: NDArray[np.floating],
    known: Int64Array,
    segment: Int64Array,
    n_segments: int,
) -> tuple[Float64Array, Float64Array]:
    """Shares of habits per segment, drawn towards those among all, and customers."""
    chosen = _sample(known, SHARES_SAMPLE)
    own = np.asarray(hours[chosen], dtype=np.float64)
    likely = soften(log_likelihoods(own, fit.habits, fit.kappa) + np.log(fit.shares))
    total = np.zeros((n_segments, len(fit.habits)))
    for code in range(n_segments):
        total[code] = likely[segment[chosen] == code].sum(axis=0)
    sampled = total.sum(axis=1)
    everyone = (total.sum(axis=0) + fit.shares) / (sampled.sum() + 1.0)
    shares = (total + SEGMENT_PRIOR * everyone) / (sampled + SEGMENT_PRIOR)[:, None]
    return shares, np.bincount(segment[known], minlength=n_segments).astype(np.float64)


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
