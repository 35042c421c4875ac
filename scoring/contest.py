"""What competes on one night, and for what."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from models.action_value import ActionTerms
from scoring.choice import Candidates, Limits
from scoring.effects import ActionEffects
from scoring.outcomes import UNLIMITED
from scoring.policy import Experiment, ListRules, NightLimits
from scoring.segment_limits import SegmentRows, contact_counts

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Contest:
    """What competes tonight, and for what.

    Attributes
    ----------
    candidates : of n customers.
    channel_of : shape (n_actions,).
    segments : the customers' segments and their limits.
    limits : real ones; segments without those that depend on how many are sent.
    sent_share : of planned customers that are expected to be contacted.
    threads : that may walk over the candidates.
    explore_share : of the budget that is exploration's own.
    """

    candidates: Candidates
    channel_of: Int64Array
    segments: SegmentRows
    limits: Limits
    sent_share: float
    threads: int
    explore_share: float = 0.0

    def on_trial(self, drawn: BoolArray) -> BoolArray:
        """Those chance admits whom no action promises enough, or who are held back."""
        return drawn & ~self.candidates.competing(self.limits.min_gain).any(axis=1)

    def limits_for(self, contacts: int) -> Limits:
        """The limits if so many contacts are sent in all."""
        least, most = contact_counts(self.segments, contacts=contacts)
        return replace(self.limits, least=least, most=most)


def sent_share(experiment: Experiment) -> float:
    """Share of planned customers that are contacted: neither holdout nor ghosts."""
    return (1.0 - experiment.holdout_share) * (1.0 - experiment.ghost_share)


def contest_for_seats(
    value: Float64Array,
    *,
    allowed: BoolArray,
    tie: Float64Array,
    limits: Limits,
    sent_share: float,
) -> Contest:
    """A contest for seats alone: nothing is spent, nobody is in a segment.

    Parameters
    ----------
    value, allowed : shape (n, n_actions).
    """
    n_customers, n_actions = value.shape
    n_channels = len(limits.capacity)
    nothing = np.zeros(value.shape, dtype=np.float32)
    return Contest(
        candidates=Candidates(
            value=value,
            cost=nothing,
            variance=nothing,
            allowed=allowed,
            group=np.zeros(n_customers, dtype=np.int32),
            held=np.zeros(n_customers, dtype=np.bool_),
            tie=tie,
        ),
        channel_of=np.repeat(np.arange(n_channels), n_actions // max(n_channels, 1)),
        segments=SegmentRows(
            limits=(),
            group=np.zeros(n_customers, dtype=np.int32),
            member=np.zeros((0, 1), dtype=np.bool_),
        ),
        limits=limits,
        sent_share=sent_share,
        threads=1,
    )


@dataclass(frozen=True, slots=True)
class Spending:
    """What actions are expected to spend, each of shape (n, n_actions).

    Attributes
    ----------
    cost : the contact, and what is given away if the customer returns; money.
    variance : of it, as a return is a matter of chance; money squared.
    """

    cost: Float32Array
    variance: Float32Array


def expected_spending(
    weighed: ActionEffects, *, order_value: Float64Array, terms: ActionTerms
) -> Spending:
    """Expected spending of every action, with p the return's probability under it.

    cost = contact + p given, variance = p (1 - p) given^2: discounts are paid to all who
    return, those who would have come anyway included.

    Parameters
    ----------
    order_value : shape (n,), money a return is worth before margin.
    """
    p = weighed.contacted()
    given = order_value[:, None] * terms.discount + terms.cost_on_return
    return Spending(
        cost=(terms.contact_cost + p * given).astype(np.float32),
        variance=(p * (1.0 - p) * given**2).astype(np.float32),
    )


def cautious_gains(
    gains: Float64Array,
    weighed: ActionEffects,
    *,
    order_value: Float64Array,
    terms: ActionTerms,
    caution: float,
) -> Float64Array:
    """Gains less so many of their standard errors; METHODS section 4.9.

    The error is that of the effect alone, to first order: p (1 - p) sd money per return.
    """
    if not caution:
        return gains
    p = weighed.contacted()
    sd = weighed.effect.shifts(weighed.log_odds0, weighed.x).sd
    kept = (terms.gross_margin - terms.discount) * order_value[:, None] - terms.cost_on_return
    return np.asarray(gains - caution * np.abs(kept) * p * (1.0 - p) * sd)


def night_limits(
    limits: NightLimits, rules: ListRules, *, capacity: Int64Array, segments: SegmentRows
) -> Limits:
    """The configured limits of a night.

    Parameters
    ----------
    capacity : shape (n_channels,), contacts; `UNLIMITED` where there is no limit.
    """
    least, most = contact_counts(segments, contacts=0)
    return Limits(
        capacity=capacity,
        max_rows=UNLIMITED if rules.max_rows is None else rules.max_rows,
        min_gain=rules.min_gain,
        budget=np.inf if limits.budget is None else limits.budget,
        sigmas=float(norm.ppf(limits.budget_quantile)),
        member=segments.member,
        least=least,
        most=most,
    )
