"""At which hours customers are likely to act, on the list's day and the day after."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.active_hours import ActiveHours
from features.kernels.hours import DAYS, HOURS
from models.timing_profile import (
    TimingProfile,
    fit_timing_profile,
    hour_profiles,
    own_weekday_profiles,
    weekday_profiles,
)
from models.timing_response import response_factors

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
Int8Array = NDArray[np.int8]
Int16Array = NDArray[np.int16]
Int64Array = NDArray[np.int64]

SEND_BASES = ("own", "segment", "all", "configured", "explore")
"""What a send time rests on; a basis's place is its code."""

OWN, SEGMENT, ALL, CONFIGURED, EXPLORED = range(len(SEND_BASES))

OWN_FROM = 3.0
"""Occasions (decayed) of a customer from which the time is called their own."""

SEGMENT_FROM = 30.0
"""Customers with an occasion from which a segment's, or everybody's, hours are known."""

_ORDER_BANDS = 3


@dataclass(frozen=True, slots=True)
class CustomerHours:
    """Distributions over local hours of m customers.

    Attributes
    ----------
    days : shape (2, m, 24), on the list's day and the next; rows sum to 1.
    response : shape (n_channels, 24), see `models.timing_response`; null where nothing is
        known of anyone's hours.
    basis : shape (m,), code into `SEND_BASES`.
    """

    days: Float32Array
    response: Float64Array | None
    basis: Int8Array


def timing_segments(stage: Int16Array, orders: Float64Array) -> tuple[Int64Array, int]:
    """Segments whose members are taken to have like hours: stage by no, one or more orders.

    Returns
    -------
    Code of each customer, shape (n,), and how many codes there are.
    """
    step = stage.astype(np.int64) + 1
    band = np.minimum(np.nan_to_num(orders), _ORDER_BANDS - 1).astype(np.int64)
    return step * _ORDER_BANDS + band, (int(step.max(initial=0)) + 1) * _ORDER_BANDS


def unknown_hours(size: int) -> CustomerHours:
    """The hours of customers of whom nothing is known: all alike."""
    return CustomerHours(
        days=np.full((2, size, HOURS), 1 / HOURS, dtype=np.float32),
        response=None,
        basis=np.full(size, CONFIGURED, dtype=np.int8),
    )


def customer_hours(
    active: ActiveHours,
    rows: Int64Array,
    *,
    segments: tuple[Int64Array, int],
    weekday: int,
) -> CustomerHours:
    """Learn everybody's hours and say what follows for the given customers.

    The profile is estimated anew each night from what is visible then.

    Parameters
    ----------
    active : of n customers.
    rows : shape (m,), positions of the customers asked for.
    segments : as `timing_segments` gives them, of all n.
    weekday : of the list's day, Monday 0.
    """
    segment, n_segments = segments
    profile = fit_timing_profile(active.hours, segment, n_segments=n_segments, week=active.week)
    hours = active.hours[rows].astype(np.float32)
    profiles = hour_profiles(profile, hours, segment[rows])
    days = [
        _day_profiles(profile, profiles, rows, active, weekday=weekday, later=later)
        for later in (0, 1)
    ]
    return CustomerHours(
        days=np.stack(days),
        response=response_factors(*active.contacts),
        basis=_basis(profile, hours.sum(axis=1, dtype=np.float64), segment[rows]),
    )


def _day_profiles(
    profile: TimingProfile,
    profiles: Float32Array,
    rows: Int64Array,
    active: ActiveHours,
    *,
    weekday: int,
    later: int,
) -> Float32Array:
    tilted = weekday_profiles(profile, profiles, (weekday + later) % DAYS)
    if len(active.busy):
        place = np.searchsorted(active.busy, rows)
        place[place == len(active.busy)] = 0
        busy = np.flatnonzero(active.busy[place] == rows)
        tilted[busy] = own_weekday_profiles(
            profile, tilted[busy], active.busy_days[place[busy], later]
        )
    return tilted


def _basis(profile: TimingProfile, own: Float64Array, segment: Int64Array) -> Int8Array:
    basis = np.full(len(own), CONFIGURED, dtype=np.int8)
    if profile.segment_size.sum() >= SEGMENT_FROM:
        basis[:] = ALL
        basis[profile.segment_size[segment] >= SEGMENT_FROM] = SEGMENT
    basis[own >= OWN_FROM] = OWN
    return basis
