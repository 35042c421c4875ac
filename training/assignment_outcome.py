"""What became of an assignment, in money."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.history import NO_CODE, History
from features.spec import FeatureSpec
from training.effect_sample import NO_CONTACT

BoolArray = NDArray[np.bool_]
Float64Array = NDArray[np.float64]
Int8Array = NDArray[np.int8]
Int16Array = NDArray[np.int16]
Int32Array = NDArray[np.int32]
Int64Array = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ActionPrices:
    """What actions cost at today's prices; arrays of shape (A,), places as in `actions`.

    Attributes
    ----------
    actions : names such as "sms/none", in configured order.
    gross_margin : share of an order's amount that is kept.
    discount : share of the order given away on return.
    cost_on_return : money given away on return.
    contact_cost : money per contact.
    channel_value : money lost with the channel.
    """

    actions: tuple[str, ...]
    gross_margin: float
    discount: Float64Array
    cost_on_return: Float64Array
    contact_cost: Float64Array
    channel_value: Float64Array


@dataclass(frozen=True, slots=True)
class Spending:
    """Orders of n outcome windows, each of shape (n,); money.

    Attributes
    ----------
    amount, discount : of all orders.
    first_amount, first_discount : of the first one.
    """

    amount: Float64Array
    discount: Float64Array
    first_amount: Float64Array
    first_discount: Float64Array


def window_spending(
    history: History,
    *,
    spec: FeatureSpec,
    customer: Int64Array,
    begin_us: Int64Array,
    end_us: Int64Array,
    known_before_us: int,
) -> Spending:
    """Orders from `begin_us` until before `end_us` that had arrived before an instant.

    Refunds in the window of an order in it, told by order_id, are taken off its amount.

    Parameters
    ----------
    history : one bucket.
    spec : says which events are orders.
    customer : positions in `history`, shape (n,).
    begin_us, end_us : the windows (us, UTC), shape (n,).
    known_before_us : instant (us, UTC).
    """
    found = np.zeros((4, len(customer)))
    details = history.details
    _spend(
        (details.offsets, details.occurred_at, details.arrived_at, details.event_type),
        (details.amount, details.discount, details.order),
        (spec.flags(spec.orders), spec.flags(spec.refunds)),
        (customer.astype(np.int64), begin_us.astype(np.int64), end_us.astype(np.int64)),
        known_before_us,
        found,
    )
    return Spending(*found)


@njit(cache=True, nogil=True)
def _spend(
    times: tuple[Int64Array, Int64Array, Int64Array, Int16Array],
    money: tuple[Float64Array, Float64Array, Int32Array],
    kinds: tuple[BoolArray, BoolArray],
    windows: tuple[Int64Array, Int64Array, Int64Array],
    known_before: int,
    out: Float64Array,
) -> None:
    offsets, occurred_at, arrived_at, event_type = times
    amounts, discounts, orders = money
    is_order, is_refund = kinds
    customer, begin, end = windows
    for row in range(len(customer)):
        first, last = offsets[customer[row]], offsets[customer[row] + 1]
        line = start = first + np.searchsorted(occurred_at[first:last], begin[row])
        lines = 0
        first_order = NO_CODE
        while line < last and occurred_at[line] < end[row]:
            kind = event_type[line]
            seen = kind >= 0 and arrived_at[line] < known_before
            if seen and is_refund[kind] and orders[line] != NO_CODE:
                back = 0.0 if np.isnan(amounts[line]) else amounts[line]
                for bought in range(start, line):
                    same = orders[bought] == orders[line] and arrived_at[bought] < known_before
                    if same and is_order[event_type[bought]]:
                        out[0, row] += back
                        if orders[line] == first_order:
                            out[2, row] += back
                        break
            if seen and is_order[kind]:
                amount = 0.0 if np.isnan(amounts[line]) else amounts[line]
                discount = 0.0 if np.isnan(discounts[line]) else discounts[line]
                out[0, row] += amount
                out[1, row] += discount
                if lines == 0:
                    first_order = orders[line]
                if lines == 0 or (first_order != NO_CODE and orders[line] == first_order):
                    out[2, row] += amount
                    out[3, row] += discount
                lines += 1
            line += 1


def realised_profit(
    spending: Spending,
    *,
    returned: Int8Array,
    stage_value: Float64Array,
    action: Int16Array,
    left: Int8Array,
    prices: ActionPrices,
) -> Float64Array:
    """Money earned in the outcome window with contact and offer paid, shape (n,).

    The margin is taken of what was sold at full price, so orders' recorded discounts are
    added to their amounts, and then taken off as the money they are. The offer's own
    discount is charged on the first order of who came back, unless that order records a
    discount already. Where the stage says what a return is worth, each customer who came
    back is worth that, whatever was ordered.

    Parameters
    ----------
    spending : of the windows.
    returned : whether the customer came back, shape (n,).
    stage_value : money the stage says a return is worth before margin, NaN where it says
        nothing, shape (n,).
    action : assigned actions, shape (n,).
    left : whether the contact ended with the customer leaving the channel, shape (n,).
    prices : of the actions, and the gross margin.
    """
    back = returned.astype(np.float64)
    fixed = ~np.isnan(stage_value)
    worth = np.where(fixed, stage_value * back, spending.amount + spending.discount)
    recorded = np.where(fixed, 0.0, spending.discount)
    treated = action != NO_CONTACT

    def price(of_action: Float64Array) -> Float64Array:
        return np.where(treated, np.append(of_action, 0.0)[action], 0.0)

    unpaid = np.where(spending.first_discount > 0.0, 0.0, spending.first_amount)
    discounted = np.where(fixed, stage_value, unpaid) * back
    given = price(prices.discount) * discounted + price(prices.cost_on_return) * back
    lost = price(prices.contact_cost) + price(prices.channel_value) * left
    return np.asarray(prices.gross_margin * worth - recorded - given - lost, dtype=np.float64)
