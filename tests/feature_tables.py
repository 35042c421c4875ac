"""Random, dirty input tables for the feature tests, and the way into a history."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from feature_oracle import Tables

from features.history import History
from features.history_reader import history_from_tables
from features.spec import FeatureSpec

SPEC = FeatureSpec(
    event_types=("view", "purchase", "refund", "reorder", "login"),
    activity=("view", "purchase", "reorder", "login"),
    orders=("purchase", "reorder"),
    refunds=("refund",),
    channels=("push", "email"),
    attributes=("city", "plan"),
    vocabulary=(("Bern", "Oslo"), ("free", "gold")),
)
START = pd.Timestamp("2025-01-01", tz="UTC")
AS_OFS = [pd.Timestamp(day, tz="UTC") for day in ("2025-06-01", "2026-01-01", "2026-09-15")]
MONEY = [None, 0.0, 5.0, 9.99, 20.0, 31.4]


def random_tables(seed: int, *, customers: int = 12, mean_events: float = 25.0) -> Tables:
    """Tables with late arrivals, ties, nulls, refunds, multi-line orders and versions."""
    rng = np.random.default_rng(seed)
    names = [f"c-{number:03d}é" if number % 5 == 0 else f"C{number}" for number in range(customers)]
    return Tables(
        events=random_events(rng, names, mean_events),
        contacts=random_contacts(rng, names),
        profiles=random_profiles(rng, names),
    )


def random_events(rng: np.random.Generator, names: list[str], mean: float) -> pd.DataFrame:
    rows = []
    for name in names:
        for _ in range(rng.poisson(mean * rng.exponential())):
            kind = str(rng.choice([*SPEC.event_types, "banner"]))
            # Few instants and whole days, so that ties and window edges do occur.
            hours = int(rng.integers(0, 24 * 640))
            occurred = START + pd.Timedelta(hours=hours - hours % int(rng.choice([1, 24, 240])))
            late = pd.Timedelta(days=int(rng.choice([0, 0, 0, 2, 40])))
            order = f"o{rng.integers(0, 6)}" if rng.random() < 0.6 else None
            priced = kind in ("purchase", "reorder", "refund")
            amount = MONEY[int(rng.integers(0, len(MONEY)))] if priced else None
            rows.append(
                {
                    "customer_id": name,
                    "occurred_at": occurred,
                    "arrived_at": occurred + late,
                    "event_type": kind,
                    "amount": -amount if amount and kind == "refund" else amount,
                    "discount": MONEY[int(rng.integers(0, 4))] if priced else None,
                    "order_id": order,
                    "category": rng.choice(["tea", "cups", "jam"]) if rng.random() < 0.5 else None,
                }
            )
    rows = [rows[i] for i in rng.permutation(len(rows))]
    frame = pd.DataFrame(rows)
    return frame.astype({"amount": float, "discount": float})


def random_contacts(rng: np.random.Generator, names: list[str]) -> pd.DataFrame:
    rows = []
    for number in range(8 * len(names)):
        # Crowded before the as-ofs, where the short windows are.
        last = AS_OFS[int(rng.integers(0, len(AS_OFS)))] + pd.Timedelta(days=3)
        sent = last - pd.Timedelta(hours=int(24 * rng.choice([10, 10, 100, 400]) * rng.random()))
        base = {
            "contact_id": f"k{number}",
            "customer_id": str(rng.choice([*names, "stranger"])),
            "channel": str(rng.choice(["push", "email", "pigeon"])),
            "sent_at": sent,
        }
        steps = dict.fromkeys(("delivered_at", "opened_at", "clicked_at", "unsubscribed_at"))
        arrived = sent
        for _ in range(int(rng.integers(1, 6))):
            rows.append({**base, **steps, "arrived_at": arrived})
            arrived += pd.Timedelta(hours=int(rng.integers(1, 24 * 10)))
            step = str(rng.choice(list(steps)))
            steps[step] = sent + pd.Timedelta(hours=int(rng.integers(0, 24 * 12)))
    rows = [rows[i] for i in rng.permutation(len(rows))]
    times = ["sent_at", "arrived_at", *steps]
    return pd.DataFrame(rows).astype(dict.fromkeys(times, "datetime64[us, UTC]"))


def random_profiles(rng: np.random.Generator, names: list[str]) -> pd.DataFrame:
    rows = []
    for name in names[:-2]:
        for hours in sorted(rng.choice(24 * 640, size=int(rng.integers(1, 4)), replace=False)):
            changed = START + pd.Timedelta(hours=int(hours))
            attributes = {"city": str(rng.choice(["Bern", "Oslo", "Rome"]))}
            if rng.random() < 0.7:
                attributes["plan"] = str(rng.choice(["free", "gold"]))
            rows.append(
                {
                    "customer_id": name,
                    "changed_at": changed,
                    "arrived_at": changed + pd.Timedelta(days=int(rng.choice([0, 0, 3, 90]))),
                    "signup_at": None if rng.random() < 0.3 else START,
                    "attributes": attributes,
                }
            )
    rows = [rows[i] for i in rng.permutation(len(rows))]
    times = ["changed_at", "arrived_at", "signup_at"]
    return pd.DataFrame(rows).astype(dict.fromkeys(times, "datetime64[us, UTC]"))


def arrow_table(frame: pd.DataFrame) -> Any:
    """The frame as Arrow, with the types the warehouse has."""
    columns = {}
    for name in frame.columns:
        values = frame[name]
        if name == "attributes":
            pairs = [list(entry.items()) for entry in values]
            columns[name] = pa.array(pairs, pa.map_(pa.string(), pa.string()))
        elif name.endswith("_at"):
            columns[name] = pa.array(
                values.tolist(), pa.timestamp("us", tz="UTC"), from_pandas=True
            )
        elif name in ("amount", "discount"):
            columns[name] = pa.array(values, pa.float64(), from_pandas=True)
        else:
            columns[name] = pa.array(values.tolist(), pa.string(), from_pandas=True)
    return pa.table(columns)


def history_of(tables: Tables, *, spec: FeatureSpec = SPEC) -> History:
    """The history of pandas tables, through the path that files take too."""
    return history_from_tables(
        0,
        spec=spec,
        events=arrow_table(tables.events),
        contacts=arrow_table(tables.contacts),
        profiles=arrow_table(tables.profiles),
    )


def microseconds(instants: list[pd.Timestamp]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Instants as the kernels take them."""
    return np.array([int(at.value) // 1000 for at in instants], dtype=np.int64)
