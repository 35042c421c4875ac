"""Finding the prices: on a sample first, then among those whose choice is still open.

In a box around a sample's prices most customers choose the same everywhere; they enter the
dual function as one linear term, and only the others are walked again. METHODS section 4.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scoring.allocate.bundle import minimise
from scoring.allocate.dual import best_totals, dual_value, in_blocks, split_settled
from scoring.allocate.problem import Prices, Problem, prices_of, take_customers

Float64Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

SAMPLE = 30_000
"""Customers among whom prices are searched without a box; more are sampled down to it."""

SAMPLE_STEP = 12
"""Each sample is so many times smaller than what it stands for, at most."""

SAMPLE_TOLERANCE = 1e-6
"""Of a sample's bound, relative: its prices are off by more than that anyway."""

SHARE_URGENCY = 2.0
"""Of leasts that ask for a share; see `GroupLimits`."""

SIGMAS = 4.0
"""Half width of the box, in rough standard errors of the sample's prices."""

_MOST_BOXES = 12


@dataclass(frozen=True, slots=True)
class Priced:
    """Prices and the bound that they prove.

    Attributes
    ----------
    prices : of all limits; 0 where a limit does not bind.
    bound : no allocation within the limits is worth more.
    """

    prices: Prices
    bound: float


def find_prices(
    problem: Problem, *, tolerance: float = 1e-9, threads: int = 1, seed: int = 0
) -> Priced:
    """Prices at which the dual bound is as small as it gets.

    Parameters
    ----------
    tolerance : of the bound, relative.
    seed : draws the samples; the prices depend on it within the tolerance only.
    """
    binding = np.isfinite(problem.limits)
    if _largest_value(problem, threads=threads) <= 0.0:
        return Priced(prices=prices_of(np.zeros(len(binding)), problem), bound=0.0)
    highest = _highest_prices(problem, threads=threads)
    search = _Search(binding, highest, tolerance, threads, np.random.default_rng(seed))
    vector, bound = search.run(problem)
    return Priced(prices=prices_of(vector, problem), bound=bound)


def least_prices(problem: Problem) -> Float64Array:
    """What missing each least by one is taken to cost; shape (n_rows,)."""
    if not len(problem.groups.least):
        return np.zeros(0)
    return _least_prices(problem, largest=_largest_value(problem, threads=1))


def _least_prices(problem: Problem, *, largest: float) -> Float64Array:
    groups = problem.groups
    # A share can always be kept by contacting fewer others: nobody at all, if urgent enough.
    urgency = np.where(groups.least > 0, groups.urgency, SHARE_URGENCY)
    return np.asarray(urgency * largest)


def _largest_value(problem: Problem, *, threads: int) -> float:
    def largest(start: int, stop: int) -> float:
        return float(problem.value[start:stop].max(initial=0.0))

    return max(in_blocks(problem.n_customers, largest, threads=threads), default=0.0)


def _highest_prices(problem: Problem, *, threads: int) -> Float64Array:
    """Prices above which no optimum lies.

    All units of a limit together are priced at most what can be had at all; one unit at most
    what a contact that uses it can be worth, leasts that it helps to reach included.
    """
    limits, groups = problem.limits, problem.groups
    free = prices_of(np.zeros(len(limits)), problem)
    had = dual_value(problem, free, best_totals(problem, free, threads=threads))
    largest = _largest_value(problem, threads=threads)
    asked = np.isfinite(groups.least)
    missing = np.where(asked, _least_prices(problem, largest=largest), 0.0)
    had += float(missing @ np.where(asked, np.maximum(groups.least, 0.0), 0.0))
    contact = largest + float(missing @ np.abs(groups.weight).max(axis=1, initial=0.0))
    rows = np.where(groups.weight > 0, groups.weight, np.inf).min(axis=1, initial=np.inf)
    at_most = np.concatenate(
        [
            [_highest_budget_price(problem, contact=contact)],
            np.full(len(problem.seats), contact),
            contact / rows,
            missing,
        ]
    )
    counted = np.flatnonzero(limits[: len(limits) - len(groups.least)] > 0)
    # Twice as much, so that the best prices lie well inside.
    at_most[counted] = np.minimum(at_most[counted], 2.0 * had / limits[counted])
    return np.asarray(np.where(np.isfinite(at_most), at_most, 0.0))


def _highest_budget_price(problem: Problem, *, contact: float) -> float:
    if problem.budget > 0:
        return np.inf
    # Without any money the price has to keep off even the cheapest paid action.
    smallest = float(np.min(problem.cost, where=problem.cost > 0, initial=np.inf))
    return 2.0 * contact / smallest


@dataclass(frozen=True, slots=True)
class _Search:
    binding: BoolArray
    highest: Float64Array
    tolerance: float
    threads: int
    rng: np.random.Generator

    def run(self, problem: Problem) -> tuple[Float64Array, float]:
        """Prices as a vector, and the bound."""
        n = problem.n_customers
        if n <= SAMPLE or not self.binding.any():
            return self._search_whole(problem)
        size = max(SAMPLE, n // SAMPLE_STEP)
        rows = np.sort(self.rng.choice(n, size, replace=False, shuffle=False))
        sample = _scaled(take_customers(problem, rows), size / n)
        vector, _ = replace(self, tolerance=max(self.tolerance, SAMPLE_TOLERANCE)).run(sample)
        radius = self._radius(sample, vector)
        return self._search_box(problem, vector, radius)

    def _search_whole(self, problem: Problem) -> tuple[Float64Array, float]:
        found = self._minimise(
            lambda prices: _evaluate(problem, prices, threads=self.threads),
            problem,
            start=np.zeros(len(self.binding)),
            box=(np.zeros(len(self.binding)), self.highest),
        )
        return found

    def _search_box(
        self, problem: Problem, centre: Float64Array, radius: Float64Array
    ) -> tuple[Float64Array, float]:
        """Move and widen the box until the best prices lie inside it."""
        for _ in range(_MOST_BOXES):
            lower = np.maximum(centre - radius, 0.0)
            upper = np.minimum(centre + radius, self.highest)
            middle, half = (lower + upper) / 2.0, (upper - lower) / 2.0
            settled, value, rows = split_settled(
                problem,
                prices_of(middle, problem),
                prices_of(half, problem),
                threads=self.threads,
            )
            usage = settled.usage(problem)
            rest = take_customers(problem, rows)

            def evaluate(
                prices: Prices,
                rest: Problem = rest,
                usage: Float64Array = usage,
                value: float = value,
            ) -> tuple[float, Float64Array]:
                bound, slope = _evaluate(rest, prices, threads=self.threads)
                vector = prices.vector
                return bound + value - float(vector @ usage), slope - usage

            start = np.clip(centre, lower, upper)
            vector, bound = self._minimise(evaluate, problem, start=start, box=(lower, upper))
            at_edge = self.binding & (
                ((vector <= lower + 1e-3 * half) & (lower > 0))
                | ((vector >= upper - 1e-3 * half) & (upper < self.highest))
            )
            if not at_edge.any():
                break
            centre, radius = vector, np.where(at_edge, 3.0 * radius, radius)
        return vector, bound

    def _minimise(
        self,
        evaluate: Callable[[Prices], tuple[float, Float64Array]],
        problem: Problem,
        *,
        start: Float64Array,
        box: tuple[Float64Array, Float64Array],
    ) -> tuple[Float64Array, float]:
        binding = self.binding
        vector = np.zeros(len(binding))
        if not binding.any():
            return vector, evaluate(prices_of(vector, problem))[0]

        def oracle(at: Float64Array) -> tuple[float, Float64Array]:
            full = vector.copy()
            full[binding] = at
            bound, slope = evaluate(prices_of(full, problem))
            return bound, slope[binding]

        scale = max(abs(oracle(start[binding])[0]), 1e-300)
        found = minimise(
            oracle,
            start=start[binding],
            lower=box[0][binding],
            upper=box[1][binding],
            tolerance=self.tolerance * scale,
        )
        vector[binding] = found.point
        return vector, found.value

    def _radius(self, sample: Problem, vector: Float64Array) -> Float64Array:
        """Half widths of the box: wide where few of the sample's contacts tell a price."""
        totals = best_totals(sample, prices_of(vector, sample), threads=self.threads)
        contacts = max(float(totals.seats.sum()), 1.0)
        told_by = np.maximum(np.abs(totals.usage(sample)), 1.0)
        told_by[0] = contacts
        mean_profit = totals.profit / contacts
        radius: Float64Array = vector * np.minimum(SIGMAS / np.sqrt(told_by), 1.0)
        floor = np.full(len(vector), SIGMAS * mean_profit / np.sqrt(contacts))
        floor[0] = SIGMAS * mean_profit / np.sqrt(contacts) / max(totals.cost / contacts, 1e-12)
        widest: Float64Array = np.maximum(radius, np.minimum(floor, self.highest))
        return widest


def _evaluate(problem: Problem, prices: Prices, *, threads: int) -> tuple[float, Float64Array]:
    totals = best_totals(problem, prices, threads=threads)
    return dual_value(problem, prices, totals), problem.limits - totals.usage(problem)


def _scaled(problem: Problem, share: float) -> Problem:
    groups = problem.groups
    return Problem(
        value=problem.value,
        cost=problem.cost,
        channel_of=problem.channel_of,
        budget=problem.budget * share,
        seats=problem.seats * share,
        groups=replace(groups, least=groups.least * share, most=groups.most * share),
    )
