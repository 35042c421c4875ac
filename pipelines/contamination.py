"""Contacts to customers who were to be left alone, by another tool or by mistake."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from features.contract import HOLDOUT_LEDGER
from features.local_day import local_midnight_us
from features.warehouse import Warehouse
from scoring.night_policy import NightPolicy
from scoring.pressure import DAY_US
from scoring.recall_list import TIME

LOOK_BACK_DAYS = 30


@dataclass(frozen=True, slots=True)
class Contamination:
    """Contacts of one channel to controls in the `LOOK_BACK_DAYS` before an as-of.

    `holdout` and `ghost` are contacts to customers who were then in the holdout, or inside
    the window of a ghost; one customer may be both.
    """

    channel: str
    holdout: int
    ghost: int


def find_contamination(
    warehouse: Warehouse, policy: NightPolicy, *, ghosts: pa.Table
) -> tuple[Contamination, ...]:
    """Contacts to controls that had happened and arrived before the as-of, by channel.

    Parameters
    ----------
    ghosts : of lists whose windows are open or ended lately, see `read_ghosts`.
    """
    contacts = _recent_contacts(warehouse, policy)
    held = _held_out(warehouse, ZoneInfo(policy.zone))
    if not contacts.num_rows or not (held.num_rows or ghosts.num_rows):
        return ()
    with duckdb.connect() as connection:
        connection.register("contacts", contacts)
        connection.register("held", held)
        connection.register("ghosts", ghosts)
        found = connection.execute(_COUNT).fetchall()
    return tuple(Contamination(*row) for row in found)


_COUNT = """
WITH sent AS (SELECT DISTINCT contact_id, customer_id, channel, sent_us FROM contacts),
holdout AS (
    SELECT channel, contact_id FROM sent SEMI JOIN held ON held.customer_id = sent.customer_id
    AND sent.sent_us >= held.from_us AND sent.sent_us < held.until_us
),
ghost AS (
    SELECT channel, contact_id FROM sent SEMI JOIN ghosts ON ghosts.customer_id = sent.customer_id
    AND sent.sent_us >= ghosts.as_of_us AND sent.sent_us < ghosts.until_us
)
SELECT channel, count(*) FILTER (control = 'holdout'), count(*) FILTER (control = 'ghost')
FROM (SELECT *, 'holdout' AS control FROM holdout UNION ALL SELECT *, 'ghost' FROM ghost)
GROUP BY channel ORDER BY channel
"""


def _recent_contacts(warehouse: Warehouse, policy: NightPolicy) -> pa.Table:
    first, as_of = (
        pa.scalar(us, pa.int64()).cast(TIME)
        for us in (policy.as_of_us - LOOK_BACK_DAYS * DAY_US, policy.as_of_us)
    )
    table = warehouse.dataset("contacts").to_table(
        columns=["contact_id", "customer_id", "channel", "sent_at"],
        filter=(pads.field("sent_at") >= first)
        & (pads.field("sent_at") < as_of)
        & (pads.field("arrived_at") < as_of),
    )
    sent_us = table["sent_at"].cast(pa.int64())
    return table.drop_columns("sent_at").append_column("sent_us", sent_us)


def _held_out(warehouse: Warehouse, zone: ZoneInfo) -> pa.Table:
    """Members of the ledger with the span of their membership in us."""
    ledger = warehouse.dataset(HOLDOUT_LEDGER.name).to_table()
    rows = ledger.group_by(["customer_id", "salt"]).aggregate(
        [("entered_at", "min"), ("left_on", "max")]
    )
    days = sorted({day for day in rows["left_on_max"].to_pylist() if day is not None})
    ends = [local_midnight_us(day, zone) for day in days]
    place = pc.index_in(rows["left_on_max"], value_set=pa.array(days, pa.date32()))
    # Who has not left is held out for good, as far as anybody knows.
    until = pc.fill_null(pa.array(ends, pa.int64()).take(place), _FOR_EVER)
    return pa.table(
        {
            "customer_id": rows["customer_id"],
            "from_us": rows["entered_at_min"].cast(pa.int64()),
            "until_us": until,
        }
    )


_FOR_EVER = 2**62
