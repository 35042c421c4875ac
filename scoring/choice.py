"""Who is listed, and with which action: the plan's customers in turn, within the real limits."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.allocate.problem import Prices
from scoring.exploration import Exploration
from scoring.outcomes import (
    CAPACITY_FULL,
    GAIN_BELOW_MINIMUM,
    NO_ACTION,
    NOT_YET,
    OUTBID,
    SEGMENT_FULL,
    UNLIMITED,
)
from scoring.turns import Asked, Given, Rules, new_room, take_turns

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
Int8Array = NDArray[np.int8]
Int16Array = NDArray[np.int16]
Int32Array = NDArray[np.int32]
Int64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

WAITING_SHARE = 0.25
WAITING_LEAST = 1000
"""Customers waiting for what the plan's leave over: a share of these, at least so many."""


@dataclass(frozen=True, slots=True)
class Reserve:
    """What is kept of the budget in case more return than expected, as a charge on actions.

    The reserve is so many standard deviations of the night's spending. It is no sum over
    customers, but at most what its tangent says, which is one: a charge per unit of variance,
    and a rest. At the standard deviation of the tangent both are the same.

    Attributes
    ----------
    per_variance : charged on an action's variance; 1 / money.
    kept : taken off the budget besides; money.
    exploring : what exploration may charge more than the plan; money.
    """

    per_variance: float
    kept: float
    exploring: float


def reserve_at(sd: float, *, sigmas: float, own: float) -> Reserve:
    """The tangent at a standard deviation of the night's spending.

    Parameters
    ----------
    own : of the budget, exploration's; half of it may go into the reserve.
    """
    if sigmas <= 0.0:
        return Reserve(per_variance=0.0, kept=0.0, exploring=own)
    sd = max(sd, own / sigmas, 1e-9)
    kept = sigmas * sd / 2.0
    return Reserve(per_variance=sigmas / (2.0 * sd), kept=kept, exploring=own - min(kept, own / 2))


@dataclass(frozen=True, slots=True)
class Candidates:
    """What each of n customers may get; all of shape (n, n_actions), if not said otherwise.

    Attributes
    ----------
    value : what the action competes with: expected gain, caution taken off; money.
    cost, variance : expected spending and its variance; money and money squared.
    allowed : the customer may get this action. Actions of one channel stand together.
    group : shape (n,), the customer's combination of segments.
    held : shape (n,), a contact is expected to be worth more within days.
    tie : shape (n,), orders equals; see `scoring.arms.ArmDraws`.
    """

    value: Float64Array
    cost: Float32Array
    variance: Float32Array
    allowed: BoolArray
    group: Int32Array
    held: BoolArray
    tie: Float64Array

    def competing(self, min_gain: float) -> BoolArray:
        """Actions that gain more than the minimum, of customers not held back."""
        return self.allowed & (self.value > min_gain) & ~self.held[:, None]

    def charge(self, reserve: Reserve) -> Float32Array:
        """Cost of every action with what it adds to the reserve; money."""
        if not reserve.per_variance:
            return self.cost
        return (self.cost + reserve.per_variance * self.variance).astype(np.float32)

    def take(self, rows: Int64Array) -> "Candidates":
        """The same of the customers in the given rows, in their order."""
        return Candidates(
            value=self.value[rows],
            cost=self.cost[rows],
            variance=self.variance[rows],
            allowed=self.allowed[rows],
            group=self.group[rows],
            held=self.held[rows],
            tie=self.tie[rows],
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """What the night can carry.

    Attributes
    ----------
    capacity : shape (n_channels,), contacts; `UNLIMITED` where there is no limit.
    max_rows : most listed customers, controls included; `UNLIMITED` for no limit.
    min_gain : a contact must promise more than this.
    budget : money for contacts and what offers give away; inf for no limit.
    sigmas : standard deviations of the spending that must fit into the budget too.
    member : shape (n_segments, n_groups), whether a group belongs to a segment.
    least, most : shape (n_segments,), contacts really sent; `UNLIMITED` for no most.
    """

    capacity: Int64Array
    max_rows: int
    min_gain: float
    budget: float
    sigmas: float
    member: BoolArray
    least: Int64Array
    most: Int64Array


def seat_limits(
    capacity: Int64Array, *, max_rows: int = UNLIMITED, min_gain: float = 0.0
) -> Limits:
    """Seats, and no limit by money or segment."""
    none = np.zeros(0, dtype=np.int64)
    return Limits(
        capacity=capacity,
        max_rows=max_rows,
        min_gain=min_gain,
        budget=np.inf,
        sigmas=0.0,
        member=np.zeros((0, 1), dtype=np.bool_),
        least=none,
        most=none,
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be best for everybody, whatever their arms.

    Attributes
    ----------
    action : shape (n,), `NO_ACTION` for no contact.
    prices : of the limits; group rows as in the plan's problem.
    group_price : shape (n_groups,), what a contact of each group takes from group limits.
    gap : share of what the best plan may be worth that this one may lack.
    reserve : how it charged actions for chance.
    """

    action: Int16Array
    prices: Prices
    group_price: Float64Array
    gap: float
    reserve: Reserve


@dataclass(frozen=True, slots=True)
class Choices:
    """What became of each candidate; all of shape (n,).

    Attributes
    ----------
    outcome : code into `OUTCOMES`.
    action : the assigned action; for controls the one they would have got;
        `NO_ACTION` for those not listed.
    best_action : the action the contact arm takes; `NO_ACTION` for those not listed, and
        for those listed on trial, whom the contact arm does not list.
    n_actions : actions open to exploration when the customer's turn came.
    chance : probability of `action` if the customer explores; 0 for those not listed.
    """

    outcome: Int8Array
    action: Int16Array
    best_action: Int16Array
    n_actions: Int64Array
    chance: Float64Array


def worth_at_prices(candidates: Candidates, plan: Plan, *, channel_of: Int64Array) -> Float64Array:
    """Value less tonight's prices of what an action uses; shape (n, n_actions)."""
    prices = plan.prices
    worth: Float64Array = (
        candidates.value
        - prices.budget * candidates.charge(plan.reserve)
        - prices.seats[channel_of]
        - plan.group_price[candidates.group][:, None]
    )
    return worth


@dataclass(frozen=True, slots=True)
class Turns:
    """In which order customers are looked at.

    Attributes
    ----------
    worth : shape (n, n_actions), at tonight's prices.
    planned : rows with an action in the plan, the most profitable first.
    waiting : rows who may take what these leave over, the best first.
    """

    worth: Float64Array
    planned: Int64Array
    waiting: Int64Array

    def may_be_listed(self, on_trial: BoolArray) -> BoolArray:
        """Whose probabilities exploration needs; shape (n,)."""
        asked = on_trial.copy()
        asked[self.planned] = True
        asked[self.waiting] = True
        return asked


def order_turns(
    candidates: Candidates, plan: Plan, *, channel_of: Int64Array, min_gain: float
) -> Turns:
    """Put the plan's customers by what they add at tonight's prices, and a queue behind them.

    The order knows nothing of arms, so that what a customer finds when their turn comes
    depends on the draws of others only.
    """
    worth = worth_at_prices(candidates, plan, channel_of=channel_of)
    competing = candidates.competing(min_gain)
    best = np.where(competing, worth, -np.inf).max(axis=1, initial=-np.inf)
    order = np.lexsort((np.arange(len(best)), candidates.tie, -best))
    planned = order[plan.action[order] != NO_ACTION]
    if plan.prices.budget > 0.0:
        # If money runs short, those shall miss it who bring least for it.
        taken = plan.action[planned].astype(np.int64)
        charge = candidates.charge(plan.reserve)[planned, taken].astype(np.float64)
        earned = worth[planned, taken] / np.maximum(charge, 1e-12)
        planned = planned[np.argsort(-earned, kind="stable")]
    waiting = order[np.isfinite(best[order])]
    most = len(planned) + max(WAITING_LEAST, int(WAITING_SHARE * len(planned)))
    return Turns(worth=worth, planned=planned, waiting=waiting[:most])


def choose_actions(
    candidates: Candidates,
    *,
    plan: Plan,
    turns: Turns,
    arm: Int8Array,
    exploration: Exploration,
    limits: Limits,
) -> Choices:
    """Give every candidate an action: the plan's, while the real limits last.

    The plan's customers come first, by what they add at tonight's prices. Each takes the
    plan's action, or where that is full the open one that adds most; who finds none that
    adds anything waits. Then those who wait, and the next best behind them, take what is
    left. Where a segment's least is asked for, its customers have come before all others
    until it is reached. Controls use nothing.

    An exploring customer draws from the open actions, whatever they gain: what an action is
    worth is what exploration finds out. An action is open if it is allowed and affordable,
    its channel has seats left, and taking one robs nobody: it is the best action's own
    channel, or more seats are left than planned customers to come, or exploration has not
    yet taken its share of the seats; and likewise for the budget.

    A customer whom no action promises enough, or who is held back, is listed on trial if
    chance has put them among the explorers or their controls and the posterior gives some
    action at least `TRIAL_CHANCE` of paying. They come last and take seats that nobody
    wanted. See docs/adr/0006-exploration.md and docs/adr/0009-allocation.md.

    Parameters
    ----------
    arm : shape (n,), see `scoring.arms.ArmDraws`.
    """
    n_candidates, n_actions = candidates.value.shape
    n_channels = len(limits.capacity)
    if n_candidates == 0 or n_actions == 0:
        return _choices(_given(n_candidates))
    competing = candidates.competing(limits.min_gain)
    competes = competing.any(axis=1)
    given = _given(n_candidates)
    given.outcome[candidates.held & candidates.allowed.any(axis=1)] = NOT_YET
    given.outcome[competes] = OUTBID
    # Where all of somebody's channels are closed for the night, nobody bids.
    seated = np.repeat(limits.capacity != 0, n_actions // n_channels)
    given.outcome[competes & ~(competing & seated).any(axis=1)] = CAPACITY_FULL
    # Likewise of segments that may not get a single contact.
    closed = (limits.member & (limits.most == 0)[:, None]).any(axis=0)
    given.outcome[competes & closed[candidates.group]] = SEGMENT_FULL
    weights = exploration.weights
    take_turns(
        Asked(
            plan=plan.action,
            worth=turns.worth,
            competing=competing,
            allowed=candidates.allowed,
            cost=candidates.cost,
            variance=candidates.variance,
            charge=candidates.charge(plan.reserve),
            group=candidates.group,
            arm=arm,
            draw=exploration.draw,
            weights=np.empty((0, n_actions)) if weights is None else weights,
        ),
        Rules(
            n_offers=n_actions // n_channels,
            floor=exploration.floor,
            max_rows=limits.max_rows,
            budget=limits.budget,
            charge_budget=limits.budget - plan.reserve.kept,
            sigmas=limits.sigmas,
            member=limits.member,
            most=limits.most,
        ),
        new_room(
            limits.capacity,
            limits.least,
            share=exploration.share,
            money=plan.reserve.exploring,
        ),
        given,
        turns.planned,
        turns.waiting,
        _trial_order(candidates, exploration.on_trial & ~competes),
    )
    return _choices(given)


def _trial_order(candidates: Candidates, on_trial: BoolArray) -> Int64Array:
    rows = np.flatnonzero(on_trial)
    best = np.where(candidates.allowed[rows], candidates.value[rows], -np.inf).max(axis=1)
    return rows[np.lexsort((rows, candidates.tie[rows], -best))]


def _given(n_candidates: int) -> Given:
    return Given(
        outcome=np.full(n_candidates, GAIN_BELOW_MINIMUM, dtype=np.int8),
        action=np.full(n_candidates, NO_ACTION, dtype=np.int16),
        best_action=np.full(n_candidates, NO_ACTION, dtype=np.int16),
        n_open=np.zeros(n_candidates, dtype=np.int64),
        chance=np.zeros(n_candidates, dtype=np.float64),
    )


def _choices(given: Given) -> Choices:
    return Choices(
        outcome=given.outcome,
        action=given.action,
        best_action=given.best_action,
        n_actions=given.n_open,
        chance=given.chance,
    )
