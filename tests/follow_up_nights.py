"""Nights in a row on the small shop: what was planned, decided, reported, and runs on."""

from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from night_home import DAY, N_BUCKETS, night, read_list, table_of

from features.local_day import local_midnight_us
from features.warehouse import Warehouse
from pipelines.config import Config
from pipelines.earlier_lists import EarlierLists, hold_to_earlier_lists, read_earlier_lists
from pipelines.nightly_inputs import build_scorer, load_champions, night_policy
from pipelines.scored_night import score_customers
from scoring.arms import SENT_ARMS
from scoring.follow_up import NO_FOLLOW_UP
from scoring.scored import ScoredCustomers

DUE = DAY + timedelta(days=3)
Row = dict[str, Any]


def open_warehouse(config: Config) -> Warehouse:
    return Warehouse.open(config.warehouse_path, n_buckets=N_BUCKETS)


def midnight(day: date) -> int:
    return local_midnight_us(day, ZoneInfo("Europe/Berlin"))


def rows_of(config: Config, day: date) -> list[Row]:
    """The list of a day, made now if it is not written yet."""
    file = config.lists_path / day.isoformat() / "recall_list.parquet"
    table = pq.read_table(file) if file.exists() else read_list(night(config, as_of=day))
    return list(table.to_pylist())


def decisions_of(config: Config, day: date) -> dict[str, Row]:
    """What was decided on a day, by customer."""
    table = open_warehouse(config).dataset("decisions").to_table()
    mine = table.filter(pc.equal(table["as_of"].cast(pa.string()), day.isoformat()))
    return {row["customer_id"]: row for row in mine.to_pylist()}


def is_sent(row: Row) -> bool:
    return row["arm"] in SENT_ARMS


def planning(rows: list[Row]) -> dict[str, Row]:
    """Sent rows with a next step, by customer."""
    return {row["customer_id"]: row for row in rows if row["follow_up_channel"]}


def report(config: Config, row: Row, **values: Any) -> None:
    """Ingest the contact that a row asked for, known a minute after it was sent."""
    sent = int(row["send_at_utc"].timestamp() * 1e6)
    contact = {
        "contact_id": f"of {row['list_row_id']}",
        "customer_id": row["customer_id"],
        "list_row_id": row["list_row_id"],
        "channel": row["channel"],
        "sent_at": sent,
        "arrived_at": sent + 60_000_000,
        **values,
    }
    open_warehouse(config).append("contacts", table_of("contacts", [contact]))


def held(config: Config, day: date) -> ScoredCustomers:
    """Scored customers of a night, with what earlier lists ask."""
    warehouse, policy = open_warehouse(config), night_policy(config, day)
    scorer = build_scorer(config, warehouse, policy, load_champions(config))
    lists = read_earlier_lists(warehouse, policy, control_days=config.control_days)
    return hold_to_earlier_lists(score_customers(config, scorer), lists, policy)


def followed(config: Config, day: date) -> set[str]:
    """Customers with a running follow-up."""
    scored = held(config, day)
    return set(scored.ids(np.flatnonzero(scored.follow_ups.place != NO_FOLLOW_UP)))


def earlier(config: Config, day: date) -> EarlierLists:
    policy = night_policy(config, day)
    return read_earlier_lists(open_warehouse(config), policy, control_days=config.control_days)
