"""What was known of assigned customers at the midnight before, for models and for features."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from features.history import History
from features.history_sample import select_customers
from features.local_day import local_midnight_us
from features.matrix import build_matrix
from features.return_counts import count_returns
from features.stage import Stage
from features.stage_state import stage_states
from models.customer_value import concat_values, customer_values
from models.order_value import net_mean_order
from models.return_probability import ModelRows, ReturnModels
from training.assignment_outcome import ActionPrices
from training.folds import last_midnight

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RowPlan:
    """What decides the rows besides the data.

    Attributes
    ----------
    stages : the ladder, in configured order.
    timezone : of the business.
    models : give each row its probability of a return without contact.
    prices : actions, margin and costs.
    gap_us, horizon_us : the outcome window begins `gap_us` after the assignment.
    observed_until_us : all days before it are complete: outcome windows must end by then.
    trained_until_us : the training as-of; nothing that arrived at or after it is read.
    threads : threads one prediction may use.
    """

    stages: tuple[Stage, ...]
    timezone: ZoneInfo
    models: ReturnModels
    prices: ActionPrices
    gap_us: int
    horizon_us: int
    observed_until_us: int
    trained_until_us: int
    threads: int = 1


@dataclass(frozen=True, slots=True)
class AssignedViews:
    """The assignments whose customers had a visible event; arrays of shape (m,).

    Attributes
    ----------
    place : position among all assignments.
    rows : what the models read.
    mean_order, orders : own mean order net of refunds and number of orders.
    silence_days : as in `features.stage_state.StageStates`, NaN where the stage has none.
    """

    place: Int64Array
    rows: ModelRows
    mean_order: Float64Array
    orders: Float64Array
    silence_days: Float64Array


def view_customers(
    assigned_us: Int64Array, customer: Int64Array, histories: Mapping[str, History], plan: RowPlan
) -> AssignedViews:
    """What was known of each assignment's customer.

    Features are those of the last midnight not after the assignment: what happens on the day
    itself is too late for a nightly list, too, and there are few midnights to compute.

    Parameters
    ----------
    assigned_us : instants of n assignments (us, UTC).
    customer : their positions in the histories, -1 for who is not there; shape (n,).
    histories : one bucket, read for each model's specification, by its digest.
    plan : models, ladder and time zone.
    """
    midnights = _midnights(assigned_us, plan.timezone)
    pieces = [
        _view_night(
            np.flatnonzero((midnights == night) & (customer >= 0)),
            int(night),
            customer,
            histories,
            plan,
        )
        for night in np.unique(midnights[customer >= 0])
    ]
    if not pieces:
        pieces = [_view_night(np.empty(0, dtype=np.int64), 0, customer, histories, plan)]

    def joined(name: str) -> Any:
        return np.concatenate([getattr(piece.rows, name) for piece in pieces])

    natural = joined("natural")
    models = plan.models
    same = models.risk.spec.digest() == models.natural.spec.digest()
    return AssignedViews(
        place=np.concatenate([piece.place for piece in pieces]),
        rows=ModelRows(
            stage=joined("stage"),
            dormant=joined("dormant"),
            value=concat_values([piece.rows.value for piece in pieces]),
            risk=natural if same else joined("risk"),
            natural=natural,
        ),
        mean_order=np.concatenate([piece.mean_order for piece in pieces]),
        orders=np.concatenate([piece.orders for piece in pieces]),
        silence_days=np.concatenate([piece.silence_days for piece in pieces]),
    )


def _view_night(
    places: Int64Array,
    night_us: int,
    customer: Int64Array,
    histories: Mapping[str, History],
    plan: RowPlan,
) -> AssignedViews:
    """The customers of the given assignments as they were known at one midnight."""
    models, as_ofs = plan.models, np.array([night_us], dtype=np.int64)
    chosen = np.unique(customer[places])
    history = select_customers(histories[models.natural.spec.digest()], chosen)
    natural = build_matrix(history, spec=models.natural.spec, as_ofs=as_ofs)
    risk = natural
    if models.risk.spec.digest() != models.natural.spec.digest():
        # Trained at another time: other attribute values may be known to it.
        other = select_customers(histories[models.risk.spec.digest()], chosen)
        risk = build_matrix(other, spec=models.risk.spec, as_ofs=as_ofs)
    states = stage_states(history, plan.stages, spec=models.natural.spec, as_ofs=as_ofs)
    counts = count_returns(history, plan.stages, spec=models.natural.spec, states=states)
    row_of = np.full(len(chosen), -1, dtype=np.int64)
    row_of[natural.customer] = np.arange(len(natural.customer))
    row = row_of[np.searchsorted(chosen, customer[places])]
    places, row = places[row >= 0], row[row >= 0]
    return AssignedViews(
        place=places,
        rows=ModelRows(
            stage=states.stage[row],
            dormant=states.dormant[row],
            value=customer_values(natural, states, counts, row),
            risk=risk.values[row],
            natural=natural.values[row],
        ),
        mean_order=net_mean_order(natural)[row],
        orders=natural.column("orders_lifetime").astype(np.float64)[row],
        silence_days=states.silence_days[row],
    )


def _midnights(instants_us: Int64Array, timezone: ZoneInfo) -> Int64Array:
    """The last local midnight at or before each instant."""
    distinct, where = np.unique(instants_us, return_inverse=True)
    found = [local_midnight_us(last_midnight(int(at), timezone), timezone) for at in distinct]
    return np.array(found, dtype=np.int64)[where.reshape(-1)]
