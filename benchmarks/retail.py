"""Rolling origins on real data: `python -m benchmarks.retail --json`.

Backtests both models on Online Retail II (configuration: examples/online_retail_II) at
rolling origins, 28 days apart, for label windows of 30 and of 90 days: every origin trains
on what was known there and is judged on what came. All origins' forecasts are pooled;
intervals resample customers with all their rows. Data: the folder WINBACK_DATA (default
../shared/data).
"""

import argparse
import os
import shutil
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from benchmarks.report import Bar, document, publish, raw_data
from models.baselines import RECENCY_RULE, RFM_LOGISTIC, RFM_SCORE
from models.purchase_rung import PURCHASE_PROCESS
from pipelines.backtest import run_backtest
from pipelines.backtest_origins import BacktestPlan
from pipelines.config import Config, load_config
from pipelines.ingest import run_ingest
from training.backtest import CURRENT

EXAMPLE = Path(__file__).parent.parent / "examples" / "online_retail_II"
HORIZONS = (30, 90)
BASELINES = (RECENCY_RULE, RFM_SCORE, RFM_LOGISTIC, PURCHASE_PROCESS)
END = date(2011, 12, 10)
"""The day after the data end: all of them are known, and judged."""

METRICS = (
    "auc",
    "average_precision",
    "log_loss",
    "brier",
    "ece",
    "calibration_slope",
    "calibration_intercept",
    "lift_top_10pct",
)


def main() -> int:
    """Run both horizons; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--origins", type=int, default=6, help="rolling origins (default 6)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    data = raw_data("retail", ["online_retail_II/online_retail_II.parquet"])
    if data is None:
        return 2
    file = data / "online_retail_II/online_retail_II.parquet"
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(EXAMPLE / "winback.toml", folder)
        config = load_config(Path(folder))
        run_ingest(config, "events", [str(file)], now=datetime.now(tz=UTC))
        figures = {
            f"{horizon}_days": backtest(config, horizon, origins=arguments.origins)
            for horizon in HORIZONS
        }
    report = document(
        "retail",
        figures=figures,
        bars=[bar for name, one in figures.items() for bar in bars_of(name, one)],
        packages=["lightgbm", "scipy", "scikit-learn"],
    )
    return publish(report, as_json=arguments.json)


def backtest(config: Config, horizon: int, *, origins: int) -> dict[str, Any]:
    """One horizon's backtest in figures."""
    start = perf_counter()
    report = run_backtest(
        replace(config, training=replace(config.training, as_of=None)),
        BacktestPlan(origins=origins, horizon_days=float(horizon)),
        as_of=END,
        track=False,
        now=datetime.now(tz=UTC),
    ).to_json()
    return {
        "origins": [origin["day"] for origin in report["origins"]],
        "seconds": round(perf_counter() - start, 1),
        "models": {model["kind"]: _model_figures(model) for model in report["models"]},
    }


def _model_figures(model: dict[str, Any]) -> dict[str, Any]:
    pooled = model["pooled"]
    differences = {
        baseline: {
            one["metric"]: one["estimate"]
            for one in pooled["differences"]
            if one["baseline"] == baseline and one["metric"] in {"auc", "log_loss"}
        }
        for baseline in dict.fromkeys(one["baseline"] for one in pooled["differences"])
    }
    return {
        "forecasts": pooled["rows"],
        "customers": pooled["customers"],
        "positives": pooled["positives"],
        "shipped": model["shipped"],
        "levels": [round(level, 3) for level in model["levels"]],
        "ladder": {
            rung["name"]: {metric: rung["metrics"][metric] for metric in METRICS}
            for rung in pooled["ladder"]
        },
        "shipped_minus": differences,
        "by_origin": {
            one["name"]: {
                metric: rung["metrics"][metric]["value"]
                for rung in one["ladder"]
                if rung["name"] == CURRENT
                for metric in ("auc", "log_loss", "ece", "calibration_slope")
            }
            for one in model["origins"]
        },
    }


def bars_of(name: str, one: dict[str, Any]) -> list[Bar]:
    """The issue's limits: the interval's end nearest to no difference, and calibration."""
    bars = [Bar(f"{name}: rolling origins", len(one["origins"]), 6, "at least")]
    for kind, model in one["models"].items():
        place = f"{name}, {kind}"
        least_auc = min(model["shipped_minus"][b]["auc"]["low"] for b in BASELINES)
        most_loss = max(model["shipped_minus"][b]["log_loss"]["high"] for b in BASELINES)
        shipped = model["ladder"][CURRENT]
        slope = shipped["calibration_slope"]["value"]
        bars += [
            Bar(f"{place}: any baseline minus AUC, high end", -least_auc, 0.0, "below"),
            Bar(f"{place}: log loss minus any baseline, high end", most_loss, 0.0, "below"),
            Bar(f"{place}: ECE", shipped["ece"]["value"], 0.02, "at most"),
            Bar(f"{place}: calibration slope", slope, 0.9, "at least"),
            Bar(f"{place}: calibration slope, upper limit", slope, 1.1, "at most"),
        ]
    return bars


if __name__ == "__main__":
    sys.exit(main())
