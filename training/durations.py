"""How long until a customer came back, and how long anybody could have seen it."""

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.history import NO_CODE, NO_TIME, History
from features.spec import FeatureSpec
from features.stage import Stage

Int64Array = NDArray[np.int64]
Int16Array = NDArray[np.int16]
BoolArray = NDArray[np.bool_]


def next_return_us(
    history: History,
    *,
    spec: FeatureSpec,
    stages: Sequence[Stage],
    rows: tuple[Int64Array, Int64Array, Int16Array],
    known_before_us: Int64Array,
) -> Int64Array:
    """When each row's customer came back first.

    A return is an event that the row's stage counts as return, at or after the as-of: no gap
    is left out, for a date on the calendar counts from today. Only events that had occurred
    and arrived before `known_before_us` are known.

    Parameters
    ----------
    history : one bucket.
    spec : gives event types their codes.
    stages : the ladder, in configured order.
    rows : position of the customer in `history`, as-of (us, UTC) and position of the stage
        in the ladder (-1: none, never a return) of each row; each of shape (n,).
    known_before_us : what had not arrived before it does not count (us, UTC), shape (n,).

    Returns
    -------
    Instants (us, UTC) in the order of the rows, shape (n,); NO_TIME where no return is known.

    References
    ----------
    METHODS.md section 1.8.
    """
    customer, as_of, stage = rows
    counts = np.stack([spec.flags(step.returns_by) for step in stages])
    events = history.events
    return np.asarray(
        _next_return(
            (events.offsets, events.occurred_at, events.arrived_at, events.event_type),
            counts,
            (customer.astype(np.int64), as_of.astype(np.int64), stage.astype(np.int64)),
            known_before_us.astype(np.int64),
        )
    )


@njit(cache=True, nogil=True)
def _next_return(
    events: tuple[Int64Array, Int64Array, Int64Array, Int16Array],
    counts: BoolArray,
    rows: tuple[Int64Array, Int64Array, Int64Array],
    known_before: Int64Array,
) -> Int64Array:
    offsets, occurred_at, arrived_at, event_type = events
    customer, as_of, stage = rows
    found = np.full(len(customer), NO_TIME)
    for row in range(len(customer)):
        if stage[row] == NO_CODE:
            continue
        first, last = offsets[customer[row]], offsets[customer[row] + 1]
        event = first + np.searchsorted(occurred_at[first:last], as_of[row])
        while event < last and occurred_at[event] < known_before[row]:
            kind = event_type[event]
            known = arrived_at[event] < known_before[row]
            if known and kind >= 0 and counts[stage[row], kind]:
                found[row] = occurred_at[event]
                break
            event += 1
    return found
