"""Who is contacted, who explores and who is a control, and with what probability."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.draw import hash_draws
from scoring.holdout import HOLDOUT_KEY
from scoring.policy import Experiment

Float64Array = NDArray[np.float64]
Int8Array = NDArray[np.int8]
Int64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

ARMS = ("contact", "explore", "ghost", "holdout")
"""An arm's place is its code."""

CONTACT, EXPLORE, GHOST, HOLDOUT = range(len(ARMS))
SENT_ARMS = ("contact", "explore")
"""The arms that are really contacted; the others are controls."""


@dataclass(frozen=True, slots=True)
class ArmDraws:
    """What chance has decided for each customer; all of shape (n,).

    Attributes
    ----------
    arm : code into `ARMS`. Holdout depends on the salt and the customer only, so it
        lasts as long as the salt; the other arms are drawn anew for every as-of.
    tie : in [0, 1), orders customers of equal gain; lasts as long as the salt.
    action : in [0, 1), picks the action of an exploring customer.
    minute : in [0, 1), picks the minute inside the send window.
    """

    arm: Int8Array
    tie: Float64Array
    action: Float64Array
    minute: Float64Array


def draw_arms(
    ids: Sequence[str],
    *,
    experiment: Experiment,
    as_of_us: int,
    is_holdout: BoolArray | None = None,
) -> ArmDraws:
    """Draw arm, tie order, exploration and minute for every customer.

    The holdout is `scoring.holdout.holdout_members`; for the others tonight's draw u gives
    ghost (u < ghost_share), explore (the next explore_share) or contact. METHODS section 5.1.

    Parameters
    ----------
    ids : n customer ids.
    as_of_us : the as-of, microseconds since 1970-01-01 UTC.
    is_holdout : shape (n,); null means by the salted hash alone, without a ledger.
    """
    lasting = hash_draws(ids, key=(experiment.salt, HOLDOUT_KEY))
    nightly = hash_draws(ids, key=(experiment.salt, "night", str(as_of_us)))
    ghost = experiment.ghost_share
    arm = np.full(len(ids), CONTACT, dtype=np.int8)
    arm[nightly[:, 0] < ghost + experiment.explore_share] = EXPLORE
    arm[nightly[:, 0] < ghost] = GHOST
    if is_holdout is None:
        is_holdout = lasting[:, 0] < experiment.holdout_share
    arm[is_holdout] = HOLDOUT
    return ArmDraws(arm=arm, tie=lasting[:, 1], action=nightly[:, 1], minute=nightly[:, 2])


def assignment_propensity(
    arm: Int8Array, *, is_best: BoolArray, n_actions: Int64Array, experiment: Experiment
) -> Float64Array:
    """Probability of what happened to each listed customer, in (0, 1].

    With h, g, e the holdout, ghost and explore shares and k the customer's number of
    actions open to exploration: holdout h; ghost (1-h)g; contacted with the best
    action (1-h)((1-g-e) + e/k), whichever arm led there; with another action
    (1-h)e/k. It is conditional on the capacity left when the customer's turn came,
    which only others' draws decide.

    Parameters
    ----------
    arm : shape (n,), codes into `ARMS`.
    is_best : shape (n,), the assigned action is the one the contact arm would take.
    n_actions : shape (n,), k >= 1.
    """
    holdout, ghost, explore = (
        experiment.holdout_share,
        experiment.ghost_share,
        experiment.explore_share,
    )
    chance = explore / np.maximum(n_actions, 1)
    direct = np.where(is_best, 1.0 - ghost - explore, 0.0)
    contacted = (1.0 - holdout) * (direct + chance)
    controls = np.where(arm == GHOST, (1.0 - holdout) * ghost, holdout)
    propensity: Float64Array = np.where(arm >= GHOST, controls, contacted)
    return propensity
