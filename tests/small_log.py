"""A randomised log whose every potential outcome is known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.effect_sample import EffectSample

ACTIONS = ("email/none", "email/coupon", "sms/none")
SHARES = np.array([0.4, 0.2, 0.2, 0.2])
MARGIN, DISCOUNT = 0.3, np.array([0.0, 0.0, 0.1, 0.0])
COST = np.array([0.0, 0.01, 0.01, 0.2])


@dataclass(frozen=True)
class Customers:
    """Customers of a world of one decision."""

    x: NDArray[np.float64]
    p: NDArray[np.float64]
    order_value: NDArray[np.float64]

    def value(self, action: NDArray[np.int16]) -> float:
        """True mean profit of a policy."""
        p = self.p[np.arange(len(action)), action + 1]
        return float(
            np.mean(p * (MARGIN - DISCOUNT[action + 1]) * self.order_value - COST[action + 1])
        )

    def returns(self, action: NDArray[np.int16]) -> float:
        """True mean of returns under a policy."""
        return float(np.mean(self.p[np.arange(len(action)), action + 1]))


def draw_customers(n: int, rng: np.random.Generator) -> Customers:
    """Contact helps those with a large second feature, and hurts others by its cost."""
    x = rng.normal(size=(n, 3))
    base = -1.6 + 0.7 * x[:, 0]
    lift = 0.6 * x[:, 1]
    odds = np.column_stack([base, base + lift, base + lift + 0.3, base + lift + 0.2])
    return Customers(x, 1 / (1 + np.exp(-odds)), np.exp(3 + 0.5 * x[:, 2]))


def draw_log(
    customers: Customers, rng: np.random.Generator, *, confounded: bool = False
) -> EffectSample:
    """Assign everybody at random and see what they do.

    With `confounded`, those likely to return are contacted more; the chances are logged.
    """
    n = len(customers.x)
    chances = np.tile(SHARES, (n, 1))
    if confounded:
        chances = chances * np.exp(np.outer(customers.x[:, 0], [0.0, 0.8, 0.8, 0.8]))
        chances = 0.8 * chances / chances.sum(axis=1, keepdims=True) + 0.05
    drawn = (chances.cumsum(axis=1) < rng.random(n)[:, None]).sum(axis=1)
    rows = np.arange(n)
    returned = (rng.random(n) < customers.p[rows, drawn]).astype(np.int8)
    spend = customers.order_value * rng.lognormal(-0.08, 0.4, n)
    return EffectSample(
        x=customers.x,
        feature_names=("a", "b", "c"),
        log_odds0=np.log(customers.p[:, 0] / (1 - customers.p[:, 0])),
        order_value=customers.order_value,
        action=(drawn - 1).astype(np.int16),
        propensity=chances[rows, drawn],
        returned=returned,
        profit=returned * (MARGIN - DISCOUNT[drawn]) * spend - COST[drawn],
        left=np.zeros(n, np.int8),
        cluster=rng.integers(0, 2**63, n).astype(np.uint64),
        as_of_us=np.zeros(n, np.int64),
        actions=ACTIONS,
    )


def likely_helped(customers: Customers) -> NDArray[np.int16]:
    """Contact whom it helps: a coupon by e-mail, an SMS to the best."""
    b = customers.x[:, 1]
    return np.where(b > 1.0, 2, np.where(b > 0.0, 1, -1)).astype(np.int16)
