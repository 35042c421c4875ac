"""What a window would mean: for the customers of today, and of one horizon ago."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.definition_curve import ReturnCurve
from training.definition_window import levels_off, lost_after

Float64Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

RECENT_DAYS = 28
"""The stretch over which new dormant customers per night are counted: four whole weeks."""


@dataclass(frozen=True, slots=True)
class People:
    """Customers of one stage, today and one horizon ago.

    Attributes
    ----------
    silence_days : of those on the stage today.
    silence_days_then : of those on the stage one horizon ago; null if the data are too short.
    woke, returned : of the same, whether an event of the stage, or one of its `returns_by`,
        happened since.
    """

    silence_days: Float64Array
    silence_days_then: Float64Array | None
    woke: BoolArray
    returned: BoolArray


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a window would mean; null where the data do not say.

    Attributes
    ----------
    silences_reached : silences that lasted so long.
    return_rate, return_rate_low, return_rate_high : share of those who return within the
        horizon after it, without our doing anything new.
    false_alarm_rate : type I error, the share who return at all as far as the data reach.
    missed_rate, missed : type II error, customers inside the window today who will not
        return, as a share of those inside and as an expected number.
    dormant : customers dormant today.
    new_per_night : those who became dormant in the last 28 days and are still, per night.
    capacity : contacts per night of the stage's channels; null for no limit.
    nights : nights to contact all dormant customers once, at full capacity.
    warning_days : days from dormant to lost.
    dormant_then : customers dormant one horizon ago.
    expected_since : how many of them the curve expects to show a sign of life since; it is
        that of all silences, so another number than `woke_since` says that times have changed.
    woke_since, returned_since : those of them who have shown a sign of life on the stage
        since, and who have returned as `returns_by` says.
    """

    silences_reached: int
    return_rate: float | None
    return_rate_low: float | None
    return_rate_high: float | None
    false_alarm_rate: float | None
    missed_rate: float | None
    missed: float | None
    dormant: int
    new_per_night: float
    capacity: int | None
    nights: float | None
    warning_days: float | None
    dormant_then: int | None
    expected_since: float | None
    woke_since: int | None
    returned_since: int | None


def weigh(
    window_days: float, curve: ReturnCurve, people: People, *, capacity: int | None
) -> Meaning:
    """What it would mean to call customers dormant after so many days.

    Parameters
    ----------
    window_days : the window.
    curve : of all silences of the stage.
    people : the stage's customers.
    capacity : contacts per night of the stage's channels; null for no limit.
    """
    day, silence = int(window_days), people.silence_days
    rate = curve.at(day) if curve.returns else None
    inside = silence[silence < window_days]
    missed = _expected_gone(inside, curve)
    dormant = int((silence >= window_days).sum())
    recent = (silence >= window_days) & (silence - RECENT_DAYS < window_days)
    lost = lost_after(curve)
    then = people.silence_days_then
    was_dormant = None if then is None else then >= window_days
    return Meaning(
        silences_reached=int(curve.reached[day]) if day < len(curve.reached) else 0,
        return_rate=None if rate is None else rate[0],
        return_rate_low=None if rate is None else rate[1],
        return_rate_high=None if rate is None else rate[2],
        false_alarm_rate=(
            float(curve.returned_ever()[day])
            if day < len(curve.survival) and levels_off(curve)
            else None
        ),
        missed_rate=missed / len(inside) if missed is not None and len(inside) else None,
        missed=missed,
        dormant=dormant,
        new_per_night=int(recent.sum()) / RECENT_DAYS,
        capacity=capacity,
        nights=dormant / capacity if capacity else None,
        warning_days=None if lost is None else lost - window_days,
        dormant_then=None if was_dormant is None else int(was_dormant.sum()),
        expected_since=(
            None
            if was_dormant is None or then is None
            else _expected_back(then[was_dormant], curve)
        ),
        woke_since=None if was_dormant is None else int((was_dormant & people.woke).sum()),
        returned_since=None if was_dormant is None else int((was_dormant & people.returned).sum()),
    )


def _expected_back(silence_days: Float64Array, curve: ReturnCurve) -> float | None:
    """How many of these customers return within the horizon; beyond the data as at their end."""
    if not len(curve.rate) or curve.returns == 0:
        return None
    days = np.minimum(silence_days.astype(np.int64), len(curve.rate) - 1)
    return float(curve.rate[days].sum())


def _expected_gone(silence_days: Float64Array, curve: ReturnCurve) -> float | None:
    """How many of these customers will not return, as far as the data reach."""
    if not levels_off(curve):
        return None
    days = np.minimum(silence_days.astype(np.int64), curve.supported_days)
    left = curve.survival[days]
    return float(np.divide(curve.survival[-1], left, out=np.ones(len(left)), where=left > 0).sum())
