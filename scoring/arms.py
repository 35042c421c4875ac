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
    on_trial : tonight's draw says ghost or explore, whether holdout or not.
    minute : in [0, 1), picks the minute inside the send window.
    """

    arm: Int8Array
    tie: Float64Array
    action: Float64Array
    on_trial: BoolArray
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
    return ArmDraws(
        arm=arm,
        tie=lasting[:, 1],
        action=nightly[:, 1],
        on_trial=nightly[:, 0] < ghost + experiment.explore_share,
        minute=nightly[:, 2],
    )


@dataclass(frozen=True, slots=True)
class Propensities:
    """Probabilities of what happened to each listed customer; both of shape (n,).

    Attributes
    ----------
    joint : of the arm and action together, in (0, 1].
    action : of the action (for ghosts: of no contact) given that the customer is listed
        and not holdout; NaN for the holdout.
    """

    joint: Float64Array
    action: Float64Array


def assignment_propensity(
    arm: Int8Array,
    *,
    is_best: BoolArray,
    has_best: BoolArray,
    chance: Float64Array,
    experiment: Experiment,
) -> Propensities:
    """Probability of what happened to each listed customer, given that they are listed.

    With g, e the ghost and explore shares and q the action's probability among the
    exploring: ghost g; contacted with the best action (1-g-e) + e q, whichever arm led
    there; with another action e q. Those listed on trial have no best action, and are
    listed only by these two arms: ghost g/(g+e), an action e q/(g+e). These are given "not
    holdout"; jointly they are multiplied by 1-h, and the holdout has h, its share. They are
    conditional on the seats left when the customer's turn came, which only others' draws
    decide.

    Parameters
    ----------
    arm : shape (n,), codes into `ARMS`.
    is_best : shape (n,), the assigned action is the one the contact arm would take.
    has_best : shape (n,), the contact arm would take one; false for those on trial.
    chance : shape (n,), q of the assigned action.
    experiment : in force that night, see `scoring.exploration.experiment_in_force`.
    """
    ghost, explore = experiment.ghost_share, experiment.explore_share
    contacted = np.where(is_best, 1.0 - ghost - explore, 0.0) + explore * chance
    listed = np.where(has_best, 1.0, ghost + explore)
    action: Float64Array = np.where(arm == GHOST, ghost, contacted) / listed
    action[arm == HOLDOUT] = np.nan
    not_holdout = (1.0 - experiment.holdout_share) * action
    joint: Float64Array = np.where(arm == HOLDOUT, experiment.holdout_share, not_holdout)
    return Propensities(joint=joint, action=action)
