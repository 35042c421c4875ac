"""The simulator itself: its speed, its laws, its likeness to a real shop, and paired luck.

M1: a million customers for two years. M2: the parameters of a BG/NBD process are found again,
and drawn futures agree with the chances worked out. M3: calibrated to CDNOW, see
benchmarks.worlds_cdnow. M4: how sharply two policies can be told apart by common random
numbers. METHODS.md section 6.

Example: python -m benchmarks.worlds --json
"""

import argparse
import hashlib
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Bar, document, publish, raw_data
from benchmarks.worlds_cdnow import FILE, SAME_CURVE, SAME_SHOP, compare_with_cdnow
from benchmarks.worlds_orders import read_orders
from models.purchase_counts import collapse_counts
from models.purchase_process import fit_process
from pipelines.config import Config
from pipelines.init import preset_config
from pipelines.simulate import SimulationPlan, WorldPlan, run_simulation
from pipelines.simulate.business import SHOP
from pipelines.simulate.nights import Population
from pipelines.simulate.one_step import OneStep
from pipelines.simulate.plain import PlainShop

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Measured = tuple[dict[str, Any], list[Bar]]

END = date(2026, 11, 1)
SEED = 7
MOST_SECONDS, MOST_GIGABYTES = 90.0, 8.0
SHOP_OF_ORDERS = PlainShop(r=0.6, alpha=30.0, a=0.8, b=2.5)
"""A shop in days: an order in 50 days while alive, a quarter leaves at an order."""

PARAMETER_TOLERANCE = 0.05
MOST_STANDARD_ERRORS = 3.0
SHARE_OF_ORACLE, SHARE_OF_INDEPENDENT = 0.005, 1 / 3
GAP_DAYS, HORIZON_DAYS, AS_OF_DAY = 2, 30, 430
PACKAGES = ("numba", "numpy", "pyarrow", "lightgbm", "scikit-learn")


def main() -> int:
    """Parse the command line, measure, print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worlds", description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000, help="of M1")
    parser.add_argument("--days", type=int, default=730, help="of M1")
    parser.add_argument("--population", type=int, default=200_000, help="customers of M4")
    parser.add_argument("--parts", default="M1,M2,M3,M4", help="only these")
    parser.add_argument("--json", action="store_true", help="print the JSON document")
    options = parser.parse_args()
    parts = options.parts.split(",")
    data = raw_data("worlds", [FILE]) if "M3" in parts else None
    if "M3" in parts and data is None:
        return 2
    figures: dict[str, Any] = {}
    bars: list[Bar] = []
    measures: dict[str, Callable[[], Measured]] = {
        "M1": lambda: measure_speed(options.customers, options.days),
        "M2": measure_laws,
        "M3": lambda: measure_likeness(data or Path()),
        "M4": lambda: measure_pairing(options.population),
    }
    for name in parts:
        figures[name], new = measures[name]()
        bars += new
    return publish(
        document("worlds", figures=figures, bars=bars, packages=PACKAGES), as_json=options.json
    )


def measure_speed(customers: int, days: int) -> Measured:
    """M1: the command in a process of its own, files included, and equal bytes in small."""
    with tempfile.TemporaryDirectory(prefix="winback-benchmark-") as folder:
        out = Path(folder)
        _simulate(500, 60, out)  # compiles
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = perf_counter()
        _simulate(customers, days, out)
        seconds = perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        size = sum(file.stat().st_size for file in out.iterdir())
        digests = [_digest(Path(folder) / str(chunk), chunk) for chunk in (5_000, 333)]
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    gigabytes = after.ru_maxrss / 2**20
    figures = {
        "customers": customers,
        "days": days,
        "seconds": seconds,
        "processor_seconds": processor,
        "peak_gigabytes": gigabytes,
        "megabytes_written": size / 2**20,
        "digests": digests,
    }
    return figures, [
        Bar("M1 seconds", seconds, MOST_SECONDS, "at most"),
        Bar("M1 peak gigabytes", gigabytes, MOST_GIGABYTES, "at most"),
        Bar("M1 different bytes among two chunkings", len(set(digests)), 1, "at most"),
    ]


def _simulate(customers: int, days: int, out: Path) -> None:
    command = [sys.executable, "-m", "pipelines.cli", "simulate", "--out", str(out)]
    command += ["--customers", str(customers), "--days", str(days), "--end", END.isoformat()]
    subprocess.run([*command, "--json"], check=True, capture_output=True)


def _digest(out: Path, chunk_customers: int) -> str:
    """Digest of all files of a small simulation with a truth."""
    plan = SimulationPlan(
        preset="retail",
        customers=3_000,
        days=400,
        end=END,
        seed=SEED,
        world=WorldPlan(world="additive", policy="confounded"),
    )
    run_simulation(
        plan,
        out=out / "raw",
        config=preset_config("retail"),
        business=SHOP,
        truth=out / "truth",
        chunk_customers=chunk_customers,
    )
    digest = hashlib.sha256()
    for file in sorted([*(out / "raw").iterdir(), *(out / "truth").iterdir()]):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def measure_laws(customers: int = 100_000) -> Measured:
    """M2: a known process fitted, and drawn futures against the chances worked out."""
    plan = SimulationPlan(preset="retail", customers=customers, days=730, end=END, seed=SEED)
    population = Population(plan, business=SHOP_OF_ORDERS.business())
    orders = read_orders(population)
    signup = population.shoppers.signup_day
    repeats: Floats = np.bincount(orders.customer, minlength=customers).astype(np.float64) - 1
    last = np.zeros(customers)
    np.maximum.at(last, orders.customer, orders.day)
    # A day holds one order at most, at its middle on average: half a day is lost with each.
    age = np.maximum(plan.days - 1.0 - signup - repeats / 2, 0.0)
    recency = np.minimum(np.maximum(last - signup - repeats / 2, 0.0), age)
    fitted = fit_process(collapse_counts(repeats, recency, age), process="bg_nbd")
    true = {name: getattr(SHOP_OF_ORDERS, name) for name in ("r", "alpha", "a", "b")}
    errors = {name: getattr(fitted, name) / value - 1 for name, value in true.items()}
    gaps = {world: _future_gap(world) for world in ("constant", "additive", "regions")}
    figures = {
        "customers": customers,
        "truth": true,
        "fitted": {name: getattr(fitted, name) for name in true},
        "relative_errors": errors,
        "futures": gaps,
    }
    worst = max(abs(error) for error in errors.values())
    farthest = max(abs(gap["standard_errors"]) for gap in gaps.values())
    return figures, [
        Bar("M2 largest relative error of a parameter", worst, PARAMETER_TOLERANCE, "at most"),
        Bar(
            "M2 standard errors from drawn to worked-out uplift",
            farthest,
            MOST_STANDARD_ERRORS,
            "at most",
        ),
    ]


def _evening(world: str, customers: int) -> Population:
    plan = SimulationPlan(
        preset="retail",
        customers=customers,
        days=AS_OF_DAY + 70,
        end=END,
        seed=SEED,
        world=WorldPlan(world=world, policy="randomised"),
    )
    population = Population(plan)
    population.live_until(AS_OF_DAY)
    return population


def _future_gap(world: str, customers: int = 40_000, futures: int = 8) -> dict[str, float]:
    """Mean uplift of one action in drawn futures and as worked out, over those it reaches."""
    population = _evening(world, customers)
    action = population.actions.index("sms/coupon_5")
    rows = population.reachable()[:, 1]
    known = population.one_step(gap_days=GAP_DAYS, horizon_days=HORIZON_DAYS).uplift[rows, action]
    drawn = np.zeros(int(rows.sum()))
    for future in range(futures):
        for actions, sign in ((np.where(rows, action, -1), 1.0), (None, -1.0)):
            fork = population.fork(luck=1_000 + future)
            fork.night(actions)
            for _ in range(GAP_DAYS - 1):
                fork.night()
            fork.count_from_here()
            for _ in range(HORIZON_DAYS):
                fork.night()
            drawn += sign * (fork.ledger().orders[rows] > 0) / futures
    error = float((drawn - known).std() / np.sqrt(len(drawn)))
    return {
        "worked_out": float(known.mean()),
        "drawn": float(drawn.mean()),
        "standard_errors": float((drawn - known).mean() / error),
    }


def measure_likeness(data: Path) -> Measured:
    """M3: see `benchmarks.worlds_cdnow`."""
    figures = compare_with_cdnow(data)
    return figures, [
        Bar("M3 largest error of the curve", figures["curve_error"], SAME_CURVE, "at most"),
        Bar("M3 AUC of telling them apart", figures["auc"], SAME_SHOP, "at most"),
    ]


def measure_pairing(customers: int) -> Measured:
    """M4: the standard error of a rule's profit against the oracle's, paired and not.

    Profit is counted before luck, as the ledger expects it day by day: who orders is
    still drawn, and moves what comes after.
    """
    population, config = _evening("additive", customers), preset_config("retail")
    truth = population.one_step(gap_days=GAP_DAYS, horizon_days=HORIZON_DAYS)
    rows = population.present() & (population.silent_days() >= 60)
    gain = true_gain(truth, config)
    best = np.nanargmax(np.where(np.isnan(gain), -np.inf, gain), axis=1)
    is_worth = rows & (gain[np.arange(len(gain)), best] > 0)
    sms = population.actions.index("sms/free_shipping")
    by_rule = rows & population.reachable()[:, 1] & (population.silent_days() < 150)
    nobody = np.full(customers, -1)
    policies = {
        "oracle": np.where(is_worth, best, nobody),
        "rule": np.where(by_rule, sms, nobody),
        "nobody": nobody,
    }
    start = perf_counter()
    profit = {
        name: live_policy(population, actions, config, truth, luck=11)[rows]
        for name, actions in policies.items()
    }
    other = live_policy(population, policies["oracle"], config, truth, luck=12)[rows]
    seconds = perf_counter() - start
    paired = _standard_error(profit["rule"] - profit["oracle"])
    unpaired = float(np.hypot(_standard_error(profit["rule"]), _standard_error(other)))
    value = {name: float(one.mean()) for name, one in profit.items()}
    figures: dict[str, Any] = {
        "customers": customers,
        "dormant": int(rows.sum()),
        "profit_per_dormant_customer": value,
        "paired_standard_error": paired,
        "independent_standard_error": unpaired,
        "share_of_oracle_profit": paired / value["oracle"],
        "share_of_oracle_gain": paired / (value["oracle"] - value["nobody"]),
        "share_of_independent": paired / unpaired,
        "seconds_per_policy": seconds / 4,
    }
    return figures, [
        Bar(
            "M4 paired standard error over the oracle's profit",
            figures["share_of_oracle_profit"],
            SHARE_OF_ORACLE,
            "at most",
        ),
        Bar(
            "M4 paired over independent standard error",
            figures["share_of_independent"],
            SHARE_OF_INDEPENDENT,
            "at most",
        ),
    ]


def true_gain(truth: OneStep, config: Config) -> Floats:
    """Expected profit of each action over no contact, by the truth; shape (n, A)."""
    margin = config.business.gross_margin
    channels, offers = list(config.channels.values()), list(config.offers.values())
    cost = np.repeat([channel.cost for channel in channels], len(offers))
    worth = np.repeat([channel.channel_value for channel in channels], len(offers))
    discount = np.tile([offer.discount for offer in offers], len(channels))
    on_return = np.tile([offer.cost_on_return for offer in offers], len(channels))
    amount = truth.order_value[:, None]
    returns = truth.p0[:, None] + truth.uplift
    gain = truth.uplift * margin * amount - returns * (discount * amount + on_return)
    return np.asarray(gain - cost - truth.leaves * worth)


def live_policy(
    population: Population, actions: Ints, config: Config, truth: OneStep, *, luck: int
) -> Floats:
    """Expected profit of one evening's actions until the window ends, per customer."""
    fork = population.fork(luck=luck)
    fork.count_from_here()
    fork.night(actions)
    for _ in range(GAP_DAYS + HORIZON_DAYS - 1):
        fork.night()
    ledger, offers = fork.ledger(), len(config.offers)
    channels = list(config.channels.values())
    taken = np.maximum(actions, 0)
    is_sent = ledger.contacts > 0
    cost = np.array([channel.cost for channel in channels])[taken // offers]
    worth = np.array([channel.channel_value for channel in channels])[taken // offers]
    shipping = np.array([offer.cost_on_return for offer in config.offers.values()])
    unseen = np.where(fork.scene.law.voucher > 0, 0.0, shipping)[taken % offers]
    leaves = np.nan_to_num(truth.leaves[np.arange(len(taken)), taken])
    paid = is_sent * (cost + leaves * worth + unseen * ledger.expected)
    margin = config.business.gross_margin
    return np.asarray(margin * ledger.expected_spent - ledger.expected_saved - paid)


def _standard_error(values: Floats) -> float:
    return float(values.std() / np.sqrt(len(values)))


if __name__ == "__main__":
    sys.exit(main())
