"""The slots of one channel side by side, and who takes which."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from scoring.timing import Slots

BoolArray = NDArray[np.bool_]
Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]

NO_SLOT = -1


@dataclass(frozen=True, slots=True)
class SlotTable:
    """Slots of one channel for several kinds of customers, one row each.

    Attributes
    ----------
    start_us, end_us, hour, seat_hour : shape (n_rows, p), as in `scoring.timing.Slots`;
        rows are filled up with hour -1.
    later : shape (n_rows,), 1 where the slots are of the day after the list's.
    size : shape (n_rows,), slots of the row.
    """

    start_us: Int64Array
    end_us: Int64Array
    hour: Int64Array
    seat_hour: Int64Array
    later: Int64Array
    size: Int64Array


def slot_table(rows: Sequence[Slots]) -> SlotTable:
    """Lay slots out as a table; none of the rows is empty."""
    width = max(len(one) for one in rows)

    def filled(name: str, fill: int) -> Int64Array:
        table = np.full((len(rows), width), fill, dtype=np.int64)
        for place, one in enumerate(rows):
            table[place, : len(one)] = getattr(one, name)
        return table

    return SlotTable(
        start_us=filled("start_us", 0),
        end_us=filled("end_us", 0),
        hour=filled("hour", NO_SLOT),
        seat_hour=filled("seat_hour", 0),
        later=np.array([int(one.later_day[0]) for one in rows], dtype=np.int64),
        size=np.array([len(one) for one in rows], dtype=np.int64),
    )


def score_slots(density: Float32Array, table: SlotTable, index: Int64Array) -> Float32Array:
    """The score of each customer's slots by the hour they begin in; -inf where there is none.

    Parameters
    ----------
    density : shape (m, 24), how good each local hour is to send in.
    index : shape (m,), each customer's row of the table.

    Returns
    -------
    Shape (m, p).
    """
    hour = table.hour[index]
    scores: Float32Array = np.take_along_axis(density, np.maximum(hour, 0), axis=1)
    scores[hour == NO_SLOT] = -np.inf
    return scores


def prefer_in_order(
    scores: Float32Array, where: BoolArray, table: SlotTable, index: Int64Array
) -> None:
    """Let the marked customers prefer their slots in the order of the table."""
    rows = np.flatnonzero(where)
    order = -np.arange(scores.shape[1], dtype=np.float32)
    scores[rows] = np.where(table.hour[index[rows]] != NO_SLOT, order, -np.inf)


def prefer_drawn(
    scores: Float32Array, chance: Float64Array, table: SlotTable, index: Int64Array
) -> None:
    """Let those with a number in [0, 1) prefer the slot it picks, then the ones after it.

    Parameters
    ----------
    chance : shape (m,), NaN for the others.
    """
    rows = np.flatnonzero(~np.isnan(chance))
    size = table.size[index[rows]][:, None]
    first = np.minimum((chance[rows, None] * size).astype(np.int64), size - 1)
    turn = (np.arange(scores.shape[1]) - first) % size
    scores[rows] = np.where(table.hour[index[rows]] != NO_SLOT, -turn, -np.inf)


def take_best(scores: Float32Array) -> Int64Array:
    """Each customer's slot of the highest score, the earliest of equals; shape (m,)."""
    return np.asarray(scores.argmax(axis=1), dtype=np.int64)


def take_seats(
    scores: Float32Array,
    turn: Int64Array,
    *,
    takes: BoolArray,
    table: SlotTable,
    index: Int64Array,
    seats: int,
) -> Int64Array:
    """Each customer's best slot in an hour with a seat left, in turn; `NO_SLOT` without one.

    Parameters
    ----------
    turn : shape (m,), positions of the customers, the first to choose first.
    takes : shape (m,), false for those who only ask which slot they would have got.
    seats : per hour, counted from the as-of; all rows of the table share them.
    """
    left = np.full(int(table.seat_hour.max()) + 1, seats, dtype=np.int64)
    return np.asarray(_seat(turn, takes, scores, index, table.seat_hour, left), dtype=np.int64)


@njit(cache=True)
def _seat(  # type: ignore[no-untyped-def]
    turn, takes, scores, index, seat_hour, left
):
    taken = np.full(len(turn), -1, np.int64)
    for row in turn:
        best, chosen = -np.inf, -1
        for slot in range(scores.shape[1]):
            if scores[row, slot] > best and left[seat_hour[index[row], slot]] > 0:
                best, chosen = scores[row, slot], slot
        if chosen >= 0:
            if takes[row]:
                left[seat_hour[index[row], chosen]] -= 1
            taken[row] = chosen
    return taken
