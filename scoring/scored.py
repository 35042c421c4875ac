"""Scores of customers: stage, dormancy risk, natural return, and what the rules ask for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.active_hours import ActiveHours, join_active_hours, select_active_hours
from scoring.customer_past import CustomerPast, join_past, select_past
from scoring.follow_up import RunningFollowUps, join_follow_ups
from scoring.pressure import ContactPressure
from scoring.reachability import NO_ZONE, Reachability

BoolArray = NDArray[np.bool_]
Float64Array = NDArray[np.float64]
Int16Array = NDArray[np.int16]
Int32Array = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class ScoredCustomers:
    """Customers with at least one event visible at the as-of; all arrays of length n.

    Attributes
    ----------
    customer_id : Arrow string array, ascending within a bucket.
    bucket : the customer's bucket.
    stage : place in the ladder, -1 before its first step.
    silence_days : days; NaN without a stage.
    dormant : the silence has reached the stage's limit.
    p_dormant : probability of no return in the label window; NaN for the dormant and
        for stages nobody is recalled from.
    p_natural : probability of a return without contact; NaN for stages nobody is
        recalled from.
    mean_order, orders : own mean order amount net of refunds (money, NaN without an
        order) and number of orders.
    yearly_spend, yearly_orders : of the last 365 days, spend net of refunds.
    reach, pressure : what records and earlier contacts allow.
    days_since_order : NaN without an order.
    days_since_return : since the last event that counts as a return on some stage, or order;
        NaN without one.
    follow_ups : contacts of earlier lists whose next step is planned.
    past : their rhythm, pace and habits; see `scoring.segments`.
    last_event_us : when the latest visible event happened; 0 if there is none.
    effect_x, effect_names : what effects of contact may depend on, shape (n, F), and what
        the columns are called; see `models.effect_features`.
    active : at which hours they are active; null where nobody's hours were counted.
    """

    customer_id: Any
    bucket: Int32Array
    stage: Int16Array
    silence_days: Float64Array
    dormant: BoolArray
    p_dormant: Float64Array
    p_natural: Float64Array
    mean_order: Float64Array
    orders: Float64Array
    yearly_spend: Float64Array
    yearly_orders: Float64Array
    reach: Reachability
    pressure: ContactPressure
    days_since_order: Float64Array
    days_since_return: Float64Array
    follow_ups: RunningFollowUps
    past: CustomerPast
    last_event_us: int
    effect_x: Float64Array
    effect_names: tuple[str, ...]
    active: ActiveHours | None = None

    def __len__(self) -> int:
        return len(self.stage)

    def ids(self, rows: NDArray[np.int64]) -> list[str]:
        """Customer ids of the given rows as Python strings."""
        return list(self.customer_id.take(pa.array(rows)).to_pylist())


def join_scored(parts: Sequence[ScoredCustomers]) -> ScoredCustomers:
    """Put the buckets' customers one after the other, in the order given."""

    def joined(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts])

    return ScoredCustomers(
        customer_id=pa.concat_arrays([part.customer_id for part in parts]),
        bucket=joined("bucket"),
        stage=joined("stage"),
        silence_days=joined("silence_days"),
        dormant=joined("dormant"),
        p_dormant=joined("p_dormant"),
        p_natural=joined("p_natural"),
        mean_order=joined("mean_order"),
        orders=joined("orders"),
        yearly_spend=joined("yearly_spend"),
        yearly_orders=joined("yearly_orders"),
        reach=_join_reach([part.reach for part in parts]),
        pressure=_join_pressure([part.pressure for part in parts]),
        days_since_order=joined("days_since_order"),
        days_since_return=joined("days_since_return"),
        follow_ups=join_follow_ups([part.follow_ups for part in parts]),
        past=join_past([part.past for part in parts]),
        last_event_us=max(part.last_event_us for part in parts),
        effect_x=joined("effect_x"),
        effect_names=parts[0].effect_names,
        active=_join_active([part.active for part in parts]),
    )


def select_scored(scored: ScoredCustomers, rows: NDArray[np.int64]) -> ScoredCustomers:
    """The given rows, in the order given."""
    return ScoredCustomers(
        customer_id=scored.customer_id.take(pa.array(rows)),
        bucket=scored.bucket[rows],
        stage=scored.stage[rows],
        silence_days=scored.silence_days[rows],
        dormant=scored.dormant[rows],
        p_dormant=scored.p_dormant[rows],
        p_natural=scored.p_natural[rows],
        mean_order=scored.mean_order[rows],
        orders=scored.orders[rows],
        yearly_spend=scored.yearly_spend[rows],
        yearly_orders=scored.yearly_orders[rows],
        reach=select_reach(scored.reach, rows),
        pressure=select_pressure(scored.pressure, rows),
        days_since_order=scored.days_since_order[rows],
        days_since_return=scored.days_since_return[rows],
        follow_ups=scored.follow_ups.select(rows),
        past=select_past(scored.past, rows),
        last_event_us=scored.last_event_us,
        effect_x=scored.effect_x[rows],
        effect_names=scored.effect_names,
        active=None if scored.active is None else select_active_hours(scored.active, rows),
    )


def select_reach(reach: Reachability, rows: NDArray[np.int64]) -> Reachability:
    """The records of the given rows."""
    return Reachability(
        do_not_contact=reach.do_not_contact[rows],
        flag_names=reach.flag_names,
        flags=reach.flags[rows],
        zones=reach.zones,
        zone=reach.zone[rows],
    )


def select_pressure(pressure: ContactPressure, rows: NDArray[np.int64]) -> ContactPressure:
    """The contact counts of the given rows."""
    return ContactPressure(
        sent=pressure.sent[rows],
        sent_by_channel=pressure.sent_by_channel[rows],
        last_sent_us=pressure.last_sent_us[rows],
        unsubscribed=pressure.unsubscribed[rows],
        unsubscribed_us=pressure.unsubscribed_us[rows],
        control_until_us=pressure.control_until_us[rows],
    )


def _join_active(parts: Sequence[ActiveHours | None]) -> ActiveHours | None:
    counted = [part for part in parts if part is not None]
    return join_active_hours(counted) if len(counted) == len(parts) else None


def _join_reach(parts: Sequence[Reachability]) -> Reachability:
    zones = tuple(sorted({zone for part in parts for zone in part.zones}))
    code = {zone: number for number, zone in enumerate(zones)}
    zone = np.concatenate(
        [
            np.array([*(code[name] for name in part.zones), NO_ZONE], dtype=np.int32)[part.zone]
            for part in parts
        ]
    )
    return Reachability(
        do_not_contact=np.concatenate([part.do_not_contact for part in parts]),
        flag_names=parts[0].flag_names,
        flags=np.concatenate([part.flags for part in parts]),
        zones=zones,
        zone=zone,
    )


def _join_pressure(parts: Sequence[ContactPressure]) -> ContactPressure:
    return ContactPressure(
        sent=np.concatenate([part.sent for part in parts]),
        sent_by_channel=np.concatenate([part.sent_by_channel for part in parts]),
        last_sent_us=np.concatenate([part.last_sent_us for part in parts]),
        unsubscribed=np.concatenate([part.unsubscribed for part in parts]),
        unsubscribed_us=np.concatenate([part.unsubscribed_us for part in parts]),
        control_until_us=np.concatenate([part.control_until_us for part in parts]),
    )
