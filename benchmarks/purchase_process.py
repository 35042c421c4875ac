"""Purchase processes: published parameters on the CDNOW sample, and the time to fit many customers.

Example: python -m benchmarks.purchase_process --customers 1000000 --json

Data: CDNOW_sample.txt in the folder cdnow of WINBACK_DATA (default ../shared/data).
"""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Bar, document, publish, raw_data
from models.purchase_counts import PurchaseCounts, collapse_counts
from models.purchase_likelihood import Process
from models.purchase_process import PROCESSES, PurchaseProcess, fit_process

Float64Array = NDArray[np.float64]

PUBLISHED = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
"""BG/NBD on the CDNOW sample in weeks, Fader, Hardie and Lee 2005."""

CALIBRATION_END = date(1997, 9, 30)
TRUTH = {"r": 0.6, "alpha": 30.0, "a": 0.8, "b": 2.5}
"""A shop in days: an order in 50 days while alive, a quarter leaves at an order."""

LONGEST_AGE = 730
PARAMETER_TOLERANCE = 0.01
FIT_SECONDS = 20.0
PACKAGES = ("numba", "numpy", "scipy")


@dataclass(frozen=True, slots=True)
class SimulatedCustomers:
    """Customers of a known process, each of shape (n,).

    Attributes
    ----------
    repeats, last, age : what is seen of them, as in `PurchaseCounts`.
    alive : whether they have not left at `age`.
    later : orders within the horizon after `age`.
    """

    repeats: Float64Array
    last: Float64Array
    age: Float64Array
    alive: NDArray[np.bool_]
    later: Float64Array


def simulate_customers(
    process: Process,
    truth: Mapping[str, float],
    *,
    age: Float64Array,
    horizon: float,
    rng: np.random.Generator,
) -> SimulatedCustomers:
    """Let customers order and leave, one order of all of them after the other."""
    n = len(age)
    rate = np.maximum(rng.gamma(truth["r"], 1 / truth["alpha"], n), 1e-12)
    leaves = rng.beta(truth["a"], truth["b"], n)
    clock, repeats, last, later = np.zeros((4, n))
    gone_at = np.full(n, np.inf)
    if process == "mbg_nbd":
        gone_at[rng.random(n) < leaves] = 0.0
    active = np.flatnonzero(np.isinf(gone_at))
    while len(active):
        clock[active] += rng.exponential(1 / rate[active])
        active = active[clock[active] <= age[active] + horizon]
        seen = active[clock[active] <= age[active]]
        repeats[seen] += 1
        last[seen] = clock[seen]
        later[active] += clock[active] > age[active]
        left = rng.random(len(active)) < leaves[active]
        gone_at[active[left]] = clock[active[left]]
        active = active[~left]
    return SimulatedCustomers(repeats, last, age, gone_at > age, later)


def read_sample(file: Path) -> PurchaseCounts:
    """Repeats, recency and age in weeks of the CDNOW sample's calibration period."""
    days: dict[str, set[date]] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        _, customer, when, _, _ = line.split()
        day = date(int(when[:4]), int(when[4:6]), int(when[6:]))
        if day <= CALIBRATION_END:
            days.setdefault(customer, set()).add(day)
    return collapse_counts(
        np.array([len(seen) - 1.0 for seen in days.values()]),
        np.array([(max(seen) - min(seen)).days / 7 for seen in days.values()]),
        np.array([(CALIBRATION_END - min(seen)).days / 7 for seen in days.values()]),
    )


def time_fit(process: Process, customers: int) -> tuple[float, PurchaseCounts, PurchaseProcess]:
    """Seconds to collapse and fit simulated customers whose times are whole days."""
    rng = np.random.default_rng(20_261_121)
    age = rng.integers(1, LONGEST_AGE + 1, customers).astype(np.float64)
    found = simulate_customers(process, TRUTH, age=age, horizon=0.0, rng=rng)
    last = np.rint(found.last)
    start = perf_counter()
    counts = collapse_counts(found.repeats, last, found.age)
    fitted = fit_process(counts, process=process)
    return perf_counter() - start, counts, fitted


def main() -> int:
    """Parse the command line, fit, print; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.purchase_process", description=__doc__
    )
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true", help="print the JSON document")
    options = parser.parse_args()
    data = raw_data("purchase_process", ["cdnow/CDNOW_sample.txt"])
    if data is None:
        return 2
    file = data / "cdnow/CDNOW_sample.txt"
    sample = fit_process(read_sample(file), process="bg_nbd")
    report = document("purchase_process", **_figures(sample, options.customers), packages=PACKAGES)
    return publish(report, as_json=options.json)


def _figures(sample: PurchaseProcess, customers: int) -> dict[str, Any]:
    figures: dict[str, Any] = {"cdnow_sample": {"fitted": asdict(sample), "published": PUBLISHED}}
    bars = [
        Bar(
            f"CDNOW sample: relative error of {name}",
            abs(getattr(sample, name) / published - 1),
            PARAMETER_TOLERANCE,
            "at most",
        )
        for name, published in PUBLISHED.items()
    ]
    for process in PROCESSES:
        seconds, counts, fitted = time_fit(process, customers)
        figures[process] = {
            "customers": customers,
            "distinct_records": len(counts.repeats),
            "seconds": round(seconds, 2),
            "truth": TRUTH,
            "fitted": asdict(fitted),
        }
        bars.append(Bar(f"{process}: seconds to fit", seconds, FIT_SECONDS, "below"))
    return {"figures": figures, "bars": bars}


if __name__ == "__main__":
    sys.exit(main())
