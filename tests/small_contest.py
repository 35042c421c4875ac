"""A choice among a few customers for a few seats: plan, turns and exploration at once."""

import numpy as np
from numpy.typing import NDArray

from scoring.choice import Choices, Limits
from scoring.contest import Contest, contest_for_seats
from scoring.exploration import Exploration
from scoring.night_plan import choose_within_limits, plan_contacts, turns_of


def seats_contest(
    value: NDArray[np.float64],
    *,
    limits: Limits,
    allowed: NDArray[np.bool_] | None = None,
    tie: NDArray[np.float64] | None = None,
    sent_share: float = 1.0,
) -> Contest:
    """Everything allowed and ties by place, if not said otherwise."""
    return contest_for_seats(
        value,
        allowed=np.ones(value.shape, dtype=np.bool_) if allowed is None else allowed,
        tie=np.linspace(0.1, 0.9, len(value)) if tie is None else tie,
        limits=limits,
        sent_share=sent_share,
    )


def choose_in(contest: Contest, *, arm: NDArray[np.int8], exploration: Exploration) -> Choices:
    """What everybody gets."""
    plan = plan_contacts(contest)
    turns = turns_of(contest, plan)
    return choose_within_limits(contest, plan, turns, arm=arm, exploration=exploration)
