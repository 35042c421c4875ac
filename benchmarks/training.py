"""Training end to end on a million customers: warehouse to judged, registered models.

The synthetic shop is written first and is not timed. A process of its own then runs what
`winback train` runs, so that its peak memory is that of training alone.

Example: python -m benchmarks.training --customers 1000000 --cutoffs 6 --json
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from benchmarks.features import peak_bytes
from benchmarks.report import Bar, document, publish
from benchmarks.training_data import DAYS, FIRST_DAY, fill_warehouse
from features.warehouse import Warehouse
from pipelines.config import load_config
from pipelines.init import write_config
from pipelines.train import run_train

CUSTOMERS_PER_BUCKET = 20_000
MOST_SECONDS = 300
LEAST_ROWS = 500_000
MOST_GB = 12
PACKAGES = ("numba", "numpy", "lightgbm", "pyarrow", "mlflow")


def main() -> int:
    """Parse the command line, measure, print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--cutoffs", type=int, default=6, help="training cutoffs")
    parser.add_argument("--max-rows", type=int, default=700_000, help="training.max_rows")
    parser.add_argument("--folder", type=Path, help="keep the generated warehouse here")
    parser.add_argument("--json", action="store_true", help="print the JSON document")
    parser.add_argument("--only-train", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only_train:
        print(json.dumps(train(options.folder)))
        return 0
    if options.folder:
        return run(options, options.folder)
    with tempfile.TemporaryDirectory(prefix="winback-benchmark-") as folder:
        return run(options, Path(folder))


def run(options: argparse.Namespace, folder: Path) -> int:
    """Generate what is missing, train in a process of its own and publish."""
    generated = generate(options, folder)
    command = [sys.executable, "-m", "benchmarks.training", "--only-train"]
    process = subprocess.run(
        [*command, "--folder", str(folder)], stdout=subprocess.PIPE, text=True, check=True
    )
    figures = {"customers": options.customers, **generated, **json.loads(process.stdout)}
    report = document(
        "training",
        figures=figures,
        bars=[
            Bar(
                "seconds of training, features included", figures["seconds"], MOST_SECONDS, "below"
            ),
            Bar("rows of the sampled panel", figures["panel_rows"], LEAST_ROWS, "at least"),
            Bar("peak memory of training, GB", figures["peak_gb"], MOST_GB, "at most"),
        ],
        packages=PACKAGES,
    )
    return publish(report, as_json=options.json)


def generate(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Write the configuration, and the warehouse unless it is there already."""
    buckets = -(-options.customers // CUSTOMERS_PER_BUCKET)
    file = write_config("retail", folder, force=True)
    before, mark, training = file.read_text().partition("[training]")
    training, effects, after = training.partition("[effects]")
    settings = {"max_cutoffs": options.cutoffs, "max_rows": options.max_rows}
    for name, value in settings.items():
        training = _set(training, name, value)
    file.write_text(_set(before, "buckets", buckets) + mark + training + effects + after)
    config = load_config(folder)
    start = perf_counter()
    fresh = not Warehouse.exists(config.warehouse_path)
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=buckets, create=True)
    if fresh:
        fill_warehouse(warehouse, customers=options.customers, seed=1)
    rows = {name: warehouse.table_stats(name).rows for name in ("events", "contacts", "customers")}
    return {"rows": rows, "generation_seconds": perf_counter() - start if fresh else None}


def _set(text: str, name: str, value: int) -> str:
    """A part of a configuration with one number changed."""
    changed, found = re.subn(rf"(?m)^{name} = \d+", f"{name} = {value}", text)
    if found != 1:
        raise ValueError(f"{found} lines set {name}, not one")
    return changed


def train(folder: Path) -> dict[str, Any]:
    """Run the training once and take its time, by what it was doing."""
    config = load_config(folder)
    end = last_day()
    now = datetime.combine(end, datetime.min.time(), tzinfo=UTC)
    spent: dict[str, list[float]] = {}
    since, task_now = (perf_counter(), process_time()), "planning"
    start = since

    def progress(task: str, _done: int, _total: int) -> None:
        nonlocal since, task_now
        moment = perf_counter(), process_time()
        known = spent.setdefault(task_now, [0.0, 0.0])
        known[0] += moment[0] - since[0]
        known[1] += moment[1] - since[1]
        since, task_now = moment, task

    report = run_train(config, as_of=end, now=now, progress=progress)
    progress("", 0, 1)
    plain = report.to_json()
    return {
        "seconds": since[0] - start[0],
        "processor_seconds": since[1] - start[1],
        "by_task": {
            task: {"seconds": round(wall, 1), "processor_seconds": round(cpu, 1)}
            for task, (wall, cpu) in spent.items()
        },
        "peak_gb": peak_bytes() / 1e9,
        "sampled_share": plain["sampled_share"],
        "panel_rows": sum(fold["rows"] for model in plain["models"] for fold in model["folds"]),
        "models": [summary(model) for model in plain["models"]],
    }


def last_day() -> date:
    """The local date at whose midnight the events end."""
    return date.fromordinal(FIRST_DAY.date().toordinal() + DAYS)


def summary(model: dict[str, Any]) -> dict[str, Any]:
    """What a reader needs to see that the models learnt something."""
    return {
        "kind": model["kind"],
        "folds": [
            {"fold": fold["fold"], "rows": fold["rows"], "positives": fold["positives"]}
            for fold in model["folds"]
        ],
    }


if __name__ == "__main__":
    sys.exit(main())
