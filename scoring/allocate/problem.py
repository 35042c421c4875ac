"""The allocation problem: a multiple-choice knapsack with a few limits that couple everybody."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
Int32Array = NDArray[np.int32]
Int64Array = NDArray[np.int64]

NO_ACTION = -1


@dataclass(frozen=True, slots=True)
class GroupLimits:
    """Limits that count customers by what they are, whatever the contact.

    Row r counts weight[r, group[i]] for every contacted customer i; the sum must lie in
    [least[r], most[r]]. A least that cannot be reached is missed by as little as possible. A
    share is a row of weights 1 - share and -share with a least or a most of 0.

    Attributes
    ----------
    group : shape (n,), the customer's group; customers of one group count alike in all rows.
    weight : shape (n_rows, n_groups).
    least, most : shape (n_rows,); -inf and inf where there is no such limit.
    urgency : what missing a least above 0 by one is taken to cost, in units of the largest
        value of a contact.
    """

    group: Int32Array
    weight: Float64Array
    least: Float64Array
    most: Float64Array
    urgency: float = 2.0


@dataclass(frozen=True, slots=True)
class Problem:
    """Who may get what, what it is worth, what it costs, and what there is to spend.

    Attributes
    ----------
    value : shape (n, n_actions), worth of each action over no contact; what is not above 0
        is never chosen, so that -inf marks what is not allowed.
    cost : shape (n, n_actions), what the action takes from the budget; not negative.
    channel_of : shape (n_actions,), whose seat the action takes.
    budget : money; inf for no limit.
    seats : shape (n_channels,), contacts per channel; inf for no limit.
    groups : further limits; see `GroupLimits`.
    """

    value: Float32Array
    cost: Float32Array
    channel_of: Int64Array
    budget: float
    seats: Float64Array
    groups: GroupLimits

    @property
    def n_customers(self) -> int:
        """How many customers compete."""
        return len(self.value)

    @property
    def limits(self) -> Float64Array:
        """All limits as one vector: budget, seats, most, minus least; shape (n_prices,).

        Usage counts the same way, so that usage <= limits says that all of them hold.
        """
        return np.concatenate(
            [[self.budget], self.seats, self.groups.most, -self.groups.least]
        ).astype(np.float64)


def no_groups(n_customers: int) -> GroupLimits:
    """No limit by what customers are."""
    return GroupLimits(
        group=np.zeros(n_customers, dtype=np.int32),
        weight=np.zeros((0, 1)),
        least=np.zeros(0),
        most=np.zeros(0),
    )


def take_customers(problem: Problem, rows: Int64Array) -> Problem:
    """The same limits for some of the customers."""
    groups = problem.groups
    return Problem(
        value=problem.value[rows],
        cost=problem.cost[rows],
        channel_of=problem.channel_of,
        budget=problem.budget,
        seats=problem.seats,
        groups=replace(groups, group=groups.group[rows]),
    )


@dataclass(frozen=True, slots=True)
class Prices:
    """What one more unit of each limit would add to the total value.

    Attributes
    ----------
    budget : per unit of money.
    seats : per contact, shape (n_channels,).
    most, least : per unit of each group row, shape (n_rows,); a least's price is what the
        last unit that it asks for costs.
    """

    budget: float
    seats: Float64Array
    most: Float64Array
    least: Float64Array

    @property
    def vector(self) -> Float64Array:
        """In the order of `Problem.limits`."""
        return np.concatenate([[self.budget], self.seats, self.most, self.least])

    def group_price(self, groups: GroupLimits) -> Float64Array:
        """What contacting a customer of each group takes from the group limits."""
        return np.asarray((self.most - self.least) @ groups.weight, dtype=np.float64)


def prices_of(vector: Float64Array, problem: Problem) -> Prices:
    """The inverse of `Prices.vector`."""
    n_channels, n_rows = len(problem.seats), len(problem.groups.most)
    seats, most, least = np.split(vector[1:], [n_channels, n_channels + n_rows])
    return Prices(budget=float(vector[0]), seats=seats, most=most, least=least)
