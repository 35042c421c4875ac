"""The life cycle: which state each customer is in, and who moved since a month ago."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.life_cycle import LIFE_CYCLES, life_cycle_of
from features.value_tier import VALUE_TIERS, count_moves
from training.definition_silence import NO_GAP, Standing

Int8Array = NDArray[np.int8]
Int64Array = NDArray[np.int64]
Float64Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

MONTH_DAYS = 28
"""A month is four whole weeks, so that the same weekdays are compared."""

STATES = tuple(name.replace("_", " ") for name in LIFE_CYCLES)
ELSEWHERE = len(STATES)
"""The state of a customer who is not on the stage."""


@dataclass(frozen=True, slots=True)
class Movement:
    """Who was where a month ago and is where now.

    Attributes
    ----------
    names : the states, of rows and columns.
    counts : counts[i][j] customers were in state i a month ago and are in state j now.
    """

    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    @property
    def rows(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Each state with the counts of where its customers went."""
        return tuple(zip(self.names, self.counts, strict=True))


@dataclass(frozen=True, slots=True)
class TierMovement:
    """Movement between value and frequency tiers, both cut where the quantile lay a month ago.

    Attributes
    ----------
    spend_above : high value is more order amounts in 365 days than this.
    order_days_above : high frequency is more days with an order in 90 days than this.
    movement : between the four tiers, of customers known a month ago.
    slid : customers of high frequency a month ago and of low frequency now.
    slid_awake : those of them who are not dormant yet: the early warning.
    """

    spend_above: float
    order_days_above: float
    movement: Movement
    slid: int
    slid_awake: int


def life_states(
    standing: Standing,
    stage: int,
    *,
    limits: Float64Array,
    windows: Sequence[float | None],
    lost_days: int | None,
) -> Int8Array:
    """The state of each customer on a stage, ELSEWHERE for others; shape (n_customers,).

    The rule is `features.life_cycle.life_cycle_of`.

    Parameters
    ----------
    standing : of all customers at an as-of.
    stage : position in the ladder.
    limits : personal limits, shape (3, n_customers).
    windows : W of every stage; null where there is none.
    lost_days : silence after which customers are lost; null if the data do not say.
    """
    window = windows[stage]
    own_window = np.inf if window is None else window
    silence = standing.silence_days
    reach = np.array([np.inf if w is None else w for w in windows])
    broke = standing.broken_days != NO_GAP
    was_dormant = np.zeros(len(silence), dtype=np.bool_)
    was_dormant[broke] = standing.broken_days[broke] >= reach[standing.broken_stage[broke]]
    state = life_cycle_of(
        silence,
        is_new=standing.gaps == 0,
        was_dormant=was_dormant,
        limits=limits,
        window_days=own_window,
        lost_days=lost_days,
    )
    state[~standing.seen | (standing.stage != stage)] = ELSEWHERE
    return state


def count_states(state: Int8Array) -> dict[str, int]:
    """Customers per state, in the order of the life cycle."""
    counts = np.bincount(state, minlength=len(STATES) + 1)
    return {name: int(counts[code]) for code, name in enumerate(STATES)}


def movement_of(before: Int8Array, after: Int8Array) -> Movement:
    """Movement on one stage; "elsewhere" is another stage, or not a customer yet."""
    return _movement(before, after, (*STATES, "elsewhere"), skip=ELSEWHERE)


def _movement(
    before: NDArray[np.int_] | Int8Array,
    after: NDArray[np.int_] | Int8Array,
    names: tuple[str, ...],
    *,
    skip: int | None = None,
) -> Movement:
    counts = count_moves(before, after, size=len(names))
    if skip is not None:
        counts[skip, skip] = 0
    return Movement(names, tuple(tuple(int(n) for n in row) for row in counts))


def tier_movement(
    before: Standing, after: Standing, *, quantile: float, dormant: BoolArray
) -> TierMovement | None:
    """Movement between tiers of value and frequency; null if nobody was known a month ago.

    Parameters
    ----------
    before, after : the same customers a month ago and now.
    quantile : high is above this quantile of the customers known a month ago.
    dormant : who is dormant or lost now, on any stage; shape (n_customers,).
    """
    known = before.seen
    if not known.any():
        return None
    spend = float(np.quantile(before.spend[known], quantile))
    order_days = float(np.quantile(before.order_days[known], quantile))

    def tiers(standing: Standing) -> NDArray[np.int_]:
        high_value = (standing.spend[known] > spend).astype(np.int64)
        return 2 * high_value + (standing.order_days[known] > order_days)

    was, is_now = tiers(before), tiers(after)
    slid = (was % 2 == 1) & (is_now % 2 == 0)
    return TierMovement(
        spend_above=spend,
        order_days_above=order_days,
        movement=_movement(was, is_now, VALUE_TIERS),
        slid=int(slid.sum()),
        slid_awake=int((slid & ~dormant[known]).sum()),
    )
