"""U6: what exploring costs and earns where assumptions are wrong, and where they are right.

Each seed is a shop of 60 nights that is run twice: with the product's exploration, and with
the best known action for everybody. Regret is what the true effects would have earned with
the same seats and the same controls, less what was earned. METHODS.md section 2.7.

    python -m benchmarks.exploration [--seeds 40] [--json]
"""

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

from benchmarks import report
from benchmarks.exploration_nights import ASSUMED, CUSTOMERS, GREEDY, NIGHTS, Played, play
from scoring.policy import Experiment

LIMITS = {"wrong": 0.6, "right": 1.1}
"""Largest regret of exploring, in regrets of never exploring, by what is assumed."""

COVERED = 0.93
"""Least share of nights on which the interval of the value so far holds the truth."""

EXPLORING = Experiment()
EVENLY = Experiment(exploration="uniform")
WORKERS = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    figures: dict[str, Any] = {"nights": NIGHTS, "customers_a_night": CUSTOMERS}
    bars = []
    covered = []
    with ProcessPoolExecutor(WORKERS) as workers:
        for assumed in ASSUMED:
            exploring, evenly, greedy = (
                list(workers.map(play, *_shops(assumed, options.seeds, experiment)))
                for experiment in (EXPLORING, EVENLY, GREEDY)
            )
            figures[assumed] = compare(exploring, greedy)
            figures[f"{assumed}_uniform"] = compare(evenly, greedy)
            if assumed not in LIMITS:
                continue
            covered += [shop.covered / shop.judged for shop in exploring]
            bars.append(
                report.Bar(
                    f"{assumed} assumptions: regret of exploring / never exploring",
                    figures[assumed]["ratio"],
                    LIMITS[assumed],
                    "at most",
                )
            )
    figures["nights_covered"] = float(np.mean(covered))
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


def _shops(
    assumed: str, seeds: int, experiment: Experiment
) -> tuple[list[str], range, list[Experiment]]:
    return [assumed] * seeds, range(seeds), [experiment] * seeds


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


if __name__ == "__main__":
    sys.exit(main())
