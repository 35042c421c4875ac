"""Arrow columns with nulls as plain arrays: codes translated, missing money as NaN."""

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
def mark_missing(
    values: NDArray[np.float64],
    valid: NDArray[np.uint8],
    shift: int,
    out: NDArray[np.float64],
) -> None:
    """Copy `values` into `out`, NaN where the bitmap (as above) says null."""
    for row in range(len(values)):
        bit = row + shift
        value = values[row]
        out[row] = value if (valid[bit >> 3] >> (bit & 7)) & 1 else np.nan
