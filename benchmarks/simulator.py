"""Dormancy risk on the simulated shop, against the shop's own true probabilities.

The shop is trained on at an as-of, scored at it as in a night, and judged on what the
simulated customers then do. The true probabilities are worked out twice: given all that
the histories show (the most that any forecast can know), and given the hidden states.

Example: python -m benchmarks.simulator --json
"""

import argparse
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from benchmarks.report import Bar, document, publish
from benchmarks.simulator_world import DAYS, END, SEED, Truth, find_truth
from features.contract import Kind
from pipelines.config import Config, load_config
from pipelines.ingest import run_ingest
from pipelines.init import write_config
from pipelines.nightly_inputs import build_scorer, load_champions, night_policy, open_warehouse
from pipelines.simulate import SimulationPlan, run_simulation
from pipelines.simulate.business import SHOP
from pipelines.simulate.files import CONTACTS_NAME, CUSTOMERS_NAME, EVENTS_PATTERN
from pipelines.train import run_train
from training.ladder import estimate_json
from training.metrics import Judgement, draw_customers, judge

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MARGIN_DAYS = 3
"""Days after the window, in which what happened late inside it arrives."""
DRAWS = 500
_SURE = (1e-3, 1 - 1e-3)
"""A share of a few hundred futures is never quite 0 or 1."""
CLOSE_ENOUGH = 0.01
PACKAGES = ("numba", "numpy", "lightgbm", "scikit-learn")

_DELIVERIES: dict[Kind, str] = {
    "customers": CUSTOMERS_NAME,
    "events": EVENTS_PATTERN,
    "contacts": CONTACTS_NAME,
}


@dataclass(frozen=True, slots=True)
class AtRisk:
    """Customers not dormant at the as-of; every array has shape (n,).

    Attributes
    ----------
    number : the customer's number in the simulation.
    stage : position in the ladder.
    model : the trained model's P(no order).
    """

    number: Ints
    stage: NDArray[np.int16]
    model: Floats


def main() -> int:
    """Parse the command line, measure, print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulator", description=__doc__)
    parser.add_argument("--customers", type=int, default=40_000)
    parser.add_argument("--judged", type=int, default=5_000, help="at most so many, at random")
    parser.add_argument("--imagined", type=int, default=3_000, help="per customer, at most")
    parser.add_argument("--futures", type=int, default=300, help="per customer")
    parser.add_argument("--json", action="store_true", help="print the JSON document")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="winback-benchmark-") as folder:
        seconds: dict[str, float] = {}
        config, as_of = prepare(Path(folder), options.customers, seconds)
        rows = score(config, as_of, seconds)
    picked = np.random.default_rng(SEED).permutation(len(rows.number))[: options.judged]
    rows = AtRisk(rows.number[picked], rows.stage[picked], rows.model[picked])
    start = perf_counter()
    truth = find_truth(
        config, as_of, rows.number, (options.customers, options.imagined, options.futures)
    )
    seconds["truth"] = perf_counter() - start
    figures = measure(rows, truth, config)
    report = document(
        "simulator",
        figures={"as_of": as_of.isoformat(), **figures, "seconds": seconds},
        bars=[
            Bar(
                "AUC below that of the true probabilities given the histories",
                figures["auc_gaps"]["histories_minus_model"]["value"],
                CLOSE_ENOUGH,
                "at most",
            )
        ],
        packages=PACKAGES,
    )
    return publish(report, as_json=options.json)


def prepare(home: Path, customers: int, seconds: dict[str, float]) -> tuple[Config, date]:
    """Simulate, ingest and train; returns the configuration and the as-of."""
    write_config("retail", home)
    config = load_config(home)
    window = config.windows.gap_days + config.windows.horizon_days
    as_of = END - timedelta(days=int(np.ceil(window)) + MARGIN_DAYS)
    now = datetime.combine(END, datetime.min.time(), tzinfo=UTC)
    plan = SimulationPlan(preset="retail", customers=customers, days=DAYS, end=END, seed=SEED)
    start = perf_counter()
    run_simulation(plan, out=home / "raw", config=config, business=SHOP)
    seconds["simulate"] = perf_counter() - start
    start = perf_counter()
    for kind, pattern in _DELIVERIES.items():
        run_ingest(config, kind, [str(home / "raw" / pattern)], now=now, backfill=True)
    seconds["ingest"] = perf_counter() - start
    start = perf_counter()
    run_train(config, as_of=as_of, now=now)
    seconds["train"] = perf_counter() - start
    return config, as_of


def score(config: Config, as_of: date, seconds: dict[str, float]) -> AtRisk:
    """Score all customers as a night does; returns those at risk, by number."""
    start = perf_counter()
    policy = night_policy(config, as_of)
    scorer = build_scorer(config, open_warehouse(config), policy, load_champions(config))
    numbers, stages, forecasts = [], [], []
    for bucket in range(config.storage.buckets):
        scored = scorer.score(bucket)
        at_risk = ~np.isnan(scored.p_dormant)
        ids = np.array(scored.customer_id.to_pylist())[at_risk]
        numbers.append(np.char.lstrip(ids, "c").astype(np.int64))
        stages.append(scored.stage[at_risk])
        forecasts.append(scored.p_dormant[at_risk])
    number = np.concatenate(numbers)
    order = np.argsort(number)
    seconds["score"] = perf_counter() - start
    return AtRisk(number[order], np.concatenate(stages)[order], np.concatenate(forecasts)[order])


def measure(rows: AtRisk, truth: Truth, config: Config) -> dict[str, Any]:
    """Figures of the model and of both truths, and how far the model is below them."""
    forecasts = {
        "model": rows.model,
        "histories": np.clip(truth.histories, *_SURE),
        "states": np.clip(truth.states, *_SURE),
    }
    everyone = np.arange(len(rows.number))
    judged = {
        name: judge(
            forecast,
            truth.lost.astype(np.int8),
            counts=draw_customers(everyone, draws=DRAWS, rng=np.random.default_rng(SEED)),
        )
        for name, forecast in forecasts.items()
    }

    def gap(better: str, worse: str) -> dict[str, float | None]:
        return estimate_json(judged[better].minus(judged[worse], "auc"))

    return {
        "customers_judged": len(rows.number),
        "lost_share": float(truth.lost.mean()),
        **{
            metric: {name: one.estimate(metric).value for name, one in judged.items()}
            for metric in ("auc", "log_loss", "calibration_slope")
        },
        "expected_auc": {n: expected_auc(truth.states, p) for n, p in forecasts.items()},
        "auc_gaps": {
            "histories_minus_model": gap("histories", "model"),
            "states_minus_model": gap("states", "model"),
            "states_minus_histories": gap("states", "histories"),
        },
        "bar_given_hidden_states": beyond_reach(judged),
        "by_stage": auc_by_stage(rows.stage, truth.lost, forecasts, config),
        "imagined_carrying_weight": dict(
            zip(
                ("q05", "q25", "q50"),
                np.quantile(truth.carried, (0.05, 0.25, 0.5)).tolist(),
                strict=True,
            )
        ),
    }


def beyond_reach(judged: dict[str, Judgement]) -> dict[str, Any]:
    """The same bar against hidden states, which even who knows the law cannot reach.

    A figure and not a bar: it would fail for every forecast made from histories.
    """
    observer = judged["states"].minus(judged["histories"], "auc").value
    return {
        "limit": CLOSE_ENOUGH,
        "model": judged["states"].minus(judged["model"], "auc").value,
        "who_knows_the_law": observer,
        "within_reach": observer <= CLOSE_ENOUGH,
    }


def auc_by_stage(
    stage: NDArray[np.int16], lost: NDArray[np.bool_], forecasts: dict[str, Floats], config: Config
) -> dict[str, Any]:
    """AUC within each stage on which some return and some do not."""
    found = {}
    for position, one in enumerate(config.stages):
        here = stage == position
        if 0 < np.count_nonzero(lost[here]) < np.count_nonzero(here):
            found[one.name] = {
                "customers": int(np.count_nonzero(here)),
                **{n: float(roc_auc_score(lost[here], p[here])) for n, p in forecasts.items()},
            }
    return found


def expected_auc(p_lost: Floats, forecast: Floats) -> float:
    """AUC expected over what may happen, by the probabilities given the hidden states."""
    n = len(p_lost)
    return float(
        roc_auc_score(
            np.repeat([1, 0], n),
            np.concatenate([forecast, forecast]),
            sample_weight=np.concatenate([p_lost, 1.0 - p_lost]),
        )
    )


if __name__ == "__main__":
    sys.exit(main())
