"""Buy till you leave: BG/NBD and MBG/NBD, with four parameters for all customers.

Customers order at random at a rate of their own and may leave for good after any order,
with a chance of their own; rates are gamma (r, α), chances beta (a, b) distributed. In
MBG/NBD the first order is such a chance to leave too, in BG/NBD it is not, so there who
never came back counts as still alive.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal
from scipy.optimize import minimize
from scipy.special import expit
from threadpoolctl import threadpool_limits

from features.errors import ArtifactError, describe
from models.purchase_counts import PurchaseCounts
from models.purchase_likelihood import Likelihood, Process

Float64Array = NDArray[np.float64]
PROCESSES: tuple[Process, ...] = get_args(Process)
PARAMETERS = 4

_PRIOR_SD = 7.0
"""Standard deviation of a prior on each parameter's logarithm: a thousandfold is one.

Far weaker than one customer; it decides only what the data leave open.
"""
_BOUND = 12.0
_TOLERANCE = 1e-5
_COARSE_STEPS = 40
_COARSE_RECORDS = 5_000
_STARTS = 4
_NODES = 64
_ROWS_AT_ONCE = 8_192


@dataclass(frozen=True, slots=True)
class PurchaseProcess:
    """A fitted process; all times are in the unit of the counts it was fitted on.

    Attributes
    ----------
    process : "mbg_nbd" or "bg_nbd".
    r, alpha : shape and rate of the customers' gamma distributed order rates.
    a, b : the beta distribution of the chance to leave after an order.
    log_likelihood : of all customers, at these parameters.
    customers, returning : customers it was fitted on, and those of them with repeats.
    converged : the optimiser met its tolerance.
    """

    process: Process
    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float
    customers: int
    returning: int
    converged: bool

    @property
    def informed(self) -> bool:
        """Whether at least as many customers returned as there are parameters.

        Without returns the likelihood is flat: the parameters then say that nearly nobody
        comes back, and how nearly is the prior's word.
        """
        return self.returning >= PARAMETERS

    def p_alive(self, repeats: Float64Array, last: Float64Array, age: Float64Array) -> Float64Array:
        """Probability that customers have not left, shape (n,); NaN where a count is NaN.

        Parameters
        ----------
        repeats, last, age : as in `PurchaseCounts`, shape (n,).

        References
        ----------
        METHODS.md section 1; Fader, Hardie and Lee 2008; Batislam, Denizel, Filiztekin 2007.
        """
        chances = self.b + repeats - (1.0 if self.process == "bg_nbd" else 0.0)
        never_back = (self.process == "bg_nbd") & (repeats == 0)
        chances = np.where(never_back, 1.0, chances)
        silence = np.log(self.alpha + age) - np.log(self.alpha + last)
        odds = math.log(self.a) - np.log(chances) + (self.r + repeats) * silence
        alive = np.where(never_back & ~np.isnan(odds), 1.0, expit(-odds))
        return np.asarray(alive, dtype=np.float64)

    def p_order(
        self, repeats: Float64Array, last: Float64Array, age: Float64Array, *, horizon: float
    ) -> Float64Array:
        """Probability of at least one order within the horizon after `age`, shape (n,).

        P(alive) * (1 - ((α + T) / (α + T + H))^(r + x)), METHODS.md section 1.
        """
        wait = (self.r + repeats) * np.log1p(horizon / (self.alpha + age))
        return np.asarray(self.p_alive(repeats, last, age) * -np.expm1(-wait))

    def expected_orders(
        self, repeats: Float64Array, last: Float64Array, age: Float64Array, *, horizon: float
    ) -> Float64Array:
        """Expected number of orders within the horizon after `age`, shape (n,).

        An alive customer with rate λ and chance to leave p makes (1 - e^(-λpH)) / p orders;
        its mean over the customer's gamma and beta distributions is a sum over Gauss-Jacobi
        nodes of p. It equals the papers' closed form with 2F1, which fails around a = 1.
        """
        expected = np.full(len(repeats), np.nan)
        share = horizon / (self.alpha + age)
        for count in np.unique(repeats[~np.isnan(repeats)]):
            chance, weight = _beta_nodes(self.a, self._kept(count))
            rows = np.flatnonzero(repeats == count)
            for start in range(0, len(rows), _ROWS_AT_ONCE):
                some = rows[start : start + _ROWS_AT_ONCE]
                wait = (self.r + count) * np.log1p(share[some, None] * chance)
                expected[some] = -np.expm1(-wait) @ (weight / chance)
        expected *= self.p_alive(repeats, last, age)
        return expected

    def _kept(self, repeats: float) -> float:
        """The beta distribution's b after so many repeats survived."""
        return self.b + repeats + (1.0 if self.process == "mbg_nbd" else 0.0)

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `process_from_json` reads back."""
        return asdict(self)


def fit_process(counts: PurchaseCounts, *, process: Process) -> PurchaseProcess:
    """Fit a process by maximum likelihood.

    Several starts are tried on the counts with coarser times, the best is finished on all
    of them. Where nobody or hardly anybody returned the likelihood is flat, and a very
    weak prior on the logarithms of (r, α ÷ mean age, a, b) picks the parameters: see
    `PurchaseProcess.informed`.

    Parameters
    ----------
    counts : from `collapse_counts`.
    process : "mbg_nbd" or "bg_nbd".

    References
    ----------
    Fader, Hardie and Lee 2005 (BG/NBD); Batislam, Denizel and Filiztekin 2007 and Hoppe and
    Wagner 2007 (MBG/NBD). METHODS.md section 1.
    """
    # Four parameters: waiting for BLAS threads on a busy machine takes longer than the fit.
    with threadpool_limits(1, user_api="blas"):
        return _fit(counts, process=process)


def _fit(counts: PurchaseCounts, *, process: Process) -> PurchaseProcess:
    scale = np.array([1.0, float(np.average(counts.age, weights=counts.weight)), 1.0, 1.0])
    few = len(counts.repeats) <= _COARSE_RECORDS
    coarse = counts if few else counts.coarsen(steps=_COARSE_STEPS)
    first = Likelihood.of(coarse, process=process)
    starts = sorted(_grid(), key=lambda start: _loss(start, first, scale)[0])[:_STARTS]
    best = min((_climb(start, first, scale) for start in starts), key=lambda found: found.fun)
    likelihood = Likelihood.of(counts, process=process)
    best = best if few else _climb(best.x, likelihood, scale)
    parameters = np.exp(best.x) * scale
    r, alpha, a, b = (float(value) for value in parameters)
    return PurchaseProcess(
        process=process,
        r=r,
        alpha=alpha,
        a=a,
        b=b,
        log_likelihood=likelihood.evaluate(parameters)[0],
        customers=counts.customers,
        returning=counts.returning,
        converged=_is_top(best),
    )


def process_from_json(document: dict[str, Any]) -> PurchaseProcess:
    """Read a process back.

    Raises
    ------
    ArtifactError : the object is not one `PurchaseProcess.to_json` writes.
    """
    try:
        process = PurchaseProcess(
            process=document["process"],
            **{name: float(document[name]) for name in ("r", "alpha", "a", "b", "log_likelihood")},
            customers=int(document["customers"]),
            returning=int(document["returning"]),
            converged=bool(document["converged"]),
        )
        positive = (process.r, process.alpha, process.a, process.b)
        sound = process.process in PROCESSES and math.isfinite(process.log_likelihood)
        sound = sound and all(math.isfinite(value) and value > 0 for value in positive)
        sound = sound and 0 <= process.returning <= process.customers
    except (KeyError, TypeError, ValueError, OverflowError):
        sound = False
    if not sound:
        raise ArtifactError(
            describe(
                "purchase process",
                "not a fitted process",
                expected=f"one of {', '.join(PROCESSES)} with r, alpha, a and b above 0",
                fix="run `winback train`, which replaces champions that cannot serve, or restore "
                "the bundle from a backup",
            )
        )
    return process


def _grid() -> list[Float64Array]:
    """Logarithms of (r, α ÷ mean age, a, b) to begin from: some orders in a mean age."""
    return [
        np.log([r, r / orders, a, b])
        for r in (0.1, 0.5, 2.0, 20.0)
        for orders in (0.5, 2.0, 10.0)
        for a, b in ((0.3, 1.0), (0.8, 2.5), (1.0, 10.0), (3.0, 3.0))
    ]


def _loss(
    logarithms: Float64Array, likelihood: Likelihood, scale: Float64Array
) -> tuple[float, Float64Array]:
    """Minus the mean log-likelihood and the prior's share, with the gradient."""
    parameters = np.exp(logarithms) * scale
    value, gradient = likelihood.evaluate(parameters)
    customers = likelihood.weight.sum()
    prior = 0.5 * float(logarithms @ logarithms) / _PRIOR_SD**2
    slope = logarithms / _PRIOR_SD**2 - gradient * parameters
    return (prior - value) / customers, slope / customers


def _climb(start: Float64Array, likelihood: Likelihood, scale: Float64Array) -> Any:
    return minimize(
        _loss,
        start,
        args=(likelihood, scale),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-_BOUND, _BOUND)] * PARAMETERS,
        options={"maxiter": 500, "ftol": 1e-13, "gtol": 1e-8},
    )


def _is_top(found: Any) -> bool:
    """Whether no step within the bounds climbs; line searches stop early for rounding alone."""
    step = np.clip(found.x - found.jac, -_BOUND, _BOUND) - found.x
    return bool(np.abs(step).max() <= _TOLERANCE * max(1.0, abs(found.fun)))


def _beta_nodes(a: float, b: float) -> tuple[Float64Array, Float64Array]:
    """Gauss-Jacobi nodes and weights of the mean over a beta distribution.

    Golub and Welsch 1969: eigenvalues of the symmetric matrix of the three-term recurrence
    of Jacobi polynomials moved to [0, 1]; its weights need no gamma functions.
    """
    m = np.arange(1.0, _NODES)
    step = 2.0 * m + a + b
    diagonal = np.empty(_NODES)
    diagonal[0] = a / (a + b)
    diagonal[1:] = 0.5 * (1.0 + (a - b) * (a + b - 2.0) / (step * (step - 2.0)))
    inner = m[1:] * (m[1:] + a + b - 2.0) * (m[1:] + a - 1.0) * (m[1:] + b - 1.0)
    step = step[1:] - 2.0
    beside = np.empty(_NODES - 1)
    beside[0] = a * b / ((a + b) ** 2 * (a + b + 1.0))
    beside[1:] = inner / (step**2 * (step + 1.0) * (step - 1.0))
    nodes, vectors = eigh_tridiagonal(diagonal, np.sqrt(beside))
    return np.clip(nodes, 1e-300, 1.0), vectors[0] ** 2
