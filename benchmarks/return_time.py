"""Return times beside Kaplan-Meier, rolling over time: `python -m benchmarks.return_time --json`.

Rolls over origins of CDNOW and Online Retail II: at each, the model and the Kaplan-Meier
curves learn from what was known before it and forecast the days until each customer's next
order; both are judged by the integrated Brier score over the days after it (METHODS.md
section 1, A7). Data: the folder WINBACK_DATA (default ../shared/data), see
examples/*/README.md.
"""

import argparse
import shutil
import sys
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any
from zoneinfo import ZoneInfo

from benchmarks.report import Bar, document, publish, raw_data
from features.history_reader import HistoryReader, learn_vocabulary
from features.local_day import local_midnight_us
from features.spec import FeatureSpec
from features.warehouse import Warehouse
from pipelines.config import Config, load_config
from pipelines.ingest import run_ingest
from pipelines.observation import known_events
from training.folds import Folds, folds_before
from training.panel import Panel, PanelCollector, build_panel
from training.return_time import Skipped, train_return_time
from training.return_time_judge import ReturnTimeReport

EXAMPLES = Path(__file__).parent.parent / "examples"
DRAWS = 1000


@dataclass(frozen=True, slots=True)
class DataSet:
    """A file and how it is rolled over.

    Attributes
    ----------
    file : its name in the data folder.
    last_origin : the latest origin, a label window before the last complete day.
    step_days, origins : distance and number of origins.
    """

    file: str
    last_origin: date
    step_days: int
    origins: int


DATASETS = {
    # CDNOW's 18 months hold four label windows once: its origins are 30 days apart.
    "cdnow": DataSet("CDNOW_master.txt", date(1998, 3, 31), 30, 4),
    "online_retail_II": DataSet("online_retail_II.parquet", date(2011, 9, 8), 92, 4),
}


def main() -> int:
    """Run the chosen data sets; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", choices=[*DATASETS, "all"], default="all")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    names = list(DATASETS) if arguments.dataset == "all" else [arguments.dataset]
    data = raw_data("return_time", names)
    if data is None:
        return 2
    figures = {name: run_dataset(name, data / name) for name in names}
    report = document(
        "return_time", figures=figures, bars=_bars(figures), packages=["lightgbm", "numpy"]
    )
    return publish(report, as_json=arguments.json)


def run_dataset(name: str, data: Path) -> dict[str, Any]:
    """Ingest one data set in a folder of its own and roll over its origins."""
    plan = DATASETS[name]
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(EXAMPLES / name / "winback.toml", folder)
        config = load_config(Path(folder))
        run_ingest(config, "events", [str(data / plan.file)], now=datetime.now(tz=UTC))
        return {
            "origins": [
                _run_origin(config, plan.last_origin - timedelta(days=plan.step_days * back))
                for back in reversed(range(plan.origins))
            ]
        }


def _run_origin(config: Config, origin: date) -> dict[str, Any]:
    """Train on what was known at the origin, judge on the label window after it."""
    start = perf_counter()
    spec, folds, panel = _panel(config, origin)
    built = perf_counter()
    plan = replace(config.training, bootstrap_draws=DRAWS)
    trained = train_return_time(panel, folds, spec=spec, plan=plan)
    if isinstance(trained, Skipped):
        raise SystemExit(f"benchmarks.return_time: no model at {origin}: {trained.reason}")
    return {
        "origin": origin.isoformat(),
        "cutoffs": {
            name: [day.isoformat() for day in _days(folds, name)]
            for name in ("training", "between", "validation")
        },
        **_figures(trained.report),
        "seconds": {
            "rows": round(built - start, 2),
            "fit and judge": round(perf_counter() - built, 2),
        },
    }


def _panel(config: Config, origin: date) -> tuple[FeatureSpec, Folds, Panel]:
    """What `winback train` would learn from on the day the origin's label window ends."""
    timezone, plan = ZoneInfo(config.business.timezone), config.training
    windows = (config.windows.gap_days, config.windows.horizon_days)
    end = origin + timedelta(days=round(sum(windows)))
    end_us = local_midnight_us(end, timezone)
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=config.storage.buckets)
    inputs = warehouse.versions()
    span = known_events(config, until=end, until_us=end_us, version=inputs["events"]).span_us
    folds = folds_before(
        origin,
        first_us=span[0],
        observed_until_us=end_us,
        trained_until_us=end_us,
        timezone=timezone,
        windows=windows,
        step_days=plan.step_days,
        most=(plan.max_cutoffs, plan.validation_cutoffs),
    )
    spec = learn_vocabulary(warehouse, config.feature_spec(), folds.test_us, versions=inputs)
    reader = HistoryReader(warehouse, spec=spec, versions=inputs)
    collector = PanelCollector(plan.max_rows)
    for bucket in range(warehouse.n_buckets):
        history = reader.read(bucket)
        panel = build_panel(history, spec=spec, stages=config.stages, folds=folds)
        collector.add(bucket, panel)
    return spec, folds, collector.collect()


def _days(folds: Folds, name: str) -> list[date]:
    return [cutoff.day for cutoff in folds.cutoffs if cutoff.fold == name]


def _figures(report: ReturnTimeReport) -> dict[str, Any]:
    figures = report.to_json()
    curves = ("days", "model_brier", "baseline_brier", "kind", "importance")
    return {key: value for key, value in figures.items() if key not in curves}


def _bars(figures: dict[str, Any]) -> list[Bar]:
    """A7: the difference to Kaplan-Meier is below 0 with its interval, out of time."""
    bars = []
    for name, dataset in figures.items():
        overall = [origin["comparisons"][0] for origin in dataset["origins"]]
        better = sum(one["verdict"] == "better" for one in overall)
        worse = sum(one["verdict"] == "worse" for one in overall)
        bars.append(Bar(f"{name}: origins proven better", better, 3, "at least"))
        bars.append(Bar(f"{name}: origins proven worse", worse, 0, "at most"))
    return bars


if __name__ == "__main__":
    sys.exit(main())
