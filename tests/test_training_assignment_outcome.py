"""What an assignment earned, to the cent."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
from small_shop import DAY_US, SPEC, START_US, events_table, history_of

from training.assignment_outcome import (
    ActionPrices,
    Spending,
    realised_profit,
    window_spending,
)

PRICES = ActionPrices(
    actions=("sms/none", "sms/gift"),
    gross_margin=0.4,
    discount=np.array([0.0, 0.1]),
    cost_on_return=np.array([0.0, 2.0]),
    contact_cost=np.array([0.05, 0.05]),
    channel_value=np.array([3.0, 3.0]),
)
BUY = "purchase"


def spent(days: list[float], **columns: Sequence[object]) -> Spending:
    """Orders of 10 each on these days, and what the window from day 2 on holds of them."""
    table = events_table([("c", START_US + int(day * DAY_US), BUY, 10.0) for day in days])
    for name, values in columns.items():
        place = table.column_names.index(name)
        table = table.set_column(place, name, pa.array(values, table.schema.field(name).type))
    begin = np.array([START_US + 2 * DAY_US])
    return window_spending(
        history_of(table),
        spec=SPEC,
        customer=np.array([0]),
        begin_us=begin,
        end_us=begin + 30 * DAY_US,
        known_before_us=START_US + 90 * DAY_US,
    )


def test_orders_of_the_window_and_the_lines_of_the_first() -> None:
    days = [1.9, 2.0, 2.0, 5.0, 31.9, 32.0]
    order = ["x", "y", "y", "z", None, None]
    found = spent(days, order_id=order, discount=[1.0, 2.0, None, 4.0, None, 8.0])
    assert found.amount.tolist() == [40.0]
    assert found.discount.tolist() == [6.0]
    assert found.first_amount.tolist() == [20.0]
    assert found.first_discount.tolist() == [2.0]


def test_without_order_ids_each_event_is_an_order() -> None:
    found = spent([3.0, 3.0, 4.0])
    assert (found.amount[0], found.first_amount[0]) == (30.0, 10.0)


def test_refunds_of_orders_in_the_window_are_taken_off() -> None:
    spec = replace(SPEC, event_types=("visit", "purchase", "refund"), refunds=("refund",))
    rows = [
        (1.0, BUY, 10.0, "w"),
        (3.0, BUY, 10.0, "x"),
        (4.0, BUY, 20.0, "y"),
        (5.0, "refund", -1.0, "w"),  # of an order before the window
        (6.0, "refund", -4.0, "x"),
        (7.0, "refund", -8.0, "y"),
        (8.0, "refund", -16.0, None),
        (33.0, "refund", -2.0, "y"),
    ]
    table = events_table([("c", START_US + int(row[0] * DAY_US), row[1], row[2]) for row in rows])
    place = table.column_names.index("order_id")
    table = table.set_column(place, "order_id", pa.array([row[3] for row in rows], pa.string()))
    begin = np.array([START_US + 2 * DAY_US])
    found = window_spending(
        history_of(table, spec=spec),
        spec=spec,
        customer=np.array([0]),
        begin_us=begin,
        end_us=begin + 30 * DAY_US,
        known_before_us=START_US + 90 * DAY_US,
    )
    assert (found.amount[0], found.first_amount[0]) == (30.0 - 4.0 - 8.0, 6.0)


def test_only_what_had_arrived_counts() -> None:
    found = spent([3.0, 4.0], arrived_at=[START_US + 90 * DAY_US, START_US + 90 * DAY_US - 1])
    assert found.amount.tolist() == [10.0]


def profit(
    amount: float, discount: float, action: int, *, value: float = np.nan, left: int = 0
) -> float:
    spending = Spending(*(np.array([v]) for v in (amount, discount, amount, discount)))
    found = realised_profit(
        spending,
        returned=np.array([amount > 0], dtype=np.int8),
        stage_value=np.array([value]),
        action=np.array([action], dtype=np.int16),
        left=np.array([left], dtype=np.int8),
        prices=PRICES,
    )
    return float(found[0])


def test_profit_by_hand() -> None:
    assert profit(50.0, 0.0, -1) == 0.4 * 50
    assert np.isclose(profit(50.0, 0.0, 0), 0.4 * 50 - 0.05)
    # 10 % of the order and 2 on return
    assert np.isclose(profit(50.0, 0.0, 1), 0.4 * 50 - 5 - 2 - 0.05)
    # the order says itself that 5 of 50 were given away
    assert np.isclose(profit(45.0, 5.0, 1), 0.4 * 50 - 5 - 2 - 0.05)
    assert np.isclose(profit(0.0, 0.0, 1, left=1), -0.05 - 3)


def test_where_the_stage_says_what_a_return_is_worth() -> None:
    assert profit(50.0, 0.0, -1, value=80.0) == 0.4 * 80
    assert np.isclose(profit(50.0, 0.0, 1, value=80.0), 0.4 * 80 - 8 - 2 - 0.05)
    assert profit(0.0, 0.0, -1, value=80.0) == 0.0
