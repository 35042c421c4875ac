"""Dictionary codes of Arrow columns translated to the codes of the history arrays."""

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
    everything = len(valid) == 0
    for row in range(len(codes)):
        bit = row + shift
        if everything or (valid[bit >> 3] >> (bit & 7)) & 1:
            out[row] = table[codes[row]]
        else:
            out[row] = -1
