"""Lists of earlier nights, and whether what they asked for has been reported back."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from features.history_reader import read_columns
from features.local_day import local_midnight_us
from features.warehouse import Warehouse
from scoring.arms import SENT_ARMS
from scoring.decisions import PARTITION, SCHEMA, TABLE_NAME
from scoring.night import NightPolicy
from scoring.pressure import WINDOW_DAYS
from scoring.scored import ScoredCustomers


def decided_days(warehouse: Warehouse) -> list[date]:
    """Local dates for which `winback nightly` has decided, earliest first."""
    paths = warehouse.files(TABLE_NAME) if warehouse.has_table(TABLE_NAME) else []
    mark = f"/{PARTITION}="
    return sorted({date.fromisoformat(path.split(mark)[1].split("/")[0]) for path in paths})


def decision_files(warehouse: Warehouse, day: date) -> list[str]:
    """Files of the decisions of one day."""
    mark = f"/{PARTITION}={day.isoformat()}/"
    return [path for path in warehouse.files(TABLE_NAME) if mark in path]


def is_recorded(warehouse: Warehouse, day: date, decisions: pa.Table) -> bool:
    """Whether the warehouse holds these very decisions for the day, in whatever order."""
    files = decision_files(warehouse, day) if warehouse.has_table(TABLE_NAME) else []
    # The partition's own column is in the files' path, not in the files.
    columns = tuple(name for name in SCHEMA.names if name != PARTITION)
    if not files:
        return False
    order = [("customer_id", "ascending")]
    stored = read_columns(TABLE_NAME, files, columns=columns)
    if stored.column_names != list(columns):
        return False
    wanted = decisions.select(columns)
    return bool(
        stored.num_rows == wanted.num_rows
        and stored.cast(wanted.schema).sort_by(order).equals(wanted.sort_by(order))
    )


def unreported_day(
    warehouse: Warehouse, scored: ScoredCustomers, policy: NightPolicy
) -> date | None:
    """The latest earlier list with rows to send of which no contact is known; null if none.

    Caps and pauses count contacts, not lists: contacts that have not arrived before the
    as-of do not keep a customer from being listed again. Lists older than the longest
    cap's window no longer matter.
    """
    oldest = policy.day - timedelta(days=max(WINDOW_DAYS))
    earlier = [day for day in decided_days(warehouse) if oldest <= day < policy.day]
    for day in reversed(earlier):
        arms = read_columns(TABLE_NAME, decision_files(warehouse, day), columns=("arm",))["arm"]
        sent = pc.is_in(arms, value_set=pa.array(SENT_ARMS, pa.string()))
        if pc.any(sent).as_py():
            known_until = int(scored.pressure.last_sent_us.max())
            return None if known_until >= local_midnight_us(day, ZoneInfo(policy.zone)) else day
    return None
