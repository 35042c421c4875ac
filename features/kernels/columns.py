"""Columns of Arrow arrays as plain arrays: codes translated, a few rows picked out."""

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, cache=True, error_model="numpy")
def translate_codes(
    codes: NDArray[np.int32],
    valid: NDArray[np.uint8],
    shift: int,
    table: NDArray[np.int32],
    out: NDArray[np.int32],
) -> None:
    """Write table[codes] into `out`, -1 where the bitmap says null.

    `valid` is an Arrow validity bitmap, empty if nothing is null: row i is bit i + shift.
    """
    if len(valid) == 0:
        for row in range(len(codes)):
            out[row] = table[codes[row]]
        return
    # What stands at a null is undefined, so it is not used as an index.
    for row in range(len(codes)):
        bit = row + shift
        known = (valid[bit >> 3] >> (bit & 7)) & 1
        code = table[codes[row] if known else 0]
        out[row] = code if known else -1


@njit(nogil=True, cache=True, error_model="numpy")
def pick_rows(
    values: NDArray[np.float64],
    valid: NDArray[np.uint8],
    shift: int,
    rows: NDArray[np.int64],
    missing: float,
    out: NDArray[np.float64],
) -> None:
    """Write values[rows] into `out`, `missing` where the bitmap (as above) says null."""
    every = len(valid) == 0
    for entry in range(len(rows)):
        bit = rows[entry] + shift
        known = every or (valid[bit >> 3] >> (bit & 7)) & 1
        out[entry] = values[rows[entry]] if known else missing


@njit(nogil=True, cache=True, error_model="numpy")
def list_rows(
    marked: NDArray[np.bool_],
    event_type: NDArray[np.int16],
    valid: NDArray[np.uint8],
    shift: int,
    rows: NDArray[np.int64],
) -> int:
    """List rows of a marked type and rows that the bitmap calls valid; returns how many.

    Here an empty bitmap calls no row valid. Rows without a type (-1) are never listed.
    `rows` must have one place more than there are rows: each row is written, and stays if
    the next one is written behind it. A branch would be taken too rarely to be foreseen.
    """
    listed = 0
    for row in range(len(event_type)):
        bit = row + shift
        known = len(valid) > 0 and (valid[bit >> 3] >> (bit & 7)) & 1
        rows[listed] = row
        listed += event_type[row] >= 0 and (known or marked[event_type[row]])
    return listed
