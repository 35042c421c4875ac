"""Nights to allocate: shops of any size under three budgets, and small ones of every kind."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.allocate.problem import GroupLimits, Problem, no_groups

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]

BUDGETS = {"tight": 0.02, "slack": 10.0, "very tight": 0.002}
"""Money per customer; the slack one is never spent, so that only seats bind."""

SEATS = (0.2, 0.05, 0.3, 0.01)
"""Contacts per customer: push, text message, e-mail, phone."""

CONTACT_COSTS = (0.002, 0.03, 0.004, 1.2)
DISCOUNTS = (0.0, 0.05, 0.10, 0.15, 0.25)
REACHED = (0.6, 0.9, 0.95, 0.8)
"""Share of customers with each channel open."""

MARGIN = 0.35
CHUNK = 250_000

N_CHANNELS = len(SEATS)
N_ACTIONS = N_CHANNELS * len(DISCOUNTS)


def shop_matrices(n: int, *, seed: int) -> tuple[Float32Array, Float32Array]:
    """Values and costs of every channel with every offer, each (n, 20); 160 bytes a customer.

    A contact raises the chance of a return by channel and by discount, differently for
    everybody; discounts are paid on all returns, and are charged to the budget.
    """
    value = np.empty((n, N_ACTIONS), dtype=np.float32)
    cost = np.empty((n, N_ACTIONS), dtype=np.float32)
    for chunk, start in enumerate(range(0, n, CHUNK)):
        part = slice(start, min(start + CHUNK, n))
        _fill_chunk(value[part], cost[part], np.random.default_rng((seed, chunk)))
    return value, cost


def _fill_chunk(value: Float32Array, cost: Float32Array, rng: np.random.Generator) -> None:
    n = len(value)
    basket = rng.lognormal(3.2, 0.7, n)
    natural = rng.beta(1.0, 30.0, n)
    likes_discounts = rng.lognormal(-0.5, 0.8, n)
    for channel in range(N_CHANNELS):
        strength = 3.0 if channel == N_CHANNELS - 1 else 1.0
        by_channel = strength * (rng.gamma(1.5, 0.01, n) - 0.004)
        closed = rng.random(n) >= REACHED[channel]
        for offer, discount in enumerate(DISCOUNTS):
            action = channel * len(DISCOUNTS) + offer
            lift = by_channel + 0.08 * likes_discounts * discount * (0.5 + rng.random(n))
            paid = np.clip(natural + lift, 0.0, 1.0) * discount * basket
            value[:, action] = lift * MARGIN * basket - paid - CONTACT_COSTS[channel]
            cost[:, action] = CONTACT_COSTS[channel] + paid
            value[closed, action] = -np.inf


def shop_night(value: Float32Array, cost: Float32Array, regime: str) -> Problem:
    """The limits of one of `BUDGETS` for a shop: five of them."""
    n = len(value)
    return Problem(
        value=value,
        cost=cost,
        channel_of=np.repeat(np.arange(N_CHANNELS), len(DISCOUNTS)),
        budget=round(n * BUDGETS[regime], 2),
        seats=np.round(n * np.array(SEATS)),
        groups=no_groups(n),
    )


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large a random night may be."""

    least_customers: int = 20
    most_customers: int = 3_000
    most_actions: int = 20


def random_night(rng: np.random.Generator, sizes: Sizes) -> Problem:
    """A night of random size, values, costs, closed actions, limits and groups."""
    n = int(rng.integers(sizes.least_customers, sizes.most_customers + 1))
    n_actions = int(rng.integers(1, sizes.most_actions + 1))
    n_channels = int(rng.integers(1, min(n_actions, 5) + 1))
    channel_of = np.sort(rng.integers(0, n_channels, n_actions))
    value = VALUES[int(rng.integers(len(VALUES)))](rng, n, n_actions)
    cost = COSTS[int(rng.integers(len(COSTS)))](rng, value)
    value[rng.random(value.shape) < rng.choice([0.0, 0.2, 0.6])] = -np.inf
    # From hardly anything to more than anybody can use.
    budget = float(cost.max(axis=1).sum()) * float(10.0 ** rng.uniform(-3.0, 0.5))
    seats = np.floor(n * 10.0 ** rng.uniform(-2.0, 0.3, n_channels))
    return Problem(
        value=value,
        cost=cost,
        channel_of=channel_of.astype(np.int64),
        budget=budget if rng.random() < 0.85 else np.inf,
        seats=np.where(rng.random(n_channels) < 0.8, seats, np.inf),
        groups=_random_groups(rng, n) if rng.random() < 0.4 else no_groups(n),
    )


def _random_groups(rng: np.random.Generator, n: int) -> GroupLimits:
    """Segments with a most or a least, in contacts or as a share of all contacts."""
    n_groups = int(rng.integers(2, 12))
    n_rows = int(rng.integers(1, 6))
    member = (rng.random((n_rows, n_groups)) < 0.4).astype(np.float64)
    least, most = np.full(n_rows, -np.inf), np.full(n_rows, np.inf)
    for row in range(n_rows):
        size = n * member[row].mean()
        kind = rng.choice(["most", "least", "share at most", "share at least"])
        if kind == "most":
            most[row] = np.floor(size * rng.uniform(0.0, 0.4))
        elif kind == "least":
            least[row] = np.floor(size * rng.uniform(0.0, 0.1))
        else:
            member[row] -= rng.uniform(0.05, 0.5)
            most[row] = 0.0 if kind == "share at most" else np.inf
            least[row] = 0.0 if kind == "share at least" else -np.inf
    group = rng.integers(0, n_groups, n).astype(np.int32)
    return GroupLimits(group=group, weight=member, least=least, most=most)


def _shop_values(rng: np.random.Generator, n: int, n_actions: int) -> Float32Array:
    picked = rng.integers(0, N_ACTIONS, n_actions)
    return shop_matrices(n, seed=int(rng.integers(1 << 30)))[0][:, picked]


def _bell_values(rng: np.random.Generator, n: int, n_actions: int) -> Float32Array:
    return rng.normal(0.2, 1.0, (n, n_actions)).astype(np.float32)


def _heavy_values(rng: np.random.Generator, n: int, n_actions: int) -> Float32Array:
    """A few customers are worth more than all others together."""
    return (rng.pareto(1.1, (n, 1)) * rng.random((n, n_actions))).astype(np.float32)


def _tied_values(rng: np.random.Generator, n: int, n_actions: int) -> Float32Array:
    """A handful of kinds of customers, alike within each."""
    kinds = np.round(rng.normal(1.0, 1.0, (5, n_actions)), 1)
    return kinds[rng.integers(0, 5, n)].astype(np.float32)


def _free_costs(rng: np.random.Generator, value: Float32Array) -> Float32Array:
    """Some actions cost nothing at all, others the same for everybody."""
    one = rng.choice([0.0, 0.01, 0.5, 2.0], value.shape[1]).astype(np.float32)
    return np.broadcast_to(one, value.shape).copy()


def _loose_costs(rng: np.random.Generator, value: Float32Array) -> Float32Array:
    return rng.gamma(1.5, 0.5, value.shape).astype(np.float32)


def _matched_costs(rng: np.random.Generator, value: Float32Array) -> Float32Array:
    """What is worth more costs more: the hardest kind of knapsack."""
    size = np.abs(np.nan_to_num(value, neginf=1.0)) + 0.1
    return (size * rng.uniform(0.9, 1.1, value.shape)).astype(np.float32)


_Values = Callable[[np.random.Generator, int, int], Float32Array]
_Costs = Callable[[np.random.Generator, Float32Array], Float32Array]

VALUES: tuple[_Values, ...] = (_shop_values, _bell_values, _heavy_values, _tied_values)
COSTS: tuple[_Costs, ...] = (_free_costs, _loose_costs, _matched_costs)
