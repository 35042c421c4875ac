"""What an action costs and earns: the money behind expected gains."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ActionTerms:
    """Money by action, each of shape (A,), and the margin on what is sold.

    Attributes
    ----------
    discount : share of the order given away on return.
    cost_on_return : money given away on return.
    contact_cost : money per contact.
    gross_margin : share of an order's amount that is kept.
    """

    discount: Float64Array
    cost_on_return: Float64Array
    contact_cost: Float64Array
    gross_margin: float


def expected_gains(
    natural: Float64Array,
    contacted: Float64Array,
    *,
    order_value: Float64Array,
    attrition_cost: Float64Array,
    terms: ActionTerms,
) -> Float64Array:
    """Expected profit of every action over no contact, in money, shape (n, A).

    gain = p_a m - p_a (discount * order_value + cost_on_return) - contact_cost
    - attrition_cost - p_0 m with m = gross_margin * order_value: offers are paid to all who
    return, those who would have come anyway included. METHODS section 2, stage D.

    Parameters
    ----------
    natural : probability of a return without contact, shape (n,).
    contacted : probability of a return under each action, shape (n, A).
    order_value : money a return is worth before margin, shape (n,).
    attrition_cost : money lost because the channel may be lost, (n, A) or (A,).
    """
    margin = (terms.gross_margin * order_value)[:, None]
    given = order_value[:, None] * terms.discount + terms.cost_on_return
    gains: Float64Array = (
        (contacted - natural[:, None]) * margin
        - contacted * given
        - terms.contact_cost
        - attrition_cost
    )
    return gains
