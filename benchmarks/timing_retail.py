"""S4: do customers of Online Retail II order in the block of hours predicted for them?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.active_hours import CustomerZones, count_active_hours
from features.history import History
from features.history_reader import history_from_tables
from features.kernels.feature import DAY_US
from features.kernels.hours import HOURS
from features.local_day import local_midnight_us
from features.spec import FeatureSpec
from models.timing_profile import fit_timing_profile, hour_profiles

Int64Array = NDArray[np.int64]

ZONE = "Europe/London"
SPEC = FeatureSpec(event_types=("purchase",), activity=("purchase",), orders=("purchase",))
BLOCK_HOURS = 3
DRAWS = 2000


@dataclass(frozen=True, slots=True)
class Hits:
    """Whether each customer's next order fell into the block: predicted, and everybody's."""

    own: NDArray[np.bool_]
    everyone: NDArray[np.bool_]
    block: Int64Array


def read_orders(file: Path) -> History:
    """Every invoice line with a customer that is not a cancellation, as one bucket."""
    table = pq.read_table(file, columns=["Invoice", "InvoiceDate", "Price", "CustomerID"])
    invoice = table["Invoice"].cast(pa.string()).to_pylist()
    known = table["CustomerID"].is_valid().to_pylist()
    kept = [
        owner and not text.startswith(("C", "A"))
        for owner, text in zip(known, invoice, strict=True)
    ]
    table = table.filter(pa.array(kept))
    # The file tells London's wall clock; ingestion turns that into UTC, and so do we.
    local = table["InvoiceDate"].cast(pa.timestamp("us"))
    at = pc.assume_timezone(local, ZONE, ambiguous="earliest", nonexistent="latest").cast(
        pa.timestamp("us", tz="UTC")
    )
    rows = len(table)
    events = pa.table(
        {
            "customer_id": table["CustomerID"].cast(pa.string()),
            "occurred_at": at,
            "arrived_at": at,
            "event_type": pa.array(["purchase"] * rows),
            "order_id": table["Invoice"].cast(pa.string()),
        }
    )
    return history_from_tables(0, spec=SPEC, events=events)


def judge_blocks(history: History, *, day: date, gap_days: int) -> Hits:
    """Predict from what is known at a local midnight; look at the first order after the gap.

    Each customer's block are the `BLOCK_HOURS` hours of the largest probability in their
    profile; everybody's are the same of all customers' mean profile, the simplest honest rival.
    """
    as_of = local_midnight_us(day, ZoneInfo(ZONE))
    offsets, at = history.events.offsets, history.events.occurred_at
    seen = np.array([at[offsets[i]] < as_of for i in range(history.n_customers)], dtype=np.bool_)
    rows = np.flatnonzero(seen).astype(np.int32)
    zones = CustomerZones(names=(), zone=np.full(len(rows), -1, np.int32), default=ZONE)
    active = count_active_hours(history, rows, spec=SPEC, zones=zones, as_of_us=as_of)
    segment = np.zeros(len(rows), dtype=np.int64)
    profile = fit_timing_profile(active.hours, segment, n_segments=1, week=active.week)
    own = best_block(hour_profiles(profile, active.hours, segment))
    everyone = best_block(active.week.sum(axis=0)[None, :])
    hour, found = _next_hours(history, rows, since=as_of + gap_days * DAY_US, as_of=as_of)
    own, hour = own[found], hour[found]
    return Hits(
        own=in_block(hour, own), everyone=in_block(hour, np.repeat(everyone, len(hour))), block=own
    )


def best_block(density: NDArray[np.floating]) -> Int64Array:
    """First hour of the `BLOCK_HOURS` hours of the largest sum; shape (n,)."""
    total = sum(np.roll(density, -step, axis=1) for step in range(BLOCK_HOURS))
    return np.asarray(np.asarray(total).argmax(axis=1), dtype=np.int64)


def in_block(hour: Int64Array, start: Int64Array) -> NDArray[np.bool_]:
    """Whether hours lie in the blocks that begin at `start`."""
    return np.asarray((hour - start) % HOURS < BLOCK_HOURS)


def bootstrap(difference: NDArray[np.floating], *, seed: int) -> tuple[float, float]:
    """95 % interval of the mean, by resampling customers."""
    rng = np.random.default_rng(seed)
    means = [
        difference[rng.integers(0, len(difference), len(difference))].mean() for _ in range(DRAWS)
    ]
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def run(file: Path, *, days: Sequence[date], gap_days: int) -> dict[str, Any]:
    """All split dates: share of next orders in the blocks, and the difference."""
    history = read_orders(file)
    splits = {}
    for day in days:
        hits = judge_blocks(history, day=day, gap_days=gap_days)
        difference = hits.own.astype(np.float64) - hits.everyone
        low, high = bootstrap(difference, seed=1)
        splits[day.isoformat()] = {
            "customers": len(hits.own),
            "in_own_block": round(float(hits.own.mean()), 4),
            "in_everyone_s_block": round(float(hits.everyone.mean()), 4),
            "difference": round(float(difference.mean()), 4),
            "low": round(low, 4),
            "high": round(high, 4),
            "customers_with_another_block": int((hits.own != hits.everyone).sum()),
        }
    return splits


def _next_hours(
    history: History, rows: NDArray[np.int32], *, since: int, as_of: int
) -> tuple[Int64Array, NDArray[np.bool_]]:
    """Local hour of each customer's first order from `since` on; nobody who orders in the gap."""
    offsets, at = history.events.offsets, history.events.occurred_at
    place = ZoneInfo(ZONE)
    hour = np.full(len(rows), -1, dtype=np.int64)
    for row, i in enumerate(rows.tolist()):
        times = at[offsets[i] : offsets[i + 1]]
        after = times[times >= as_of]
        if len(after) and after[0] >= since:
            hour[row] = _local_hour(int(after[0]), place)
    return hour, hour >= 0


def _local_hour(moment_us: int, place: ZoneInfo) -> int:
    return datetime.fromtimestamp(moment_us // 1_000_000, tz=UTC).astimezone(place).hour
