"""What an order of a customer is worth: the Gamma-Gamma model of mean order values.

Order values of a customer are gamma distributed around a mean of the customer's own, and
these means differ over customers. A customer's expected order value then lies between the
own mean so far and everybody's, the closer to the own one the more orders there are.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import digamma, gammaln

from features.errors import ArtifactError, DataError, describe

Float64Array = NDArray[np.float64]

_PRIOR_SD = 7.0
"""Standard deviation of a prior on each parameter's logarithm, far weaker than one customer."""
_BOUND = 12.0
_TOLERANCE = 1e-5
_SAMPLE = 20_000


@dataclass(frozen=True, slots=True)
class Spend:
    """A fitted Gamma-Gamma model.

    Attributes
    ----------
    p : shape of a customer's order values; the higher, the more alike they are.
    q, gamma : shape (above 1) and rate, in money, of the spread between customers.
    log_likelihood : of all customers, at these parameters.
    customers : customers it was fitted on.
    left_out : customers without an order or without a positive mean, not fitted on.
    converged : the optimiser met its tolerance.
    """

    p: float
    q: float
    gamma: float
    log_likelihood: float
    customers: int
    left_out: int
    converged: bool

    @property
    def mean(self) -> float:
        """Expected order value of a customer of whom nothing is known, in money."""
        return self.p * self.gamma / (self.q - 1.0)

    def expected_value(self, mean_value: Float64Array, orders: Float64Array) -> Float64Array:
        """Expected order value, shape (n,), in money: the own mean drawn towards everybody's.

        Parameters
        ----------
        mean_value : mean value of the customer's orders so far, shape (n,); below 0 counts
            as 0.
        orders : their number, shape (n,); a row without orders, or with NaN in either
            column, gets `mean`.

        References
        ----------
        Fader and Hardie 2013, "The Gamma-Gamma model of monetary value".
        """
        known = (orders > 0) & np.isfinite(mean_value)
        count = np.where(known, orders, 0.0)
        total = count * np.where(known, np.maximum(mean_value, 0.0), 0.0)
        expected = self.p * (self.gamma + total) / (self.p * count + self.q - 1.0)
        return np.asarray(expected, dtype=np.float64)

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `spend_from_json` reads back."""
        return asdict(self)


def fit_spend(mean_value: Float64Array, orders: Float64Array) -> Spend:
    """Fit the model by maximum likelihood.

    A customer without an order, or whose mean is not above 0, cannot be gamma distributed
    and is left out and counted. A very weak prior on the logarithms of (p, q - 1,
    gamma ÷ mean) picks the parameters where the data leave them open, as when all
    customers spend the same.

    Parameters
    ----------
    mean_value : mean value of each customer's orders, in money, shape (n,).
    orders : number of these orders, shape (n,).

    Raises
    ------
    DataError : no customer has an order with a positive value.

    References
    ----------
    Fader and Hardie 2013, "The Gamma-Gamma model of monetary value".
    """
    usable = (orders > 0) & np.isfinite(orders) & np.isfinite(mean_value) & (mean_value > 0)
    if not usable.any():
        raise DataError(
            describe(
                "spend",
                f"none of {len(usable)} customers has orders with a positive mean value",
                expected="amounts above 0 on the events named in [events] orders",
                fix="map the amount column in winback.toml, or set return_value on the stages",
            )
        )
    value, count = mean_value[usable].astype(np.float64), orders[usable].astype(np.float64)
    scale = float(np.average(value, weights=count))
    value /= scale
    step = -(-len(value) // _SAMPLE)
    sample = (value[::step], count[::step])
    best = min((_climb(start, *sample) for start in _starts()), key=lambda found: found.fun)
    best = best if step == 1 else _climb(best.x, value, count)
    p, q, gamma = _parameters(best.x)
    likelihood, _ = _evaluate(p, q, gamma, value, count)
    move = np.clip(best.x - best.jac, -_BOUND, _BOUND) - best.x
    return Spend(
        p=p,
        q=q,
        gamma=gamma * scale,
        log_likelihood=likelihood - len(value) * math.log(scale),
        customers=len(value),
        left_out=len(usable) - len(value),
        converged=bool(np.abs(move).max() <= _TOLERANCE * max(1.0, abs(best.fun))),
    )


def spend_from_json(document: dict[str, Any]) -> Spend:
    """Read a model back.

    Raises
    ------
    ArtifactError : the object is not one `Spend.to_json` writes.
    """
    try:
        spend = Spend(
            **{name: float(document[name]) for name in ("p", "q", "gamma", "log_likelihood")},
            customers=int(document["customers"]),
            left_out=int(document["left_out"]),
            converged=bool(document["converged"]),
        )
        sound = all(math.isfinite(x) and x > 0 for x in (spend.p, spend.q - 1.0, spend.gamma))
        sound = sound and math.isfinite(spend.log_likelihood)
    except (KeyError, TypeError, ValueError, OverflowError):
        sound = False
    if not sound:
        raise ArtifactError(
            describe(
                "spend model",
                "not a fitted Gamma-Gamma model",
                expected="p and gamma above 0 and q above 1",
                fix="run `winback train`, which replaces champions that cannot serve, or restore "
                "the bundle from a backup",
            )
        )
    return spend


def _starts() -> list[Float64Array]:
    """Logarithms of (p, q - 1, gamma ÷ mean) with the data's mean to begin from."""
    pairs = ((1.0, 2.0), (5.0, 2.0), (50.0, 2.0), (5.0, 30.0))
    return [np.log([p, over, over / p]) for p, over in pairs]


def _parameters(logarithms: Float64Array) -> tuple[float, float, float]:
    p, over, gamma = (float(value) for value in np.exp(logarithms))
    return p, 1.0 + over, gamma


def _climb(start: Float64Array, value: Float64Array, count: Float64Array) -> Any:
    def loss(logarithms: Float64Array) -> tuple[float, Float64Array]:
        p, q, gamma = _parameters(logarithms)
        likelihood, gradient = _evaluate(p, q, gamma, value, count)
        prior = 0.5 * float(logarithms @ logarithms) / _PRIOR_SD**2
        slope = logarithms / _PRIOR_SD**2 - gradient * np.array([p, q - 1.0, gamma])
        return (prior - likelihood) / len(value), slope / len(value)

    return minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(-_BOUND, _BOUND)] * len(start),
        options={"maxiter": 500, "ftol": 1e-13, "gtol": 1e-8},
    )


def _evaluate(
    p: float, q: float, gamma: float, value: Float64Array, count: Float64Array
) -> tuple[float, Float64Array]:
    """Log-likelihood of all customers and its gradient in (p, q, gamma)."""
    orders, code = np.unique(count, return_inverse=True)
    shape = p * orders
    total = count * value
    log_total, log_sum = np.log(total), np.log(gamma + total)
    by_orders = gammaln(shape + q) - gammaln(shape) - gammaln(q) + q * math.log(gamma)
    likelihood = by_orders[code] + shape[code] * (log_total - log_sum) - q * log_sum - np.log(value)
    rising = digamma(shape + q)
    by_p = (orders * (rising - digamma(shape)))[code] + count * (log_total - log_sum)
    by_q = (rising - digamma(q))[code] + math.log(gamma) - log_sum
    by_gamma = q / gamma - (shape + q)[code] / (gamma + total)
    return float(likelihood.sum()), np.array([by_p.sum(), by_q.sum(), by_gamma.sum()])
