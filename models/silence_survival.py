"""How many silences last how long, and from when on next to nobody returns."""

import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]

MIN_AT_RISK = 50
"""Fewest silences that must have lasted to a day for the curve to speak of it."""

LOST_RATE = 0.02
"""Below this chance of a return within the horizon a customer counts as lost."""


def reached(ended: NDArray[np.int_], still_open: NDArray[np.int_]) -> NDArray[np.int_]:
    """Silences seen to last to each day, those that end on it included; shape as the input."""
    total = ended + still_open
    return np.asarray(np.cumsum(total[::-1], axis=0)[::-1])


def survival(ended: NDArray[np.int_], still_open: NDArray[np.int_]) -> Float64Array:
    """Kaplan-Meier S(d), the share of silences longer than d days.

    S(d) is the product over j <= d of 1 - ended(j) / reached(j), where reached(j) counts
    silences seen to last to day j, those that end on it included. A day that none reached
    leaves S as it is.

    Parameters
    ----------
    ended, still_open : silences that ended on day d, or were open after it; along axis 0.

    Returns
    -------
    Shape as the input.

    References
    ----------
    Kaplan, Meier (1958). METHODS.md section 1.
    """
    lasted = reached(ended, still_open)
    hazard = np.divide(ended, lasted, out=np.zeros(ended.shape), where=lasted > 0)
    hazard[0] = 0.0
    return np.asarray(np.cumprod(1.0 - hazard, axis=0))


def return_rate(survivors: Float64Array, horizon_days: int) -> Float64Array:
    """R(d, H) along axis 0, where S(d + H) is known; 0 where nobody is left at d."""
    later, now = survivors[horizon_days:], survivors[: max(len(survivors) - horizon_days, 0)]
    return 1.0 - np.divide(later, now, out=np.ones(now.shape), where=now > 0)


def supported_days(ended: NDArray[np.int_], still_open: NDArray[np.int_]) -> int:
    """The last day that `MIN_AT_RISK` silences reached; 0 without any. Of shape (n_days,)."""
    enough = np.flatnonzero(reached(ended, still_open) >= MIN_AT_RISK)
    return int(enough[-1]) if len(enough) else 0


def lost_day(rate: Float64Array) -> int | None:
    """The first day from 1 on with R(d, H) below `LOST_RATE`; null where none is."""
    days = np.flatnonzero(rate[1:] < LOST_RATE)
    return int(days[0]) + 1 if len(days) else None
