"""How much of a night's list explores, and which actions chance prefers there."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from scoring.draw import hash_draws
from scoring.policy import Experiment

Float64Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

POSTERIOR_DRAWS: Final = 200
"""Behind every probability of being the best action; its grain is half a per cent."""

BLOCK_ROWS: Final = 4096
"""Customers whose draws are held at once: 100 MB for 16 actions."""

MEASURED: Final = "uplift"
"""The evidence of an effect that was measured against a randomised control."""

ShiftDraws = Callable[[slice], NDArray[np.floating]]
"""Posterior draws of the log-odds shifts of some customers, shape (draws, rows, n_actions).

A draw is one possible world: the same parameters for every customer, so that a customer's
numbers do not depend on who else is asked for."""


@dataclass(frozen=True, slots=True)
class Exploration:
    """What decides the actions of exploring customers.

    Attributes
    ----------
    draw : shape (n,), in [0, 1), picks the action.
    on_trial : shape (n,), chance has put the customer among the explorers or ghosts, which
        admits them to the list even if no action promises enough.
    weights : shape (n, n_actions), probability of being the best action; rows may sum to
        less than 1, the rest goes to the contact arm's action. Null means that all open
        actions are equally likely.
    share : of a night's list that explores, and of a limited channel's seats that
        exploration may take from those who want them.
    floor : least probability of an open action among the exploring; no more than an equal
        share of it.
    """

    draw: Float64Array
    on_trial: BoolArray
    weights: Float64Array | None
    share: float
    floor: float


def experiment_in_force(experiment: Experiment, *, evidence: Collection[str]) -> Experiment:
    """The experiment with tonight's explore share: the larger one while nothing is measured.

    Parameters
    ----------
    evidence : what the effects of the actions rest on.
    """
    if MEASURED not in evidence:
        larger = max(experiment.explore_share, experiment.cold_explore_share)
        return replace(experiment, explore_share=larger)
    return experiment


def night_generator(experiment: Experiment, *, as_of_us: int) -> np.random.Generator:
    """A generator that is the same for every run of a night: seeded by salt and as-of."""
    words = hash_draws([str(as_of_us)], key=(experiment.salt, "posterior"))[0]
    return np.random.default_rng((words * 2**53).astype(np.uint64))


def best_action_shares(
    shifts: ShiftDraws,
    *,
    log_odds0: Float64Array,
    kept: Float64Array,
    lost: Float64Array,
    allowed: BoolArray,
    min_gain: float,
) -> Float64Array:
    """How often each action is the best one for a customer, over posterior draws.

    In one draw an action gains sigmoid(log_odds0 + shift) * kept - lost; the allowed action
    of the largest gain counts, if it gains more than `min_gain`. All channels are taken to
    have seats: the choice renormalises over what is open when a customer's turn comes,
    so that 200 draws need not be held for everybody. METHODS section 2.7.

    Parameters
    ----------
    log_odds0 : shape (n,), logit of the return's probability without contact.
    kept : shape (n, n_actions), money that a return under the action brings.
    lost : shape (n, n_actions), what the action costs anyway, and the money that a return
        without contact would have brought.
    allowed : shape (n, n_actions).

    Returns
    -------
    Shape (n, n_actions), rows sum to at most 1; the rest are draws in which no action is
    worth it.
    """
    shares = np.zeros(allowed.shape, dtype=np.float64)
    odds0 = np.exp(log_odds0)
    for start in range(0, len(log_odds0), BLOCK_ROWS):
        block = slice(start, min(start + BLOCK_ROWS, len(log_odds0)))
        drawn = shifts(block)
        if drawn.strides[1] == 0:
            # One customer's draws repeated for all: their exponentials are taken once.
            drawn = drawn[:, :1]
        # exp over whole arrays is many times faster than one by one in the loop.
        ratios = np.exp(np.ascontiguousarray(drawn.transpose(1, 0, 2), dtype=np.float32))
        _count_best(
            ratios, odds0[block], kept[block], lost[block], allowed[block], min_gain,
            shares[block],
        )  # fmt: skip
        shares[block] /= len(drawn)
    return shares


@njit(cache=True, nogil=True)
def _count_best(  # type: ignore[no-untyped-def]
    odds_ratios, odds0, kept, lost, allowed, min_gain, counts
):
    """Count wins by row and action; `odds_ratios` of one row serve all rows."""
    n_rows, n_actions = allowed.shape
    n_draws = odds_ratios.shape[1]
    open_actions = np.empty(n_actions, np.int64)
    for row in range(n_rows):
        own = row if len(odds_ratios) > 1 else 0
        n_open = 0
        for action in range(n_actions):
            if allowed[row, action]:
                open_actions[n_open] = action
                n_open += 1
        for draw in range(n_draws):
            best, chosen = min_gain, -1
            for place in range(n_open):
                action = open_actions[place]
                odds = odds0[row] * odds_ratios[own, draw, action]
                gain = odds / (1.0 + odds) * kept[row, action] - lost[row, action]
                if gain > best:
                    best, chosen = gain, action
            if chosen >= 0:
                counts[row, chosen] += 1.0
