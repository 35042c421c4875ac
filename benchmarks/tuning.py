"""What tuning gains on real data: `python -m benchmarks.tuning --trials 20 --json`.

Fits both models of CDNOW and Online Retail II (configurations in examples/) with the present
settings and with the best ones a search finds, whether or not winback would use those, and
judges both on the test fold, which no trial has seen. Data: the folder WINBACK_DATA (default
../shared/data), see examples/*/README.md.
"""

import argparse
import shutil
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.real_data import DATASETS, EXAMPLES
from benchmarks.report import Bar, document, publish, raw_data
from features.warehouse import Warehouse
from models.bundle import KINDS, Kind
from models.ladder import FOREST
from pipelines.config import load_config
from pipelines.ingest import run_ingest
from pipelines.observation import plan_run
from pipelines.train import collect_material
from training.fit import TrainedModel, fit_model
from training.ladder import verdict_of
from training.material import Material
from training.metrics import Estimate
from training.plan import TrainingPlan
from training.tuning import tune
from training.tuning_report import tuned_plan, tuning_json

Float64Array = NDArray[np.float64]


def main() -> int:
    """Run the chosen data sets; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", choices=[*DATASETS, "all"], default="all")
    parser.add_argument("--trials", type=int, default=20, help="of each model")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    names = list(DATASETS) if arguments.dataset == "all" else [arguments.dataset]
    data = raw_data("tuning", names)
    if data is None:
        return 2
    figures: dict[str, dict[str, dict[str, Any]]] = {}
    for name in names:
        material, plan = collect(name, data / name)
        figures[name] = {
            kind: run_model(kind, material, plan, trials=arguments.trials) for kind in KINDS
        }
    report = document(
        "tuning",
        figures={"trials": arguments.trials, **figures},
        bars=[
            Bar(f"{name}: used settings proven worse out of time", worse(models), 0, "at most")
            for name, models in figures.items()
        ],
        packages=["lightgbm", "optuna"],
    )
    return publish(report, as_json=arguments.json)


def collect(name: str, data: Path) -> tuple[Material, TrainingPlan]:
    """Ingest one data set and collect what its models are fitted from."""
    now = datetime.now(tz=UTC)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(EXAMPLES / name / "winback.toml", folder)
        config = load_config(Path(folder))
        run_ingest(config, "events", [str(data / DATASETS[name][0])], now=now)
        warehouse = Warehouse.open(config.warehouse_path, n_buckets=config.storage.buckets)
        inputs = warehouse.versions()
        dates = plan_run(config, None, now=now, version=inputs["events"])
        material = collect_material(
            config,
            warehouse,
            inputs,
            folds=dates.folds,
            first_us=dates.first_us,
            end_us=dates.until_us,
        )
    return material, config.training


def run_model(kind: Kind, material: Material, plan: TrainingPlan, *, trials: int) -> dict[str, Any]:
    """Search, fit with either settings, and compare on the test fold."""
    start, cpu = perf_counter(), process_time()
    found = tune(kind, material, plan=plan, trials=trials)
    seconds, cpu_seconds = perf_counter() - start, process_time() - cpu
    best = tuned_plan(plan, [replace(found, used=found.best is not None)])
    present, tuned = (fit_model(kind, material, plan=one) for one in (plan, best))
    return {
        "tuning": {key: one for key, one in tuning_json(found).items() if key != "trials"},
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu_seconds, 1),
        "shipped": {"present": present.report.shipped, "best": tuned.report.shipped},
        "test": {
            "forest": compare(kind, material, (present, tuned), rung=FOREST),
            "shipped": compare(kind, material, (present, tuned), rung=None),
        },
    }


def compare(
    kind: Kind, material: Material, models: tuple[TrainedModel, TrainedModel], *, rung: str | None
) -> dict[str, Any]:
    """Log loss on the test fold with present and with best settings, and the paired difference.

    Every customer has one row there. `rung` None: the rung that serves.
    """
    rows = material.panel.fold(kind, "test", material.folds)
    losses: list[Float64Array] = []
    auc = []
    for model in models:
        name = rung or model.judged.shipped
        p = model.judged.probabilities(rows.values, rows.value)[name]
        losses.append(-np.log(np.where(rows.labels == 1, p, 1.0 - p)))
        judged = next(one for one in model.report.test.ladder if one.name == name)
        auc.append(judged.metrics["auc"].value)
    gap = losses[1] - losses[0]
    value, error = float(gap.mean()), float(gap.std() / np.sqrt(len(gap)))
    difference = Estimate(value, value - 1.96 * error, value + 1.96 * error)
    return {
        "auc": {"present": auc[0], "best": auc[1]},
        "log_loss": {"present": float(losses[0].mean()), "best": float(losses[1].mean())},
        "difference": {"value": value, "low": difference.low, "high": difference.high},
        "verdict": verdict_of(difference, lower_is_better=True),
    }


def worse(models: dict[str, dict[str, Any]]) -> int:
    """Models whose tuned settings are used and proven worse than the present ones."""
    return sum(
        one["tuning"]["used"] and one["test"]["shipped"]["verdict"] == "worse"
        for one in models.values()
    )


if __name__ == "__main__":
    sys.exit(main())
