"""Who came back: the label of a customer at an as-of."""

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.history import NO_CODE, History
from features.spec import FeatureSpec
from features.stage import Stage

Int64Array = NDArray[np.int64]
Int16Array = NDArray[np.int16]
BoolArray = NDArray[np.bool_]

DAY_US = 86_400_000_000


def window_us(days: float) -> int:
    """A number of days in whole microseconds."""
    return round(days * DAY_US)


def returned(
    history: History,
    *,
    spec: FeatureSpec,
    stages: Sequence[Stage],
    rows: tuple[Int64Array, Int64Array, Int16Array],
    window: tuple[int, int],
    known_before_us: Int64Array,
) -> BoolArray:
    """Whether each row's customer came back inside the label window.

    A return is an event that the row's stage counts as return, with
    as_of + gap <= occurred_at < as_of + gap + horizon, among those that had arrived
    before `known_before_us`: a model must not know more than its own as-of allows.

    Parameters
    ----------
    history : one bucket.
    spec : gives event types their codes.
    stages : the ladder, in configured order.
    rows : position of the customer in `history`, as-of (us, UTC) and position of the stage
        in the ladder (-1: none, never a return) of each row; each of shape (n,).
    window : gap and horizon in microseconds.
    known_before_us : what had not arrived before it does not count (us, UTC), shape (n,).

    Returns
    -------
    Shape (n,), in the order of the rows.

    References
    ----------
    METHODS.md section 1.4 and 1.5.
    """
    customer, as_of, stage = rows
    counts = np.stack([spec.flags(step.returns_by) for step in stages])
    events = history.events
    return np.asarray(
        _returned(
            events.offsets,
            events.occurred_at,
            events.arrived_at,
            events.event_type,
            counts,
            customer.astype(np.int64),
            as_of.astype(np.int64),
            stage.astype(np.int64),
            window[0],
            window[1],
            known_before_us.astype(np.int64),
        )
    )


@njit(cache=True, nogil=True)
def _returned(  # noqa: PLR0913, PLR0917
    offsets: Int64Array,
    occurred_at: Int64Array,
    arrived_at: Int64Array,
    event_type: Int16Array,
    counts: BoolArray,
    customer: Int64Array,
    as_of: Int64Array,
    stage: Int64Array,
    gap: int,
    horizon: int,
    known_before: Int64Array,
) -> BoolArray:
    found = np.zeros(len(customer), dtype=np.bool_)
    for row in range(len(customer)):
        if stage[row] == NO_CODE:
            continue
        first, last = offsets[customer[row]], offsets[customer[row] + 1]
        begin = as_of[row] + gap
        end = begin + horizon
        event = first + np.searchsorted(occurred_at[first:last], begin)
        while event < last and occurred_at[event] < end:
            kind = event_type[event]
            if kind >= 0 and counts[stage[row], kind] and arrived_at[event] < known_before[row]:
                found[row] = True
                break
            event += 1
    return found
