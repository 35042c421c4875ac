"""The universal holdout: who is never contacted, for as long as a salt is in force."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scoring.draw import hash_draws
from scoring.policy import Experiment

BoolArray = NDArray[np.bool_]

HOLDOUT_KEY = "holdout"
"""The purpose in the key of the lasting draw."""


def holdout_members(
    ids: Sequence[str], *, experiment: Experiment, recorded: BoolArray | None = None
) -> BoolArray:
    """Whether each customer is holdout: by the salted hash, or recorded as such; shape (n,).

    The hash alone decides while `holdout_share` is not lowered. Who is recorded stays in
    until the salt is rotated: a customer who was held out last week and contacted this week
    would be neither a control nor a customer of the programme.

    Parameters
    ----------
    ids : n customer ids.
    experiment : with the salt in force.
    recorded : shape (n,), the ledger holds the customer under this salt; null means nobody.
    """
    draws = hash_draws(ids, key=(experiment.salt, HOLDOUT_KEY))
    members: BoolArray = draws[:, 0] < experiment.holdout_share
    return members if recorded is None else members | recorded
