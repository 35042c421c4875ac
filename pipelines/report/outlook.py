"""What the contacts of a night are expected to bring, and how unsure that is."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scoring.arms import GHOST
from scoring.exploration import night_generator
from scoring.gain import gain_terms
from scoring.night import Night

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]

LEVEL = 0.9
"""Probability that the expected total lies in its interval."""

_MOST_ROWS = 10_000
"""Rows behind an interval; of longer lists every k-th, from the first rank to the last."""

_BLOCK_ROWS = 1024
"""Rows whose draws are held at once: 33 MB for 20 actions."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A total: expected, and the ends of its interval."""

    expected: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Outlook:
    """Totals over the rows really to be sent.

    Attributes
    ----------
    gain : incremental profit, money.
    extra_returns : returns that would not have come by themselves.
    returns_anyway : returns that would have come without a contact.
    given_away : what offers are expected to give away to all who return, money.
    level : of the intervals; they say how unsure the effects are, not what luck adds.
    """

    gain: Interval
    extra_returns: Interval
    returns_anyway: float
    given_away: float
    level: float = LEVEL


def expect_totals(night: Night, *, gross_margin: float, as_of_us: int) -> Outlook:
    """Sum what the sent rows promise, with intervals from the effects' posterior.

    A draw of the posterior is one possible world with the same parameters for every
    customer, so that rows are right or wrong together: intervals of single rows must not
    be added as if they were independent. Each of 200 worlds gives one total; the interval
    leaves out the lowest and the highest 5 % of them.

    Parameters
    ----------
    gross_margin : share of an order's amount that is kept.
    as_of_us : the night's as-of; the draws are the same for every run of it.
    """
    places = night.listed[night.draws.arm[night.listed] < GHOST]
    action = night.choices.action[places].astype(np.int64)
    natural, contacted = _likelihoods(night, places, action)
    value = night.order_value[places]
    given = night.actions.discount[action] * value + night.actions.cost_on_return[action]
    gain = float(night.gains[places, action].sum())
    returns = float((contacted - natural).sum())
    kept = places[:: max(1, -(-len(places) // _MOST_ROWS))]
    gains, extra = _totals_by_world(night, kept, gross_margin=gross_margin, as_of_us=as_of_us)
    grown = len(places) / max(len(kept), 1)
    return Outlook(
        gain=_interval(gain, gains, grown=grown),
        extra_returns=_interval(returns, extra, grown=grown),
        returns_anyway=round(float(natural.sum()), 2),
        given_away=round(float((contacted * given).sum()), 2),
    )


def _likelihoods(
    night: Night, places: Int64Array, action: Int64Array
) -> tuple[Float64Array, Float64Array]:
    """P(return) without contact and under the assigned action, both of shape (n,)."""
    odds = night.effects.log_odds0[places]
    shift = night.effects.shift[places, action]
    return 1.0 / (1.0 + np.exp(-odds)), 1.0 / (1.0 + np.exp(-(odds + shift)))


def _totals_by_world(
    night: Night, places: Int64Array, *, gross_margin: float, as_of_us: int
) -> tuple[Float64Array, Float64Array]:
    """What the worlds' totals differ by from the expectation: gain and extra returns."""
    action = night.choices.action[places].astype(np.int64)
    effects = replace(
        night.effects,
        log_odds0=night.effects.log_odds0[places],
        x=night.effects.x[places],
        shift=night.effects.shift[places],
        attrition_cost=night.effects.attrition_cost[places],
    )
    rows = np.arange(len(places))
    kept = gain_terms(
        effects.natural,
        order_value=night.order_value[places],
        attrition_cost=effects.attrition_cost,
        terms=night.actions.terms(gross_margin),
    )[0][rows, action]
    expected = _likelihoods(night, places, action)[1]
    draw = effects.draws(night_generator(night.experiment, as_of_us=as_of_us))
    gains: list[Float64Array] = []
    returns: list[Float64Array] = []
    for start in range(0, len(places), _BLOCK_ROWS):
        block = slice(start, min(start + _BLOCK_ROWS, len(places)))
        mine = rows[block]
        shift = draw(block)[:, mine - start, action[mine]]
        more = 1.0 / (1.0 + np.exp(-(effects.log_odds0[mine] + shift))) - expected[mine]
        returns.append(more.sum(axis=1))
        gains.append(more @ kept[mine])
    if not gains:
        return np.zeros(1), np.zeros(1)
    return np.sum(gains, axis=0), np.sum(returns, axis=0)


def _interval(expected: float, differences: Float64Array, *, grown: float) -> Interval:
    low, high = np.quantile(differences, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) * grown
    return Interval(
        expected=round(expected, 2),
        low=round(expected + min(float(low), 0.0), 2),
        high=round(expected + max(float(high), 0.0), 2),
    )
