"""Risk on CDNOW, large and small: `python -m benchmarks.cdnow --json`.

All 23,570 customers; label: an order within 13 weeks of the cutoff. Judged at day 455
(1998-04-01), learnt from cutoffs of weeks 26 to 52, whose windows end by then (METHODS.md
section 1, bars A1 and A2). The small shops are random customers of it; each ladder is
fitted on one shop and judged on everybody else. Data: the folder WINBACK_DATA (default
../shared/data).
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any
from zoneinfo import ZoneInfo

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Bar, document, publish, raw_data
from features.history import History
from features.history_reader import HistoryReader, learn_vocabulary
from features.history_sample import select_customers
from features.local_day import local_midnight_us
from features.spec import FeatureSpec
from features.warehouse import Warehouse
from models.bundle import stages_digest
from models.ladder import FOREST, STACK
from models.purchase_rung import PURCHASE_PROCESS
from pipelines.config import Config, load_config
from pipelines.ingest import run_ingest
from training.folds import Folds, folds_before
from training.ladder_fit import FittedLadder, fit_ladder
from training.level_fit import fit_processes
from training.levels import collect_levels, concat_levels, level_as_ofs
from training.material import Material
from training.metrics import draw_customers, judge
from training.panel import PanelCollector, PanelRows, build_panel
from training.plan import TrainingPlan

EXAMPLE = Path(__file__).parent.parent / "examples" / "cdnow"
START, TEST_DAY, HORIZON = date(1997, 1, 1), 455, 91
FIRST_CUTOFF_DAY = 26 * 7
SHOPS = {300: 0.302, 1000: 0.300}
"""Small shops' sizes and the log loss of the stack that A2 asks for."""

REPEATS = 5
METRICS = ("auc", "log_loss", "brier", "average_precision", "ece", "calibration_slope")


@dataclass(frozen=True, slots=True)
class Shop:
    """The whole data set in memory."""

    config: Config
    spec: FeatureSpec
    histories: tuple[History, ...]
    folds: Folds
    first_us: int


def main() -> int:
    """Run both bars; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=REPEATS, help="small shops of each size")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    data = raw_data("cdnow", ["cdnow/CDNOW_master.txt"])
    if data is None:
        return 2
    file = data / "cdnow/CDNOW_master.txt"
    with tempfile.TemporaryDirectory() as folder:
        shop = read_shop(file, Path(folder))
        start = perf_counter()
        large = judge_large(shop)
        large["seconds"] = round(perf_counter() - start, 1)
        small = {size: judge_small(shop, size, repeats=arguments.repeats) for size in SHOPS}
    bars = [
        Bar("A1: AUC of the rung that serves", large["shipped_auc"], 0.840, "at least"),
        Bar("A1: log loss of the rung that serves", large["shipped_log_loss"], 0.2970, "at most"),
        Bar("A1: seconds", large["seconds"], 120, "at most"),
    ]
    for size, limit in SHOPS.items():
        figures = small[size]
        bars += [
            Bar(
                f"A2, {size} customers: AUC of the stack", figures[STACK]["auc"], 0.837, "at least"
            ),
            Bar(f"A2, {size} customers: log loss", figures[STACK]["log_loss"], limit, "at most"),
            Bar(
                f"A2, {size} customers: AUC below the better of MBG/NBD and LightGBM",
                max(figures[PURCHASE_PROCESS]["auc"], figures[FOREST]["auc"])
                - figures[STACK]["auc"],
                0.001,
                "at most",
            ),
        ]
    report = document(
        "cdnow",
        figures={"large": large, "small": {str(size): figures for size, figures in small.items()}},
        bars=bars,
        packages=["lightgbm", "scipy", "scikit-learn"],
    )
    return publish(report, as_json=arguments.json)


def read_shop(file: Path, folder: Path) -> Shop:
    """Ingest the raw file; everybody counts as at risk, whatever their silence."""
    text = (
        (EXAMPLE / "winback.toml").read_text().replace("silence_days = 120", "silence_days = 3650")
    )
    (folder / "winback.toml").write_text(text)
    config = load_config(folder)
    run_ingest(config, "events", [str(file)], now=datetime.now(tz=UTC))
    timezone = ZoneInfo(config.business.timezone)

    def day(number: int) -> date:
        return START + timedelta(days=number)

    def midnight(number: int) -> int:
        return local_midnight_us(day(number), timezone)

    folds = folds_before(
        day(TEST_DAY),
        first_us=midnight(FIRST_CUTOFF_DAY - HORIZON),
        observed_until_us=midnight(TEST_DAY + HORIZON),
        trained_until_us=midnight(TEST_DAY + HORIZON),
        timezone=timezone,
        windows=(0.0, HORIZON),
        step_days=14,
        most=(60, 3),
    )
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=config.storage.buckets)
    spec = learn_vocabulary(
        warehouse, config.feature_spec(), folds.test_us, versions=warehouse.versions()
    )
    reader = HistoryReader(warehouse, spec=spec, versions=warehouse.versions())
    histories = tuple(reader.read(bucket) for bucket in range(warehouse.n_buckets))
    return Shop(config, spec, histories, folds, midnight(0))


def material_of(shop: Shop, histories: Sequence[History]) -> Material:
    """Everything a ladder is fitted from, of the customers in these histories."""
    stages, folds = shop.config.stages, shop.folds
    as_ofs = level_as_ofs(
        folds,
        stages,
        span_us=(shop.first_us, folds.test_us),
        timezone=ZoneInfo(shop.config.business.timezone),
    )
    collector, levels = PanelCollector(10**9), []
    for bucket, history in enumerate(histories):
        collector.add(bucket, build_panel(history, spec=shop.spec, stages=stages, folds=folds))
        levels.append(
            collect_levels(
                history, spec=shop.spec, stages=stages, folds=folds, as_ofs=as_ofs, at_most=10_000
            )
        )
    rows = concat_levels(levels)
    return Material(
        panel=collector.collect(),
        folds=folds,
        levels=rows,
        processes=fit_processes(rows),
        spec=shop.spec,
        stages_digest=stages_digest(stages),
    )


def judge_large(shop: Shop) -> dict[str, Any]:
    """A1: everybody, with intervals from resampling customers."""
    material = material_of(shop, shop.histories)
    fitted = fit_ladder("dormancy_risk", material, plan=TrainingPlan())
    test = material.panel.fold("dormancy_risk", "test", material.folds)
    counts = draw_customers(np.arange(len(test.labels)), draws=200, rng=np.random.default_rng(455))
    judged = {
        name: judge(p, test.labels, counts=counts)
        for name, p in fitted.ladder.probabilities(test.values, test.value).items()
    }
    shipped = judged[fitted.ladder.shipped]
    return {
        "customers": len(test.labels),
        "base_rate": float(1 - test.labels.mean()),
        "training_rows": len(material.panel.rows["dormancy_risk"].labels) - len(test.labels),
        "cutoffs": {
            fold: [cutoff.day.isoformat() for cutoff in material.folds.of(fold)]
            for fold in ("training", "between", "validation", "test")
        },
        "rounds": fitted.ladder.forest.rounds,
        "weights": fitted.ladder.weights,
        "level": fitted.level.value,
        "shipped": fitted.ladder.shipped,
        "shipped_auc": shipped.estimate("auc").value,
        "shipped_log_loss": shipped.estimate("log_loss").value,
        "ladder": {
            name: {metric: [(e := one.estimate(metric)).value, e.low, e.high] for metric in METRICS}
            for name, one in judged.items()
        },
        "shipped_minus": {
            name: {
                metric: [(e := shipped.minus(one, metric)).value, e.low, e.high]
                for metric in ("auc", "log_loss")
            }
            for name, one in judged.items()
            if name != fitted.ladder.shipped
        },
    }


def judge_small(shop: Shop, size: int, *, repeats: int) -> dict[str, Any]:
    """A2: the mean over random small shops of every rung's figures on all other customers."""
    everyone = [build_panel_test(shop, history) for history in shop.histories]
    seen = np.concatenate([part.customer for part in everyone])
    found: dict[str, list[list[float]]] = {}
    shipped: list[str] = []
    plan = replace(TrainingPlan(), bootstrap_draws=50)
    for repeat in range(repeats):
        rng = np.random.default_rng([size, repeat])
        chosen = rng.choice(sum(history.n_customers for history in shop.histories), size, False)
        material = material_of(shop, _subset(shop.histories, np.sort(chosen)))
        fitted = fit_ladder("dormancy_risk", material, plan=plan)
        shipped.append(fitted.ladder.shipped)
        inside = np.isin(seen, material.panel.rows["dormancy_risk"].customer)
        _judge_outside(fitted, everyone, ~inside, found)
    means = {name: np.mean(figures, axis=0) for name, figures in found.items()}
    spread = {name: np.std(figures, axis=0) / repeats**0.5 for name, figures in found.items()}
    return {
        **{
            name: {
                "auc": float(mean[0]),
                "log_loss": float(mean[1]),
                "auc_standard_error": float(spread[name][0]),
                "log_loss_standard_error": float(spread[name][1]),
            }
            for name, mean in means.items()
        },
        "shipped": shipped,
    }


def build_panel_test(shop: Shop, history: History) -> PanelRows:
    """One bucket's rows at the test cutoff."""
    panel = build_panel(history, spec=shop.spec, stages=shop.config.stages, folds=shop.folds)
    return panel.fold("dormancy_risk", "test", shop.folds)


def _subset(histories: Sequence[History], chosen: NDArray[np.int64]) -> list[History]:
    """The histories of customers numbered through all buckets."""
    starts = np.cumsum([0, *(history.n_customers for history in histories)])
    return [
        select_customers(history, chosen[(chosen >= low) & (chosen < high)] - low)
        for history, low, high in zip(histories, starts[:-1], starts[1:], strict=True)
    ]


def _judge_outside(
    fitted: FittedLadder,
    everyone: Sequence[PanelRows],
    outside: NDArray[np.bool_],
    found: dict[str, list[list[float]]],
) -> None:
    labels = np.concatenate([part.labels for part in everyone])[outside]
    parts = [fitted.ladder.probabilities(part.values, part.value) for part in everyone]
    none = np.zeros((0, len(labels)), dtype=np.uint8)
    for name in parts[0]:
        p = np.concatenate([part[name] for part in parts])[outside]
        judged = judge(p, labels, counts=none)
        figures = [judged.estimate(metric).value for metric in ("auc", "log_loss")]
        found.setdefault(name, []).append(figures)


if __name__ == "__main__":
    sys.exit(main())
