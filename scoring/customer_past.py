"""What customers' pasts tell of their rhythm, pace and habits, beside tonight's scores."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import reduce
from operator import add
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from features.coupon_history import CouponHistory, OfferWindow
from features.history import History
from features.order_habits import OrderHabits, order_habits
from features.order_pace import OrderPace
from features.spec import FeatureSpec
from features.stage import Stage
from features.stage_gaps import GapTotals, StageGaps, stage_gaps
from features.stage_state import StageStates

Columns = TypeVar("Columns", StageGaps, OrderPace, CouponHistory)


@dataclass(frozen=True, slots=True)
class CustomerPast:
    """The pasts of n customers.

    Attributes
    ----------
    gaps : completed gaps on the present stage.
    pace : orders lately and usually, and a month ago.
    coupons : how discounts came about.
    totals : of everybody's silences, not only of these customers if some were selected.
    """

    gaps: StageGaps
    pace: OrderPace
    coupons: CouponHistory
    totals: GapTotals


def no_past(n_customers: int, n_stages: int) -> CustomerPast:
    """Of customers of whom nothing is known before tonight."""
    return CustomerPast(
        gaps=StageGaps(
            gaps=np.zeros(n_customers, dtype=np.int32),
            log_mean=np.full(n_customers, np.nan, dtype=np.float32),
            was_dormant=np.zeros(n_customers, dtype=np.bool_),
        ),
        pace=OrderPace.empty(n_customers),
        coupons=CouponHistory.empty(n_customers),
        totals=GapTotals.empty(n_stages),
    )


def read_past(
    history: History,
    stages: Sequence[Stage],
    *,
    spec: FeatureSpec,
    states: StageStates,
    window: OfferWindow,
) -> CustomerPast:
    """The past of every row of one bucket; parameters as of the functions it puts together."""
    gaps, totals = stage_gaps(history, stages, spec=spec, states=states)
    habits: OrderHabits = order_habits(history, spec=spec, states=states, window=window)
    return CustomerPast(gaps, habits.pace, habits.coupons, totals)


def join_past(parts: Sequence[CustomerPast]) -> CustomerPast:
    """The buckets' customers one after the other, in the order given."""
    return CustomerPast(
        gaps=_joined([part.gaps for part in parts]),
        pace=_joined([part.pace for part in parts]),
        coupons=_joined([part.coupons for part in parts]),
        totals=reduce(add, (part.totals for part in parts)),
    )


def select_past(past: CustomerPast, rows: NDArray[np.int64]) -> CustomerPast:
    """The given rows, in the order given; the totals stay everybody's."""
    return CustomerPast(
        gaps=_selected(past.gaps, rows),
        pace=_selected(past.pace, rows),
        coupons=_selected(past.coupons, rows),
        totals=past.totals,
    )


def _joined(parts: list[Columns]) -> Columns:
    names = [field.name for field in fields(parts[0])]
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return type(parts[0])(**columns)


def _selected(table: Columns, rows: NDArray[np.int64]) -> Columns:
    return type(table)(**{field.name: getattr(table, field.name)[rows] for field in fields(table)})
