"""The night's plan: what would be best for everybody, before chance says who is a control."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scoring.allocate.allocation import allocate
from scoring.allocate.door import close_unaffordable
from scoring.allocate.problem import GroupLimits, Problem
from scoring.allocate.search import find_prices
from scoring.arms import CONTACT, GHOST
from scoring.choice import (
    Choices,
    Plan,
    Reserve,
    Turns,
    choose_actions,
    order_turns,
    reserve_at,
)
from scoring.contest import Contest
from scoring.exploration import Exploration
from scoring.outcomes import LISTED, UNLIMITED
from scoring.segment_limits import contact_counts, group_limits, segment_contacts

Int8Array = NDArray[np.int8]
Int64Array = NDArray[np.int64]
Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_MOST_RESERVES = 6
_RESERVE_STEP = 1e-3
"""Plans are made anew at the reserve of the last one until they gain less than this."""

NO_RESERVE = Reserve(per_variance=0.0, kept=0.0, exploring=0.0)

_MOST_CHOICES = 20
_SMALLEST_MONEY = 1e-6
"""Prices are found to a tolerance; a bound this close to the value is the value."""


def plan_contacts(contest: Contest) -> Plan:
    """The best contacts within the limits, whatever the arms.

    Limits are divided by the share of the plan that is really sent, so that the prices, and
    with them who is listed, owe nothing to a customer's own draw: propensities stay exact.
    Of the budget a reserve is kept for the chance that more return than expected.
    METHODS section 4; docs/adr/0009-allocation.md.
    """
    plan = _plan_within_budget(contest, planned=0)
    if any(limit.min_share for limit in contest.segments.limits):
        # A share of how many is known only now.
        plan = _plan_within_budget(contest, planned=int((plan.action >= 0).sum()))
    return plan


def _plan_within_budget(contest: Contest, *, planned: int) -> Plan:
    """The best plan whose spending and reserve are within the budget.

    The reserve lies below its tangents, so that plans by tangents keep the budget; and each is
    allowed at the tangent of its own spending, so that the next one is worth no less.
    """
    limits, share = contest.limits, contest.sent_share
    plan, value, sd = _plan_for(contest, reserve=NO_RESERVE, planned=planned)
    if not np.isfinite(limits.budget):
        return plan
    own = contest.explore_share * limits.budget
    reserve = reserve_at(sd, sigmas=limits.sigmas, own=own)
    charged = share * _total(plan, contest.candidates.charge(reserve))
    if charged <= limits.budget - reserve.kept - reserve.exploring:
        return replace(plan, reserve=reserve)
    best, most = plan, -np.inf
    for _ in range(_MOST_RESERVES):
        if limits.sigmas:
            sd = min(sd, (limits.budget - own) / limits.sigmas)
        reserve = reserve_at(sd, sigmas=limits.sigmas, own=own)
        plan, value, sd = _plan_for(contest, reserve=reserve, planned=planned)
        if value > most:
            best = plan
        if value <= most + _RESERVE_STEP * abs(most):
            break
        most = value
    return best


def _total(plan: Plan, amounts: Float32Array) -> float:
    """Sum over the plan's actions of something that each would use."""
    rows = np.flatnonzero(plan.action >= 0)
    return float(amounts[rows, plan.action[rows].astype(np.int64)].astype(np.float64).sum())


def _plan_for(contest: Contest, *, reserve: Reserve, planned: int) -> tuple[Plan, float, float]:
    """A plan, its worth, and the standard deviation of what it spends."""
    problem = _problem(contest, reserve=reserve, planned=planned)
    # Chance will say who is a control: a proof of the last cent would be lost on it.
    found = allocate(problem, proves=False, threads=contest.threads)
    plan = Plan(
        action=found.action,
        prices=found.prices,
        group_price=found.prices.group_price(problem.groups),
        gap=found.gap,
        reserve=reserve,
    )
    variance = contest.sent_share * _total(plan, contest.candidates.variance)
    return plan, found.worth, float(np.sqrt(variance))


def turns_of(contest: Contest, plan: Plan) -> Turns:
    """In which order customers are looked at."""
    return order_turns(
        contest.candidates,
        plan,
        channel_of=contest.channel_of,
        min_gain=contest.limits.min_gain,
    )


def choose_within_limits(
    contest: Contest, plan: Plan, turns: Turns, *, arm: Int8Array, exploration: Exploration
) -> Choices:
    """The plan's contacts within the real limits, shares of all contacts included.

    How many contacts a share stands for is known only when all are chosen: the choice is
    repeated with the number that came out until the shares hold. One's own arm is one
    contact of that number: with limits by shares, and lists of a dozen rows, propensities
    are off by a few points; from some sixty rows on nothing of it can be seen.
    """
    planned = int((plan.action >= 0).sum())
    contacts = round(planned * contest.sent_share)
    for _ in range(_MOST_CHOICES):
        limits = contest.limits_for(contacts)
        choices = choose_actions(
            contest.candidates,
            plan=plan,
            turns=turns,
            arm=arm,
            exploration=exploration,
            limits=limits,
        )
        sent = (choices.outcome == LISTED) & (arm < GHOST)
        found = int(sent.sum())
        asked = contest.limits_for(found)
        has = segment_contacts(contest.segments, sent)
        too_many = (asked.most != UNLIMITED) & (has > asked.most)
        # A least that even the plan's number could not reach is missed for want of customers.
        too_few = (has < asked.least) & (has >= limits.least)
        if not (too_many | too_few).any():
            break
        contacts = found
    return choices


def _problem(contest: Contest, *, reserve: Reserve, planned: int) -> Problem:
    candidates, limits = contest.candidates, contest.limits
    # What exploration may use is not planned with.
    budget = max(limits.budget - reserve.kept - reserve.exploring, 0.0)
    competing = candidates.competing(limits.min_gain)
    capacity = limits.capacity.astype(np.float64)
    return Problem(
        value=np.where(competing, candidates.value, -np.inf).astype(np.float32),
        cost=candidates.charge(reserve),
        channel_of=contest.channel_of,
        budget=budget / contest.sent_share,
        seats=np.where(limits.capacity < 0, np.inf, capacity / contest.sent_share),
        groups=_reachable_leasts(
            group_limits(
                contest.segments,
                max_rows=limits.max_rows,
                sent_share=contest.sent_share,
                planned=planned,
            ),
            competing,
        ),
    )


def _reachable_leasts(groups: GroupLimits, competing: BoolArray) -> GroupLimits:
    """Ask of a segment no more contacts than it has customers who compete.

    A least beyond that would be missed whatever is done, and its price would drown the others.
    """
    able = np.bincount(groups.group[competing.any(axis=1)], minlength=groups.weight.shape[1])
    reach = np.where(groups.least > 0, groups.weight @ able, np.inf)
    return replace(groups, least=np.minimum(groups.least, reach))


@dataclass(frozen=True, slots=True)
class Certificate:
    """How good tonight's list is, and what limits it.

    Attributes
    ----------
    value : expected gain of the contact arm's rows, caution taken off; money.
    bound : no choice for the contact arm within what exploration left of tonight's limits
        is expected to bring more; money.
    budget_price : what one more unit of budget would bring; 0 without a binding budget.
    seat_prices : what one more seat of each channel would bring, shape (n_channels,).
    row_price : what one more row of the list would bring.
    segment_prices : what one contact more, or one fewer asked for, of each segment would
        bring, shape (n_segments,).
    seats : contacts that each channel can carry tonight, its seats by the hour included;
        `UNLIMITED` where there is no limit.
    contacts, seats_used, segment_used : contacts really sent: in all, by channel, by segment.
    spent, spent_high : expected spending, and what it stays below with the configured
        probability; money.
    """

    value: float
    bound: float
    budget_price: float
    seat_prices: Float64Array
    row_price: float
    segment_prices: Float64Array
    seats: Int64Array
    contacts: int
    seats_used: Int64Array
    segment_used: Int64Array
    spent: float
    spent_high: float

    @property
    def gap(self) -> float:
        """Share of the bound that the list may be away from the best one."""
        return max(self.bound - self.value, 0.0) / self.bound if self.bound > 0 else 0.0


def certify(contest: Contest, plan: Plan, choices: Choices, arm: Int8Array) -> Certificate:
    """Bound what the contact arm could have been expected to bring tonight.

    Exploration's seats and money, the rows of controls, how many contacts segments' shares
    are of, and the reserve for chance are taken as given: what exploration and controls cost
    is told apart.
    """
    candidates, limits = contest.candidates, contest.limits
    listed = choices.outcome == LISTED
    sent = listed & (arm < GHOST)
    action = np.where(listed, choices.action, 0).astype(np.int64)
    rows = np.arange(len(arm))
    cost = np.where(sent, candidates.cost[rows, action], 0.0).astype(np.float64)
    variance = np.where(sent, candidates.variance[rows, action], 0.0).astype(np.float64)
    reserve = limits.sigmas * float(np.sqrt(variance.sum()))
    own = sent & (arm == CONTACT)
    value = float(candidates.value[rows[own], action[own]].sum())
    left = _left_to_contacts(
        contest, listed=listed, own=own, action=action, reserve=reserve, arm=arm
    )
    left = close_unaffordable(left, threads=contest.threads)
    bound = find_prices(left, threads=contest.threads).bound
    if bound - value < _SMALLEST_MONEY:
        bound = value
    n_channels = len(limits.capacity)
    seats_used = np.bincount(contest.channel_of[action[sent]], minlength=n_channels)
    first, by_segment = _segment_prices(contest, plan)
    return Certificate(
        value=value,
        bound=bound,
        budget_price=plan.prices.budget,
        seat_prices=plan.prices.seats,
        row_price=first,
        segment_prices=by_segment,
        seats=limits.capacity,
        contacts=int(sent.sum()),
        seats_used=seats_used.astype(np.int64),
        segment_used=segment_contacts(contest.segments, sent),
        spent=float(cost.sum()),
        spent_high=float(cost.sum()) + reserve,
    )


def _left_to_contacts(
    contest: Contest,
    *,
    listed: BoolArray,
    own: BoolArray,
    action: Int64Array,
    reserve: float,
    arm: Int8Array,
) -> Problem:
    """The contact arm's problem, within what exploration and controls leave."""
    candidates, limits = contest.candidates, contest.limits
    others = listed & ~own
    explored = others & (arm < GHOST)
    rows = np.flatnonzero(explored)
    taken = np.bincount(contest.channel_of[action[rows]], minlength=len(limits.capacity))
    spent = float(candidates.cost[rows, action[rows]].astype(np.float64).sum())
    counts = contact_counts(contest.segments, contacts=int((own | explored).sum()))
    used = segment_contacts(contest.segments, explored)
    room = limits.max_rows if limits.max_rows == UNLIMITED else limits.max_rows - int(others.sum())
    competing = candidates.competing(limits.min_gain) & (arm == CONTACT)[:, None]
    ones = np.ones((1, contest.segments.member.shape[1]))
    least, most = (np.maximum(count - used, 0).astype(np.float64) for count in counts)
    return Problem(
        value=np.where(competing, candidates.value, -np.inf).astype(np.float32),
        cost=candidates.cost,
        channel_of=contest.channel_of,
        budget=max(limits.budget - spent - reserve, 0.0),
        seats=np.where(limits.capacity < 0, np.inf, np.maximum(limits.capacity - taken, 0)),
        groups=_reachable_leasts(
            GroupLimits(
                group=contest.segments.group,
                weight=np.vstack([ones, contest.segments.member.astype(np.float64)]),
                least=np.concatenate([[-np.inf], np.where(counts[0] > 0, least, -np.inf)]),
                most=np.concatenate(
                    [
                        [np.inf if room == UNLIMITED else float(room)],
                        np.where(counts[1] == UNLIMITED, np.inf, most),
                    ]
                ),
            ),
            competing,
        ),
    )


def _segment_prices(contest: Contest, plan: Plan) -> tuple[float, Float64Array]:
    """Prices of the list's rows, and of each segment's limits: the largest of its own.

    The plan's price of a row counts what controls would bring, of a row really listed only
    the sent share brings anything. Other limits were divided by that share already.
    """
    prices = np.maximum(plan.prices.most, plan.prices.least)
    by_segment, place = np.zeros(len(contest.segments.limits)), 1
    for number, limit in enumerate(contest.segments.limits):
        own = 1 + (limit.max_share is not None)
        by_segment[number] = prices[place : place + own].max()
        place += own
    return float(prices[0]) * contest.sent_share, by_segment
