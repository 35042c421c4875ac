"""Both models on real data: `python -m benchmarks.real_data --json`.

Runs ingest, train and nightly on Online Retail II and CDNOW from their raw files with the
configurations in examples/, and reports the out-of-time figures of both models beside the
baselines. Data: the folder WINBACK_DATA (default ../shared/data), see examples/*/README.md.
"""

import argparse
import shutil
import sys
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.report import Bar, document, publish, raw_data
from pipelines.config import load_config
from pipelines.ingest import run_ingest
from pipelines.nightly import run_nightly
from pipelines.train import run_train

EXAMPLES = Path(__file__).parent.parent / "examples"
DATASETS = {
    "online_retail_II": ("online_retail_II.parquet", date(2011, 9, 1)),
    "cdnow": ("CDNOW_master.txt", date(1998, 7, 1)),
}
METRICS = (
    "auc",
    "log_loss",
    "brier",
    "ece",
    "calibration_slope",
    "calibration_intercept",
    "lift_top_10pct",
)


def main() -> int:
    """Run the chosen data sets; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", choices=[*DATASETS, "all"], default="all")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    names = list(DATASETS) if arguments.dataset == "all" else [arguments.dataset]
    data = raw_data("real_data", names)
    if data is None:
        return 2
    figures = {name: run_dataset(name, data / name) for name in names}
    report = document(
        "real_data", figures=figures, bars=_bars(figures), packages=["lightgbm", "scikit-learn"]
    )
    return publish(report, as_json=arguments.json)


def run_dataset(name: str, data: Path) -> dict[str, Any]:
    """Ingest, train and score one data set in a folder of its own; returns its figures."""
    file, as_of = DATASETS[name]
    now = datetime.now(tz=UTC)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(EXAMPLES / name / "winback.toml", folder)
        config = load_config(Path(folder))
        start = perf_counter()
        ingestion = run_ingest(config, "events", [str(data / file)], now=now)
        ingested = perf_counter()
        training = run_train(config, now=now).to_json()
        trained = perf_counter()
        night = run_nightly(config, as_of=as_of, now=now).to_json()
        listed = perf_counter()
    return {
        "ingestion": ingestion.to_json(),
        "trained_as_of": training["as_of"],
        "models": {model["kind"]: _model_figures(model) for model in training["models"]},
        "list": {"as_of": str(as_of), "rows": night["listed"]},
        "seconds": {
            "ingest": round(ingested - start, 2),
            "train": round(trained - ingested, 2),
            "nightly": round(listed - trained, 2),
        },
    }


def _model_figures(model: dict[str, Any]) -> dict[str, Any]:
    test = next(fold for fold in model["folds"] if fold["fold"] == "test")
    return {
        "cutoffs": test["days"],
        "rows": test["rows"],
        "positives": test["positives"],
        "calibration": model["calibration"],
        "shipped": model["shipped"],
        "stack_weights": model["stack_weights"],
        "level": model["level"],
        "verdicts": model["verdicts"],
        "ladder": {
            rung["name"]: {metric: rung["metrics"][metric] for metric in METRICS}
            for rung in test["ladder"]
        },
    }


def _bars(figures: dict[str, Any]) -> list[Bar]:
    bars = []
    for name, dataset in figures.items():
        bars.append(Bar(f"{name}: rows on the list", dataset["list"]["rows"], 1, "at least"))
        worse = [
            verdict
            for model in dataset["models"].values()
            for verdict in model["verdicts"]
            if ": worse than" in verdict
        ]
        bars.append(Bar(f"{name}: baselines proven better than a model", len(worse), 0, "at most"))
    return bars


if __name__ == "__main__":
    sys.exit(main())
