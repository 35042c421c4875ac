"""Static: what the customer's record says, as codes of the known values."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.history import NO_TIME, Profiles, frozen
from features.kernels.feature import Feature, column_words
from features.spec import FeatureSpec

BLOCK = "static"


class ProfileColumns(NamedTuple):
    """The arrays of `features.history.Profiles`, in a form that numba takes."""

    offsets: NDArray[np.int64]
    changed_at: NDArray[np.int64]
    arrived_at: NDArray[np.int64]
    signup_at: NDArray[np.int64]
    attribute: NDArray[np.int32]

    @classmethod
    def of(cls, profiles: Profiles) -> "ProfileColumns":
        """The columns of one bucket's customer records; nothing is copied."""
        return cls(*(frozen(getattr(profiles, name)) for name in cls._fields))


def declare(spec: FeatureSpec) -> tuple[Feature, ...]:
    """The block's features, in column order."""
    return tuple(
        Feature(
            f"attribute_{word}",
            "code",
            f'Position of the customer\'s "{name}" among the values known at training;'
            " NaN if unknown.",
            BLOCK,
            "categorical",
        )
        for word, name in zip(column_words(spec.attributes), spec.attributes, strict=True)
    )


@njit(nogil=True, cache=True, error_model="numpy")
def fill_static(
    first: int,
    as_of: int,
    profiles: ProfileColumns,
    rows: NDArray[np.int64],
    signup_at: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    """Fill `out` (n_rows, n_attributes) and `signup_at` (n_customers,).

    The last version, by change time and then arrival, of those that changed and arrived
    before the as-of counts.
    """
    for i in range(len(rows)):
        signup_at[i] = NO_TIME
        if rows[i] < 0:
            continue
        row = out[rows[i]]
        row[:] = np.nan
        for p in range(profiles.offsets[first + i + 1] - 1, profiles.offsets[first + i] - 1, -1):
            if profiles.changed_at[p] >= as_of or profiles.arrived_at[p] >= as_of:
                continue
            signup_at[i] = profiles.signup_at[p]
            for a in range(len(row)):
                if profiles.attribute[p, a] >= 0:
                    row[a] = profiles.attribute[p, a]
            break
