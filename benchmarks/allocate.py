"""L1 to L5: how fast contacts are allocated, how close to the optimum, and against what.

Large shops (L1, L2) run in a process of their own each, under three budgets; small nights
(L3) are random and are also given whole to HiGHS; bounds at random prices must lie above
exact optima (L4); every night is compared with sorts, and allocated again with another number
of threads (L5). METHODS.md section 4.

    python -m benchmarks.allocate [--only L2 L3] [--customers 10000000] [--json]
"""

import argparse
import multiprocessing
import resource
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from time import perf_counter, process_time
from typing import Any

import numpy as np

from benchmarks.allocate_rivals import (
    SORTS,
    closed_actions,
    limits_exceeded,
    solve_whole,
    sort_and_admit,
)
from benchmarks.allocate_shops import BUDGETS, Sizes, random_night, shop_matrices, shop_night
from benchmarks.report import Bar, document, publish
from scoring.allocate.allocation import Allocation, allocate, missed_counts
from scoring.allocate.dual import best_totals, dual_value
from scoring.allocate.problem import Problem, prices_of
from scoring.allocate.search import least_prices
from scoring.allocate.usage import total_worth

PARTS = ("L1", "L2", "L3", "L4", "L5")
SEED = 20261122
THREADS = 2
MIDDLE = 20_000
"""Customers of L3's larger nights."""

SAME = 1e-6
"""Relative difference up to which two worths are called equal."""

PRICE_DRAWS = 200


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, measure, print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.allocate", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--customers", type=int, default=10_000_000, help="of L1")
    parser.add_argument("--nights", type=int, default=200, help="random nights of L3 to L5")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for HiGHS, per night")
    parser.add_argument("--json", action="store_true", help="print the JSON document")
    options = parser.parse_args(arguments)
    figures: dict[str, Any] = {}
    bars: list[Bar] = []
    if "L1" in options.only:
        figures["L1"] = in_own_process(options.customers, again=False)
        bars += large_bars("L1", figures["L1"], seconds=60.0, gap=1e-4, memory=4.0)
    if "L2" in options.only:
        figures["L2"] = in_own_process(1_000_000, again="L5" in options.only)
        bars += large_bars("L2", figures["L2"], seconds=5.0, gap=1e-5)
    if "L3" in options.only or "L5" in options.only:
        figures["L3"] = small_nights(options.nights, seconds=options.limit)
        bars += small_bars(figures["L3"])
        figures["L3_20k"] = in_own_process(MIDDLE, again="L5" in options.only)
        bars += large_bars("L3, 20,000", figures["L3_20k"], seconds=60.0, gap=1e-4)
    if "L4" in options.only:
        figures["L4"] = random_prices(options.nights, seconds=options.limit)
        bars.append(
            Bar("L4: bounds below the optimum", figures["L4"]["bounds_below"], 0, "at most")
        )
    packages = ("numba", "numpy", "scipy")
    report = document("allocate", figures=figures, bars=bars, packages=packages)
    return publish(report, as_json=options.json)


def tell(line: str) -> None:
    """Progress, on standard error."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def in_own_process(customers: int, *, again: bool) -> dict[str, Any]:
    """`large_shop` in a fresh process, whose peak memory is then its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(large_shop, customers, again=again).result()


def large_shop(customers: int, *, again: bool) -> dict[str, Any]:
    """One shop under all budgets.

    Parameters
    ----------
    again : also compare with the result of one thread.
    """
    # What numba compiles or loads is not part of a night.
    allocate(shop_night(*shop_matrices(2_000, seed=1), "tight"), threads=THREADS)
    value, cost = shop_matrices(customers, seed=SEED)
    figures: dict[str, Any] = {"customers": customers, "input_gb": _gb(value, cost)}
    for regime in BUDGETS:
        problem = shop_night(value, cost, regime)
        begun, worked = perf_counter(), process_time()
        found = allocate(problem, threads=THREADS)
        night: dict[str, Any] = {
            "seconds": perf_counter() - begun,
            "processor_seconds": process_time() - worked,
            "gap": found.gap,
            "exceeded": limits_exceeded(problem, found.action),
            "closed_actions": closed_actions(problem, found.action),
            "contacts": int((found.action >= 0).sum()),
            "used": (found.usage / problem.limits).tolist(),
            "prices": found.prices.vector.tolist(),
        }
        # Before the sorts, which are not frugal.
        night["peak_gb_beyond_input"] = _peak_gb() - figures["input_gb"]
        if again:
            night["same_bytes"] = digest(found) == digest(allocate(problem, threads=1))
        figures[regime] = night
        tell(f"{customers:,} {regime}: {night['seconds']:.2f} s, gap {found.gap:.1e}")
    for regime in BUDGETS:
        figures[regime]["sorts"] = _sorts(shop_night(value, cost, regime), figures[regime])
    return figures


def _sorts(problem: Problem, night: dict[str, Any]) -> dict[str, float]:
    """What each sort is worth, as a share of what the allocation is worth at least."""
    bound = dual_value(
        problem,
        prices := prices_of(np.array(night["prices"]), problem),
        best_totals(problem, prices, threads=THREADS),
    )
    worth = bound * (1.0 - night["gap"])
    return {sort: total_worth(problem, sort_and_admit(problem, sort)) / worth for sort in SORTS}


def _gb(*arrays: np.ndarray[Any, Any]) -> float:
    return sum(array.nbytes for array in arrays) / 1e9


def _peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def digest(found: Allocation) -> bytes:
    """Everything that an allocation says, as bytes."""
    numbers = [found.value, found.worth, found.bound]
    parts = (found.action, np.array(numbers), found.prices.vector, found.usage)
    return b"".join(part.tobytes() for part in parts)


def large_bars(
    name: str, figures: dict[str, Any], *, seconds: float, gap: float, memory: float | None = None
) -> list[Bar]:
    """The bars of a large shop, under its worst budget."""
    nights = [figures[regime] for regime in BUDGETS]
    bars = [
        Bar(f"{name}: seconds", max(one["seconds"] for one in nights), seconds, "at most"),
        Bar(f"{name}: gap", max(one["gap"] for one in nights), gap, "at most"),
        Bar(
            f"{name}: limits exceeded and closed actions used",
            sum(one["exceeded"] + one["closed_actions"] for one in nights),
            0,
            "at most",
        ),
        Bar(
            f"{name}: best sort, as a share of the allocation's worth",
            max(max(one["sorts"].values()) for one in nights),
            1.0,
            "below",
        ),
    ]
    if memory is not None:
        most = max(one["peak_gb_beyond_input"] for one in nights)
        bars.append(Bar(f"{name}: peak memory beyond the input, GB", most, memory, "at most"))
    if "same_bytes" in nights[0]:
        differ = sum(not one["same_bytes"] for one in nights)
        bars.append(Bar(f"{name}: nights changed by threads", differ, 0, "at most"))
    return bars


def small_nights(count: int, *, seconds: float) -> dict[str, Any]:
    """Random nights of up to 3,000 customers against HiGHS and sorts."""
    nights = []
    for number in range(count):
        problem = random_night(np.random.default_rng((SEED, number)), Sizes())
        nights.append(_small_night(problem, seconds=seconds))
        if (number + 1) % 20 == 0:
            tell(f"L3: {number + 1} of {count} nights")
    lost = np.array([night["lost"] for night in nights])
    spent = np.array([night["seconds"] for night in nights])
    return {
        "nights": count,
        "with_groups": sum(night["groups"] for night in nights),
        "proven_by_highs": sum(night["proven"] for night in nights),
        "lost_at_most": float(lost.max()),
        "below_highs": int((lost > SAME).sum()),
        "above_highs": int((lost < -SAME).sum()),
        "gap_median": float(np.median([night["gap"] for night in nights])),
        "gap_at_most": max(night["gap"] for night in nights),
        "seconds_median": float(np.median(spent)),
        "seconds_at_most": float(spent.max()),
        "processor_seconds_at_most": max(night["processor_seconds"] for night in nights),
        "highs_seconds_median": float(np.median([night["highs_seconds"] for night in nights])),
        "highs_seconds_at_most": max(night["highs_seconds"] for night in nights),
        "bounds_below_highs": sum(night["bound_below"] for night in nights),
        "exceeded": sum(night["exceeded"] for night in nights),
        "beaten_by_a_sort": sum(night["beaten"] for night in nights),
        "equal_to_a_sort": sum(night["equalled"] for night in nights),
        "changed_by_threads": sum(not night["same_bytes"] for night in nights),
    }


def _small_night(problem: Problem, *, seconds: float) -> dict[str, Any]:
    begun, worked = perf_counter(), process_time()
    found = allocate(problem)
    spent, used = perf_counter() - begun, process_time() - worked
    missed = missed_counts(problem, found.action)
    exact = solve_whole(problem, seconds=seconds)
    worth = total_worth(problem, found.action)
    lost = _lost(worth, missed, exact.worth, exact.missed)
    by_sorts = [
        _lost(worth, missed, total_worth(problem, action), missed_counts(problem, action))
        for action in (sort_and_admit(problem, sort) for sort in SORTS)
    ]
    return {
        "seconds": spent,
        "processor_seconds": used,
        "gap": found.gap,
        "groups": len(problem.groups.least) > 0,
        "proven": exact.proven,
        "lost": lost,
        "highs_seconds": exact.seconds,
        "bound_below": missed == exact.missed == 0.0 and _below(found.bound, exact.worth),
        "exceeded": limits_exceeded(problem, found.action) + closed_actions(problem, found.action),
        "beaten": max(by_sorts) > 1e-9,
        "equalled": abs(max(by_sorts)) <= 1e-9,
        "same_bytes": digest(found) == digest(allocate(problem, threads=THREADS)),
    }


def _below(bound: float, worth: float) -> bool:
    return bound < worth - 1e-9 * abs(worth)


def _lost(worth: float, missed: float, other_worth: float, other_missed: float) -> float:
    """How much more another choice is worth, relative; first of all leasts are to be reached."""
    if abs(missed - other_missed) > SAME * (1.0 + missed):
        return 1.0 if missed > other_missed else -1.0
    if not np.isfinite(other_worth):
        return -1.0
    return (other_worth - worth) / max(abs(other_worth), abs(worth), 1e-300)


def small_bars(figures: dict[str, Any]) -> list[Bar]:
    """The bars of L3, and L5 on the same nights."""
    return [
        Bar("L3: worth lost against HiGHS, relative", figures["lost_at_most"], SAME, "at most"),
        Bar("L3: seconds, longest night", figures["seconds_at_most"], 10.0, "at most"),
        Bar("L3: limits exceeded and closed actions used", figures["exceeded"], 0, "at most"),
        Bar("L4: bounds below HiGHS's choice", figures["bounds_below_highs"], 0, "at most"),
        Bar("L5: nights beaten by a sort", figures["beaten_by_a_sort"], 0, "at most"),
        Bar("L5: nights changed by threads", figures["changed_by_threads"], 0, "at most"),
    ]


def random_prices(count: int, *, seconds: float) -> dict[str, Any]:
    """Bounds at random prices against exact optima of small nights that reach their leasts."""
    nights, below, closest = 0, 0, np.inf
    for number in range(count):
        rng = np.random.default_rng((SEED, 4, number))
        problem = random_night(rng, Sizes(most_customers=200))
        exact = solve_whole(problem, seconds=seconds)
        if exact.missed > 0.0 or not np.isfinite(exact.worth):
            continue
        nights += 1
        best = allocate(problem).prices.vector
        first_least = len(best) - len(problem.groups.least)
        for _ in range(PRICE_DRAWS):
            # Around the best prices, and far away from them.
            vector = best * rng.lognormal(0.0, rng.choice([0.01, 0.3, 2.0]), len(best))
            vector += (rng.random(len(best)) < 0.2) * rng.exponential(1.0, len(best))
            vector[~np.isfinite(problem.limits)] = 0.0
            # Missing a least costs no more than that, so that a higher price proves nothing.
            vector[first_least:] = np.minimum(vector[first_least:], least_prices(problem))
            prices = prices_of(vector, problem)
            bound = dual_value(problem, prices, best_totals(problem, prices, threads=1))
            above = (bound - exact.worth) / max(abs(exact.worth), 1e-300)
            below += above < -1e-9
            closest = min(closest, above)
    return {
        "nights": nights,
        "prices": nights * PRICE_DRAWS,
        "bounds_below": below,
        "closest": closest,
    }


if __name__ == "__main__":
    sys.exit(main())
