"""Campaigns: on some nights everybody silent enough is assigned an action, or no contact.

Randomised: equal chances for everything that reaches the customer. Human: the recent and
the rich, by what the company can see. Confounded: as human, but those who secretly are
still active are contacted with odds `gamma` times as high, as if somebody knew. Mixed: one
fixed choice for most, everything else drawn for a share of `epsilon`. Every chance is
known exactly; what customers may be assigned depends on what the night before showed.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipelines.simulate.clock import to_utc
from pipelines.simulate.draws import uniform
from pipelines.simulate.log import Log, add_assignment
from pipelines.simulate.mood import ASSIGNED_COUNT, FLAGS, ORDERS, SPENT
from pipelines.simulate.scene import CONFOUNDED, MIXED, RANDOMISED, USUAL, Campaign, Reach, Scene
from pipelines.simulate.usual import is_open

NOBODY = (-1, 0)
"""The action of a customer whom no campaign contacts."""

_ASSIGNED = 214
_LEAST, _MOST = 0.03, 0.97
_PREFERRED = (0.55, 0.25, 0.12, 0.08)
"""Weights of the reachable channels, in configured order, with a human choosing."""


@njit(cache=True)
def is_campaign_day(campaign: Campaign, days: int, day: int) -> bool:
    """Whether a campaign goes out on a day; none while the last one's effect is open."""
    return bool(campaign.policy != USUAL and (days - day) % campaign.every_days == 0)


@njit(cache=True)
def assign(
    log: Log,
    scene: Scene,
    mood: NDArray[np.float64],
    silent_days: float,
    state: int,
    day: int,
    today: np.uint64,
) -> tuple[tuple[int, int], float]:
    """What a campaign day's customer gets, written down, and how likely that was.

    `state` is 0 for those who are secretly still active.
    """
    campaign, reach = scene.campaign, scene.reach
    least = campaign.from_days if mood[ORDERS] > 0 else campaign.newcomers_from_days
    flags, reached = int(mood[FLAGS]), 0
    for channel in range(len(reach.requires)):
        reached += is_open(flags, reach.requires[channel])
    if silent_days < least or reached == 0:
        return NOBODY, 1.0
    contact = _contact_chance(campaign, mood, silent_days, state, scene.law.order_size)
    number, left = uniform(today, _ASSIGNED), 1.0
    action, chance = NOBODY, 1.0
    rank = 0
    for channel in range(len(reach.requires)):
        if not is_open(flags, reach.requires[channel]):
            continue
        for offer in range(len(reach.offer_effect)):
            chance = _chance(campaign, reach, contact, (reached, rank), offer)
            left -= chance
            if number >= left and action[0] < 0:
                action = (channel, offer)
                break
        if action[0] >= 0:
            break
        rank += 1
    if action[0] < 0:
        chance = left
    at = to_utc(scene.clock, 0, day, 0)
    add_assignment(log, int(mood[ASSIGNED_COUNT]), at, action, chance, state)
    mood[ASSIGNED_COUNT] += 1.0
    return action, chance


@njit(cache=True)
def _contact_chance(
    campaign: Campaign,
    mood: NDArray[np.float64],
    silent_days: float,
    state: int,
    order_size: float,
) -> float:
    """Probability of any contact with a human choosing; of the fixed choice, if mixed."""
    if campaign.policy == RANDOMISED:
        return 1.0 - campaign.control_share
    spend = 0.0
    if mood[ORDERS] > 0:
        spend = math.log(max(mood[SPENT], 1.0) / mood[ORDERS] / order_size)
    wish = 0.5 + 1.5 * spend - 1.2 * math.log(max(silent_days, 1.0) / 120.0)
    if campaign.policy == MIXED:
        return 1.0 if wish > 0.0 else 0.0
    if campaign.policy == CONFOUNDED and state == 0:
        wish += math.log(campaign.gamma)
    return min(max(1.0 / (1.0 + math.exp(-wish)), _LEAST), _MOST)


@njit(cache=True)
def _chance(
    campaign: Campaign, reach: Reach, contact: float, place: tuple[int, int], offer: int
) -> float:
    """Probability of one action; `place` is (reachable channels, this one's rank)."""
    reached, rank = place
    offers = len(reach.offer_effect)
    if campaign.policy == RANDOMISED:
        return contact / (reached * offers)
    if campaign.policy == MIXED:
        chosen = contact if rank == 0 and offer == offers // 2 else 0.0
        return (1.0 - campaign.epsilon) * chosen + campaign.epsilon / (reached * offers + 1)
    total = 0.0
    for other in range(reached):
        total += _PREFERRED[min(other, len(_PREFERRED) - 1)]
    share = _PREFERRED[min(rank, len(_PREFERRED) - 1)] / total
    # The better an offer, the seldomer it is made.
    return contact * share * (offers - offer) / (0.5 * offers * (offers + 1))
