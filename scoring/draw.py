"""Random numbers that are the same on every machine and every rerun: salted hashes."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]

DRAWS_PER_ID = 4
_SEPARATOR = "\x1f"


def hash_draws(ids: Sequence[str], *, key: Sequence[str]) -> Float64Array:
    """Four independent uniform numbers per id, decided by the key alone.

    The SHA-256 of the key's parts and the id, cut into four words of 64 bits. Nobody's
    draw depends on who else is drawn for, nor on the order of `ids`.

    Parameters
    ----------
    ids : n customer ids.
    key : what the draw is for: the salt, the purpose, perhaps the as-of. Another key
        gives unrelated numbers.

    Returns
    -------
    Shape (n, 4), in [0, 1), rows as in `ids`.
    """
    prefix = (_SEPARATOR.join(key) + _SEPARATOR).encode()
    digests = b"".join(
        hashlib.sha256(prefix + customer_id.encode()).digest() for customer_id in ids
    )
    words = np.frombuffer(digests, dtype=">u8").reshape(-1, DRAWS_PER_ID)
    draws: Float64Array = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return draws
