"""Orders of a simulated shop, one row each, as shops with nothing but orders know them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.simulate.clock import DAY
from pipelines.simulate.nights import Population
from pipelines.simulate.visits import PURCHASE


@dataclass(frozen=True, slots=True)
class Orders:
    """Orders by customer and day; every array has shape (n,).

    Attributes
    ----------
    customer : position of the customer. day : since the first one. amount : money.
    """

    customer: NDArray[np.int64]
    day: NDArray[np.int64]
    amount: NDArray[np.float64]


def read_orders(population: Population) -> Orders:
    """Live a population to the end of its plan and collect what it ordered."""
    rows = population.live_until(population.plan.days, record=True)
    if rows is None:
        return Orders(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    lines = np.flatnonzero(rows.events.kind == PURCHASE)
    customer, number = rows.events.customer[lines], rows.events.order[lines]
    by = np.lexsort((number, customer))
    lines, customer, number = lines[by], customer[by], number[by]
    is_new = np.append(True, (np.diff(customer) != 0) | (np.diff(number) != 0))
    first = np.flatnonzero(is_new)
    return Orders(
        customer=customer[first].astype(np.int64),
        day=(rows.events.at[lines[first]] - population.scene.clock.start) // DAY,
        amount=np.add.reduceat(rows.events.amount[lines], first),
    )
