"""Contact effects in worlds of known truth: what share of an oracle's profit each estimator earns.

Every cell is a world (benchmarks/uplift_world.py) and a number of randomised assignments,
half of them controls. An estimator learns from them and contacts the best-scored 30 % of
20,000 other customers, nobody for a loss; its true profit is divided by that of one who knows
all probabilities. All estimators of a seed meet the same customers, log and natural-return
model. Intervals are over seeds.

    python -m benchmarks.uplift_worlds --json
"""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from benchmarks.meta_learners import LEARNERS
from benchmarks.report import Bar, document, publish
from benchmarks.uplift_cells import JUDGED_CUSTOMERS, MEANS, OURS, Outcome, run_seed
from benchmarks.uplift_world import HETEROGENEOUS, WORLDS

Floats = NDArray[np.float64]

SIZES = (4_000, 16_000, 60_000)
SEEDS = 20
LEAST_SHARE = {
    ("additive", 16_000): 0.37,
    ("regions", 16_000): 0.37,
    ("additive", 60_000): 0.75,
    ("regions", 60_000): 0.54,
}
CELLS_TO_WIN = 5
CHANCE = 0.025
"""Share of 95 % intervals of no effect that lie above zero."""


def summarise(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Means with standard errors over seeds, and differences within seeds."""
    names = list(outcomes[0].values)
    table = {who: np.array([one.values[who] for one in outcomes]) for who in names}
    above = np.array([one.above_zero for one in outcomes])
    return {
        "value": {who: _mean(found) for who, found in table.items()},
        "winback_less": {who: _mean(table[OURS] - table[who]) for who in names if who != OURS},
        "rungs": dict(Counter(one.rung for one in outcomes)),
        "intervals_above_zero": _mean(above),
    }


def _mean(values: Floats) -> dict[str, float]:
    error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
    return {"mean": float(values.mean()), "se": error}


def find_bars(cells: dict[tuple[str, int], dict[str, Any]]) -> list[Bar]:
    """The limits of U1 on the cells that were run."""
    bars = [
        Bar(
            f"share of oracle profit, {name} {size:,}",
            cells[name, size]["value"][OURS]["mean"],
            limit,
            "at least",
        )
        for (name, size), limit in LEAST_SHARE.items()
        if (name, size) in cells
    ]
    for (name, size), cell in cells.items():
        less = cell["winback_less"][MEANS]
        bars.append(
            Bar(
                f"winback less arm means, upper 95 %, {name} {size:,}",
                less["mean"] + 1.96 * less["se"],
                0.0,
                "at least",
            )
        )
    heterogeneous = [cell for (name, _), cell in cells.items() if name in HETEROGENEOUS]
    won = sum(
        all(cell["winback_less"][learner]["mean"] > 0.0 for learner in LEARNERS)
        for cell in heterogeneous
    )
    bars.append(Bar("cells above the best of S, T, X, DR", won, CELLS_TO_WIN, "at least"))
    for (name, size), cell in cells.items():
        if name == "none":
            above = cell["intervals_above_zero"]
            bars.append(
                Bar(
                    f"no effect: intervals above zero, lower 95 %, {size:,}",
                    above["mean"] - 1.96 * above["se"],
                    CHANCE,
                    "at most",
                )
            )
    return bars


def main(arguments: Sequence[str]) -> int:
    """Run all cells, two seeds at a time."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.uplift_worlds", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="seeds per cell")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="assignments")
    parser.add_argument("--worlds", nargs="+", choices=WORLDS, default=WORLDS)
    options = parser.parse_args(arguments)
    cells: dict[tuple[str, int], dict[str, Any]] = {}
    with Parallel(n_jobs=2) as workers:
        for name in options.worlds:
            for size in options.sizes:
                runs = [delayed(run_seed)(name, size, seed) for seed in range(options.seeds)]
                cells[name, size] = summarise(workers(runs))
                sys.stderr.write(f"{name} {size}: done\n")
    report = document(
        "uplift_worlds",
        figures={
            "seeds": options.seeds,
            "judged_customers": JUDGED_CUSTOMERS,
            "cells": {f"{name} {size}": cell for (name, size), cell in cells.items()},
        },
        bars=find_bars(cells),
        packages=("lightgbm", "numpy", "scipy"),
    )
    return publish(report, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
