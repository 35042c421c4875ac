"""Send times against METHODS section 3, S1-S4: `python -m benchmarks.timing --json`.

S1: held-out log likelihood of customers' hours in worlds of three archetypes. S2: past sends
all at 10:00, true peak 20:00. S3: every IANA zone at both changes of its clocks under several
quiet hours. S4: the next order on Online Retail II, in the predicted best three hours against
everybody's. The kernel's speed on 50 million events comes along. Data: the folder WINBACK_DATA
(default ../shared/data).
"""

import argparse
import sys
from datetime import date
from time import perf_counter
from typing import Any, Literal

from benchmarks import timing_retail, timing_worlds, timing_zones
from benchmarks.report import Bar, document, publish, raw_data
from benchmarks.timing_speed import measure_counting

RETAIL = "online_retail_II/online_retail_II.parquet"
SPLIT = date(2011, 6, 1)
OTHER_SPLITS = (date(2010, 12, 1), date(2011, 3, 1), date(2011, 9, 1))
GAP_DAYS = 2
"""Orders in the first days after the split are left out, as in the label windows."""

AT_LEAST: Literal["at least"] = "at least"

WORLDS = {
    "sharp archetypes": (6.0, 0.0),
    "archetypes": (3.0, 0.0),
    "broad archetypes": (1.5, 0.0),
    "mixed archetypes": (3.0, 0.2),
}
"""Concentration of the archetypes, share of activity outside a customer's own."""


def main() -> int:
    """Run all four; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=12_000, help="per world of S1")
    parser.add_argument("--every", type=int, default=1, help="S3: every so many zones only")
    parser.add_argument("--events", type=int, default=50_000_000, help="for the kernel's speed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    data = raw_data("timing", [RETAIL])
    if data is None:
        return 2
    seconds: dict[str, float] = {}

    def timed(name: str, figures: Any) -> Any:
        start = perf_counter()
        found = figures()
        seconds[name] = round(perf_counter() - start, 1)
        return found

    s1 = timed("S1", lambda: archetype_worlds(arguments.customers, seed=arguments.seed))
    s2 = timed("S2", lambda: timing_worlds.judge_exposure_trap(3_000, seed=arguments.seed))
    s3 = timed("S3", lambda: timing_zones.run(every=arguments.every))
    s4 = timed(
        "S4",
        lambda: timing_retail.run(data / RETAIL, days=(SPLIT, *OTHER_SPLITS), gap_days=GAP_DAYS),
    )
    speed = measure_counting(events=arguments.events)
    figures = {"S1": s1, "S2": s2, "S3": s3, "S4": s4, "counting": speed, "seconds": seconds}
    bars = [
        *archetype_bars(s1),
        Bar(
            "S2: customers sent to within 2 hours of their peak",
            s2["within_2_hours"],
            0.9,
            AT_LEAST,
        ),
        Bar("S3: violations", s3["violations"], 0, "at most"),
        Bar("S3: zones", s3["zones"], 400 // arguments.every, AT_LEAST),
        split_bar(s4),
    ]
    report = document("timing", figures=figures, bars=bars, packages=["numpy", "numba", "tzdata"])
    return publish(report, as_json=arguments.json)


def archetype_worlds(customers: int, *, seed: int) -> dict[str, Any]:
    """S1 in every world."""
    return {
        name: timing_worlds.judge_archetypes(
            customers, concentration=concentration, mixing=mixing, seed=seed
        )
        for name, (concentration, mixing) in WORLDS.items()
    }


def archetype_bars(worlds: dict[str, Any]) -> list[Bar]:
    """The share of the oracle's lead that is reached, by occasions seen."""
    bars = []
    for name, world in worlds.items():
        for n, limit in (("50", 0.95), ("100", 0.95), ("10", 0.6)):
            share = world[n]["share_of_gap"]
            bars.append(Bar(f"S1: {name}, n = {n}: share of the gap", share, limit, AT_LEAST))
        least = float(min(world[n]["above_everyone"] for n in ("0", "1", "2")))
        bars.append(Bar(f"S1: {name}, n <= 2: nats above everyone's", least, -0.002, AT_LEAST))
    return bars


def split_bar(splits: dict[str, Any]) -> Bar:
    """The low end of the interval of the difference on the split date that METHODS names."""
    low = splits[SPLIT.isoformat()]["low"]
    return Bar("S4: everyone's block minus own, high end", -low, 0.0, "below")


if __name__ == "__main__":
    sys.exit(main())
