"""What early warnings were worth on real data: `python -m benchmarks.early_warning --json`.

Warns on Online Retail II (configuration: examples/online_retail_II) at as-ofs 28 days apart
and looks at what came: the share of the warned who did not order in the next 90 days, beside
that of customers of high frequency who were not warned of. All as-ofs are pooled; intervals
resample customers with all their rows. Data: the folder WINBACK_DATA (default
../shared/data).
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import BOOTSTRAP_DRAWS, Bar, document, publish, raw_data
from features.coupon_history import NO_OFFERS_KNOWN
from features.history import History
from features.history_reader import HistoryReader
from features.kernels.feature import DAY_US
from features.local_day import local_midnight_us
from features.matrix import build_matrix
from features.stage_state import stage_states
from features.value_tier import tier_codes, tier_cuts
from features.warehouse import Warehouse
from models.order_value import kept_share
from pipelines.config import Config, load_config
from pipelines.ingest import run_ingest
from scoring.customer_past import CustomerPast, join_past, read_past
from scoring.early_warning import find_slides
from scoring.early_warning_table import REASONS
from scoring.promotion import promotion_by_history
from scoring.segments import UNKNOWN, Segments, life_cycles

EXAMPLE = Path(__file__).parent.parent / "examples" / "online_retail_II"
FIRST, LAST, STEP_DAYS, AHEAD_DAYS = date(2011, 1, 1), date(2011, 9, 10), 28, 90

BoolArray = NDArray[np.bool_]
Float64Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Watched:
    """Awake customers at one as-of, and what came; arrays of shape (n,) unless told.

    Attributes
    ----------
    customer : number over all buckets.
    holds : shape (3, n), reasons to warn.
    frequent : of high frequency then or now.
    silent : no order in the days ahead.
    """

    customer: NDArray[np.int64]
    holds: BoolArray
    frequent: BoolArray
    silent: BoolArray


@dataclass(frozen=True, slots=True)
class _Bucket:
    """One bucket at one as-of."""

    customer: NDArray[np.int64]
    stage: NDArray[np.int16]
    silence_days: Float64Array
    dormant: BoolArray
    spend: Float64Array
    orders: Float64Array
    ahead: Float64Array
    past: CustomerPast


def main() -> int:
    """Warn and look back; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    data = raw_data("early_warning", ["online_retail_II/online_retail_II.parquet"])
    if data is None:
        return 2
    file = data / "online_retail_II/online_retail_II.parquet"
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(EXAMPLE / "winback.toml", folder)
        config = load_config(Path(folder))
        run_ingest(config, "events", [str(file)], now=datetime.now(tz=UTC))
        days = [FIRST + timedelta(days=n) for n in range(0, (LAST - FIRST).days + 1, STEP_DAYS)]
        figures = judge(watch(config, days))
    low = figures["warned_minus_frequent"]["low"]
    bars = [Bar("warned fall silent more often than the frequent: low end", low, 0.0, "at least")]
    report = document("early_warning", figures=figures, bars=bars, packages=["numpy", "scipy"])
    return publish(report, as_json=arguments.json)


def watch(config: Config, days: Sequence[date]) -> list[Watched]:
    """Warn at every as-of, and see who orders in the days ahead."""
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=config.storage.buckets)
    reader = HistoryReader(warehouse, spec=config.feature_spec())
    histories = [reader.read(bucket) for bucket in range(warehouse.n_buckets)]
    return [_watch_at(config, reader, histories, day) for day in days]


def _watch_at(
    config: Config, reader: HistoryReader, histories: Sequence[History], day: date
) -> Watched:
    as_of = local_midnight_us(day, ZoneInfo(config.business.timezone))
    parts = []
    starts = np.cumsum([0, *(history.n_customers for history in histories)])
    for first, history in zip(starts, histories, strict=False):
        parts.append(_bucket_at(config, reader, history, as_of=as_of, first=int(first)))

    def joined(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts])

    past = join_past([part.past for part in parts])
    stage, spend, orders = joined("stage"), joined("spend"), joined("orders")
    cuts = tier_cuts(spend, orders, quantile=config.list.tier_quantile)
    then = tier_codes(past.pace.spend_then, past.pace.orders_then, cuts)
    then[~past.pace.known_then] = UNKNOWN
    now = tier_codes(spend, orders, cuts)
    segments = Segments(
        life_cycle=life_cycles(
            stage, silence_days=joined("silence_days"), past=past, stages=config.stages
        ),
        value_tier=now,
        tier_then=then,
        promotion=promotion_by_history(past.coupons),
    )
    awake = ~joined("dormant") & past.pace.known_then
    holds = find_slides(past, segments, awake).holds
    frequent = (then % 2 == 1) | (now % 2 == 1)
    rows = np.flatnonzero(awake)
    silent = joined("ahead") == 0.0
    return Watched(joined("customer")[rows], holds[:, rows], frequent[rows], silent[rows])


def _bucket_at(
    config: Config, reader: HistoryReader, history: History, *, as_of: int, first: int
) -> _Bucket:
    spec, ahead_us = reader.spec, as_of + AHEAD_DAYS * DAY_US
    states = stage_states(history, config.stages, spec=spec, as_ofs=[as_of])
    now = build_matrix(history, spec=spec, as_ofs=[as_of])
    later = build_matrix(history, spec=spec, as_ofs=[ahead_us])
    ahead = np.zeros(history.n_customers)
    ahead[later.customer] = later.column("orders_90d")

    def column(name: str) -> Float64Array:
        return now.column(name).astype(np.float64)

    return _Bucket(
        customer=first + states.customer.astype(np.int64),
        stage=states.stage,
        silence_days=states.silence_days,
        dormant=states.dormant,
        spend=column("spend_365d") * kept_share(column("refund_share_365d")),
        orders=column("orders_365d"),
        ahead=ahead[states.customer],
        past=read_past(history, config.stages, spec=spec, states=states, window=NO_OFFERS_KNOWN),
    )


def judge(watched: Sequence[Watched]) -> dict[str, Any]:
    """Shares who fell silent, and how much more often the warned did than the frequent."""
    customer = np.concatenate([one.customer for one in watched])
    holds = np.concatenate([one.holds for one in watched], axis=1)
    silent = np.concatenate([one.silent for one in watched])
    warned = np.asarray(holds.any(axis=0))
    others = np.concatenate([one.frequent for one in watched]) & ~warned
    low, high = _interval(customer, silent, (warned, others))
    return {
        "as_ofs": len(watched),
        "awake_rows": len(silent),
        "silent_share": {
            "all awake": _share(silent),
            "frequent, not warned": _share(silent[others]),
            "warned": _share(silent[warned]),
            **{name: _share(silent[mine]) for name, mine in zip(REASONS, holds, strict=True)},
        },
        "rows": {
            "frequent, not warned": int(others.sum()),
            "warned": int(warned.sum()),
            **{name: int(mine.sum()) for name, mine in zip(REASONS, holds, strict=True)},
        },
        "warned_minus_frequent": {
            "value": round(float(silent[warned].mean() - silent[others].mean()), 4),
            "low": low,
            "high": high,
        },
    }


def _share(values: BoolArray) -> float | None:
    return round(float(values.mean()), 4) if len(values) else None


def _interval(
    customer: NDArray[np.int64], silent: BoolArray, groups: tuple[BoolArray, BoolArray]
) -> tuple[float, float]:
    """95 % customer-bootstrap interval of the difference of two groups' shares."""
    _, who = np.unique(customer, return_inverse=True)
    size = int(who.max()) + 1
    totals = [np.bincount(who, weights=group, minlength=size) for group in groups]
    ended = [np.bincount(who, weights=group & silent, minlength=size) for group in groups]
    rng = np.random.default_rng(1)
    drawn = np.empty(BOOTSTRAP_DRAWS)
    for draw in range(BOOTSTRAP_DRAWS):
        weight = np.bincount(rng.integers(0, size, size), minlength=size)
        warned, others = (
            float((e * weight).sum()) / max(float((t * weight).sum()), 1.0)
            for e, t in zip(ended, totals, strict=True)
        )
        drawn[draw] = warned - others
    low, high = np.quantile(drawn, (0.025, 0.975))
    return round(float(low), 4), round(float(high), 4)


if __name__ == "__main__":
    sys.exit(main())
