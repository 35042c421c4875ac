"""Not yet: whose contact is expected to be worth more within days, and is held back for it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scoring.choice import Candidates, Plan, worth_at_prices
from scoring.contest import Contest
from scoring.effects import NightEffects
from scoring.night_plan import turns_of
from scoring.night_policy import NightPolicy
from scoring.offered import Offered, make_candidates
from scoring.policy import Waiting
from scoring.scored import ScoredCustomers

BoolArray = NDArray[np.bool_]
Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]

CLEARLY = 0.05
"""Share of tonight's expected gain by which a later contact must be worth more: forecasts
are not so exact that less would say anything, and who waits may be gone."""

LEAST_MORE = 0.01
"""Money by which it must be worth more at least: below it, gains are all but nothing."""

_WEEK_DAYS = 7.0


@dataclass(frozen=True, slots=True)
class Ahead:
    """k customers days later, if nothing happens until then.

    Attributes
    ----------
    p_natural : shape (k,), probability of a return without contact, seen from that day.
    effect_x : shape (k, F), what effects of contact may depend on, on that day.
    p_return : shape (k,), probability that they return without contact before it.
    """

    p_natural: Float64Array
    effect_x: Float64Array
    p_return: Float64Array


LookAhead = Callable[[Int64Array], Ahead]
"""Tells of customers, by ascending positions among the scored, `Waiting.days` later."""


@dataclass(frozen=True, slots=True)
class Prospects:
    """The m eligible customers of a night, and what is believed of contacts.

    Attributes
    ----------
    scored : all customers.
    eligible : shape (m,), positions among them.
    offered : what the eligible could get tonight.
    """

    scored: ScoredCustomers
    eligible: Int64Array
    offered: Offered
    believed: NightEffects
    policy: NightPolicy


@dataclass(frozen=True, slots=True)
class Comparison:
    """A contact tonight and one days later, for k customers; all of shape (k,), in money.

    Attributes
    ----------
    gain : expected gain of tonight's best action, caution taken off; 0 where none promises
        enough.
    worth : what remains of it at tonight's prices; not below 0, which is no contact.
    later_gain : expected gain of the best action days later, seen from that day.
    later_worth : what remains of it at the same prices; not below 0.
    p_return : probability that the customer returns by themselves before that.
    """

    gain: Float64Array
    worth: Float64Array
    later_gain: Float64Array
    later_worth: Float64Array
    p_return: Float64Array

    def is_better_later(self, waiting: Waiting) -> BoolArray:
        """Whether waiting is clearly expected to bring more; shape (k,)."""
        expected = (1.0 - self.p_return) * discount_factor(waiting) * self.later_worth
        least = np.maximum(CLEARLY * np.maximum(self.gain, 0.0), LEAST_MORE)
        better: BoolArray = expected - self.worth > least
        return better


def discount_factor(waiting: Waiting) -> float:
    """What a gain is worth today that comes after `waiting.days`."""
    return float((1.0 - waiting.discount_per_week) ** (waiting.days / _WEEK_DAYS))


def hold_back(prospects: Prospects, contest: Contest, plan: Plan, *, ahead: LookAhead) -> BoolArray:
    """Whose contact is better left for a later night; shape (m,).

    Asked are the customers of the plan and those next in line, who would move up. One step
    is looked ahead: now, or in `waiting.days` if nothing happens until then, at the same
    prices; METHODS section 3, point 7. Nothing depends on a customer's arm. A follow-up that
    is due is not held back: it has a time of its own, and would lapse.

    Parameters
    ----------
    contest, plan : of the night before anybody is held back.
    """
    policy = prospects.policy
    held = np.zeros(len(prospects.eligible), dtype=np.bool_)
    turns = turns_of(contest, plan)
    due = prospects.scored.follow_ups.due(as_of_us=policy.as_of_us)[prospects.eligible]
    rows = np.union1d(turns.planned, turns.waiting)
    rows = rows[~due[rows]]
    if len(rows):
        found = compare_waiting(prospects, contest, plan, rows=rows, ahead=ahead)
        held[rows] = found.is_better_later(policy.waiting)
    return held


def with_held(contest: Contest, held: BoolArray) -> Contest:
    """The contest of those who are not held back."""
    return replace(contest, candidates=replace(contest.candidates, held=held))


def compare_waiting(
    prospects: Prospects, contest: Contest, plan: Plan, *, rows: Int64Array, ahead: LookAhead
) -> Comparison:
    """Weigh a contact tonight against one days later.

    Parameters
    ----------
    rows : ascending places among the eligible.
    """
    told = ahead(prospects.eligible[rows])
    now = contest.candidates.take(rows)
    gain, worth = _best(now, contest, plan)
    later_gain, later_worth = _best(_candidates_later(prospects, now, told, rows), contest, plan)
    return Comparison(
        gain=gain,
        worth=worth,
        later_gain=later_gain,
        later_worth=later_worth,
        p_return=told.p_return,
    )


def _best(
    candidates: Candidates, contest: Contest, plan: Plan
) -> tuple[Float64Array, Float64Array]:
    """Gain and worth of the action that is worth most; 0 for no contact."""
    worth = worth_at_prices(candidates, plan, channel_of=contest.channel_of)
    worth = np.where(candidates.competing(contest.limits.min_gain), worth, -np.inf)
    best = worth.argmax(axis=1)
    at = np.arange(len(best))
    most = worth[at, best]
    gain = np.where(np.isfinite(most), candidates.value[at, best], 0.0)
    return gain, np.maximum(most, 0.0)


def _candidates_later(
    prospects: Prospects, now: Candidates, told: Ahead, rows: Int64Array
) -> Candidates:
    """The same customers and allowed actions, with the effects of the later day."""
    offered, policy = prospects.offered, prospects.policy
    weighed = prospects.believed.weigh(
        told.p_natural,
        told.effect_x,
        names=prospects.scored.effect_names,
        actions=offered.actions,
    )
    order_value = offered.order_value[rows]
    later = replace(
        offered,
        order_value=order_value,
        effects=weighed,
        gains=weighed.gains(order_value=order_value, terms=offered.terms),
        allowed=offered.allowed[rows],
    )
    return make_candidates(later, group=now.group, tie=now.tie, policy=policy)
