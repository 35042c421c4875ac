"""How long counting active hours takes, and how much memory its result holds."""

from time import perf_counter
from typing import Any

import numpy as np

from features.active_hours import ActiveHours, CustomerZones, count_active_hours, join_active_hours
from features.history import Events, History, no_contacts, no_profiles
from features.kernels.feature import DAY_US
from features.spec import FeatureSpec

SPEC = FeatureSpec(
    event_types=("visit", "purchase"), activity=("visit", "purchase"), orders=("purchase",)
)
PER_CUSTOMER = 50
CHUNK = 100_000
DAYS_BACK = 730
AS_OF_US = 1_772_409_600_000_000
ZONES = ("America/New_York", "Asia/Tokyo", "Europe/Berlin")


def measure_counting(*, events: int) -> dict[str, Any]:
    """Count the hours of customers with 50 events each over two years, on one core.

    Buckets of 100,000 customers, one after the other; the time to make them up is left out.
    """
    rng = np.random.default_rng(1)
    customers = max(events // PER_CUSTOMER, 1)
    parts: list[ActiveHours] = []
    seconds = 0.0
    _count(_bucket(10, rng))
    for first in range(0, customers, CHUNK):
        history = _bucket(min(CHUNK, customers - first), rng)
        start = perf_counter()
        parts.append(_count(history))
        seconds += perf_counter() - start
    start = perf_counter()
    whole = join_active_hours(parts)
    seconds += perf_counter() - start
    held = whole.hours.nbytes + whole.busy.nbytes + whole.busy_days.nbytes
    return {
        "events": customers * PER_CUSTOMER,
        "customers": customers,
        "seconds": round(seconds, 2),
        "megabytes": round(held / 1e6, 1),
    }


def _bucket(customers: int, rng: np.random.Generator) -> History:
    span = DAYS_BACK * DAY_US
    times = np.sort(rng.integers(0, span, (customers, PER_CUSTOMER)), axis=1).ravel()
    at = AS_OF_US - span + times
    kinds = rng.integers(0, 2, len(at)).astype(np.int16)
    offsets = np.arange(0, len(at) + 1, PER_CUSTOMER, dtype=np.int64)
    events = Events(offsets, at, at, kinds)
    return History(
        0,
        np.arange(customers),
        events,
        None,  # type: ignore[arg-type]
        no_contacts(customers),
        no_profiles(customers, 0),
    )


def _count(history: History) -> ActiveHours:
    rows = np.arange(history.n_customers, dtype=np.int32)
    zones = CustomerZones(ZONES, (rows % 4 - 1).astype(np.int32), "Europe/London")
    return count_active_hours(history, rows, spec=SPEC, zones=zones, as_of_us=AS_OF_US)
