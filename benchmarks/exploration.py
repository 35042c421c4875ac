"""U6: what exploring costs and earns where assumptions are wrong, and where they are right.

Each seed is a shop of 60 nights that is run with the product's exploration, and with the best
known action for everybody. Regret is what the true effects would have earned with the same
seats and the same controls, less what was earned. What no bar is about, uniform draws and
assumptions that are too gloomy, is told of the first shops. METHODS.md section 2.7.

    python -m benchmarks.exploration [--seeds 40] [--json]
"""

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

from benchmarks import report
from benchmarks.exploration_nights import ASSUMED, Case, Played, play
from benchmarks.exploration_shop import CUSTOMERS, GREEDY, NIGHTS, WEEK
from scoring.policy import Experiment

LIMITS = {"wrong": 0.6, "right": 1.1}
"""Largest regret of exploring, in regrets of never exploring, by what is assumed."""

COVERED = 0.93
"""Least share of nights on which the interval of the value so far holds the truth."""

EXPLORING = Experiment()
EVENLY = Experiment(exploration="uniform")
WITHOUT_BAR = 0.25
"""Share of the shops in which cases are played that no bar is about."""

WORKERS = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    cases = [cases_of(seed, options.seeds) for seed in range(options.seeds)]
    with ProcessPoolExecutor(WORKERS) as workers:
        shops = list(workers.map(play, range(options.seeds), cases))
    figures: dict[str, Any] = {
        "nights": NIGHTS,
        "customers_a_night": CUSTOMERS,
        "nights_between_trainings": WEEK,
    }
    for assumed in ASSUMED:
        figures[assumed] = compare_cases(shops, Case(assumed, EXPLORING))
        figures[f"{assumed}_uniform"] = compare_cases(shops, Case(assumed, EVENLY))
    figures["nights_covered"] = nights_covered(shops)
    bars = [
        report.Bar(
            f"{assumed} assumptions: regret of exploring / never exploring",
            figures[assumed]["ratio"],
            LIMITS[assumed],
            "at most",
        )
        for assumed in ASSUMED
        if assumed in LIMITS
    ]
    bars.append(
        report.Bar(
            "share of nights on which the DR interval holds the true value",
            figures["nights_covered"],
            COVERED,
            "at least",
        )
    )
    packages = ("numpy", "numba")
    document = report.document("exploration", figures=figures, bars=bars, packages=packages)
    return report.publish(document, as_json=options.json)


def cases_of(seed: int, seeds: int) -> list[Case]:
    """What is played in a shop: what bars are about everywhere, the rest in the first ones."""
    if seed < max(WITHOUT_BAR * seeds, 1):
        experiments = EXPLORING, EVENLY, GREEDY
        return [Case(assumed, each) for assumed in ASSUMED for each in experiments]
    return [Case(assumed, each) for assumed in LIMITS for each in (EXPLORING, GREEDY)]


def compare_cases(shops: Sequence[dict[Case, Played]], case: Case) -> dict[str, Any]:
    """A case beside never exploring, over the shops in which it was played."""
    greedy = Case(case.assumed, GREEDY)
    both = [shop for shop in shops if case in shop]
    return compare([shop[case] for shop in both], [shop[greedy] for shop in both])


def compare(exploring: Sequence[Played], greedy: Sequence[Played]) -> dict[str, Any]:
    """Ratio of summed regrets, with a bootstrap interval over the paired shops."""
    mine = np.array([shop.regret for shop in exploring])
    theirs = np.array([shop.regret for shop in greedy])
    picks = np.random.default_rng(0).integers(0, len(mine), (report.BOOTSTRAP_DRAWS, len(mine)))
    ratios = mine[picks].sum(axis=1) / theirs[picks].sum(axis=1)
    oracle = sum(shop.oracle for shop in exploring)
    return {
        "seeds": len(mine),
        "ratio": float(mine.sum() / theirs.sum()),
        "interval": np.quantile(ratios, (0.025, 0.975)).tolist(),
        "regret_exploring": float(mine.sum() / oracle),
        "regret_greedy": float(theirs.sum() / oracle),
    }


def nights_covered(shops: Sequence[dict[Case, Played]]) -> float:
    """Mean share of nights, over exploring shops whose regret has a bar."""
    played = [shop[Case(assumed, EXPLORING)] for assumed in LIMITS for shop in shops]
    return float(np.mean([shop.covered / shop.judged for shop in played]))


if __name__ == "__main__":
    sys.exit(main())
