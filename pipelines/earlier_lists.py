"""Lists of earlier nights, and whether what they asked for has been reported back."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
from numpy.typing import NDArray

from features.history_reader import read_columns
from features.local_day import local_midnight_us
from features.warehouse import Warehouse
from pipelines.held_out_rows import as_if_not_held_out
from scoring.arms import SENT_ARMS
from scoring.decisions import PARTITION, SCHEMA, TABLE_NAME
from scoring.follow_up import LAPSE_DAYS, PlannedSteps, find_running
from scoring.night_policy import NightPolicy
from scoring.pressure import DAY_US, WINDOW_DAYS, EarlierRows, add_earlier_rows
from scoring.recall_list import TIME
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


@dataclass(frozen=True, slots=True)
class EarlierLists:
    """What the lists of earlier nights ask of tonight's.

    Attributes
    ----------
    sent : rows to be sent whose contact has not been reported: customer_id, channel,
        sent_us (int64, when they were to be sent).
    ghosts : customers listed as ghosts: customer_id, as_of_us, until_us (int64).
    held_out : rows of the holdout, see `as_if_not_held_out`.
    follow_ups : the next step that each customer's latest sent row has planned, if any:
        customer_id, list_row_id, channel, step, and as_of_us and due_us (int64), the row's
        as-of and that of the night that is to carry the step out.
    unreported : the latest day with rows to send, if no contact of it or since is known.
    """

    sent: pa.Table
    ghosts: pa.Table
    held_out: pa.Table
    follow_ups: pa.Table
    unreported: date | None


def reach_days(policy: NightPolicy, *, control_days: float) -> float:
    """For how many days a list matters to later ones: caps, ghosts' windows, follow-ups."""
    return max(*WINDOW_DAYS, control_days, policy.follow_up.after_days + LAPSE_DAYS)


def read_earlier_lists(
    warehouse: Warehouse, policy: NightPolicy, *, control_days: float
) -> EarlierLists:
    """Rows of earlier lists that tonight's has to respect.

    Only decisions of as-ofs before tonight's are read, and of contacts what had arrived
    before it, so that an old night's rerun knows nothing of later ones. A row to be sent
    counts as a contact at its send time, unless

    - a contact with its list_row_id, or of its customer between its as-of and its expiry,
      has been reported: then that contact counts; or
    - contacts of its channel sent after its expiry have been reported: then it was not sent.
      Where contacts of the channel name their list rows, only such ones are reports on
      lists; others may be another tool's newsletters.

    Rows of the holdout count as what they would have been without one.

    Parameters
    ----------
    control_days : days from a list's as-of in which its ghosts are left alone.
    """
    reach = reach_days(policy, control_days=control_days)
    listed = _listed_rows(warehouse, policy, reach_days=reach)
    ghosts = _ghosts(listed, control_days)
    held_out = as_if_not_held_out(
        listed.filter(pc.equal(listed["arm"], "holdout")),
        experiment=policy.experiment,
        control_days=control_days,
    )
    to_send = listed.filter(pc.is_in(listed["arm"], value_set=pa.array(SENT_ARMS, pa.string())))
    if not to_send.num_rows:
        return EarlierLists(_SENT.empty_table(), ghosts, held_out, _STEPS.empty_table(), None)
    contacts = _reported_contacts(warehouse, since_us=pc.min(to_send["as_of_us"]), policy=policy)
    with duckdb.connect() as connection:
        connection.register("listed", to_send)
        connection.register("reported", contacts)
        connection.execute(_FATES)
        sent = connection.sql(_UNREPORTED).to_arrow_table().cast(_SENT)
        follow_ups = connection.sql(_NEXT_STEPS).to_arrow_table().cast(_STEPS)
        (unreported,) = connection.execute(_UNREPORTED_DAY).fetchone() or (None,)
    return EarlierLists(
        sent=sent,
        ghosts=ghosts,
        held_out=held_out,
        follow_ups=follow_ups,
        unreported=None if unreported is None else date.fromisoformat(unreported),
    )


def read_ghosts(warehouse: Warehouse, policy: NightPolicy, *, control_days: float) -> pa.Table:
    """Ghosts of earlier lists, as in `EarlierLists`: all whose window is open, and others."""
    reach = max(*WINDOW_DAYS, control_days)
    return _ghosts(_listed_rows(warehouse, policy, reach_days=reach), control_days)


def _ghosts(listed: pa.Table, control_days: float) -> pa.Table:
    until = pc.add(listed["as_of_us"], round(control_days * DAY_US))
    ghosts = listed.append_column("until_us", until).filter(pc.equal(listed["arm"], "ghost"))
    return ghosts.select(_GHOST_COLUMNS)


_GHOST_COLUMNS = ["customer_id", "as_of_us", "until_us"]

_SENT = pa.schema(
    [
        pa.field("customer_id", pa.string()),
        pa.field("channel", pa.string()),
        pa.field("sent_us", pa.int64()),
    ]
)
_STEPS = pa.schema(
    [
        pa.field("customer_id", pa.string()),
        pa.field("list_row_id", pa.string()),
        pa.field("channel", pa.string()),
        pa.field("step", pa.int32()),
        pa.field("as_of_us", pa.int64()),
        pa.field("due_us", pa.int64()),
    ]
)
_FATES = """
CREATE TEMP TABLE fates AS
WITH last AS (
    SELECT channel,
        coalesce(max(sent_us) FILTER (list_row_id IS NOT NULL), max(sent_us)) AS last_us
    FROM reported GROUP BY channel
), named AS (
    SELECT DISTINCT list_row_id FROM reported
), in_time AS (
    SELECT DISTINCT listed.list_row_id FROM listed JOIN reported
        ON reported.customer_id = listed.customer_id
        AND reported.sent_us BETWEEN listed.as_of_us AND listed.expires_us
)
SELECT listed.*, CASE
    WHEN list_row_id IN (FROM named) OR list_row_id IN (FROM in_time) THEN 'reported'
    WHEN last.last_us > expires_us THEN 'not sent'
    ELSE 'unreported' END AS fate
FROM listed LEFT JOIN last USING (channel)
"""
_UNREPORTED = """
SELECT customer_id, channel, sent_us FROM fates WHERE fate = 'unreported'
ORDER BY customer_id, sent_us
"""
_NEXT_STEPS = """
SELECT customer_id, list_row_id, follow_up_channel AS channel,
    coalesce(follow_up_step, 0) + 1 AS step, as_of_us, follow_up_us AS due_us
FROM fates WHERE fate <> 'not sent'
QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY as_of_us DESC) = 1
    AND follow_up_us IS NOT NULL
ORDER BY customer_id
"""
_UNREPORTED_DAY = """
SELECT max(as_of) FROM listed
HAVING max(as_of_us) > (SELECT coalesce(max(sent_us), 0) FROM reported)
"""
_LOG_COLUMNS = (
    "as_of",
    "customer_id",
    "arm",
    "channel",
    "list_id",
    "rank",
    "send_at_utc",
    "expires_at",
    "follow_up_step",
    "follow_up_channel",
    "follow_up_at",
)


def hold_to_earlier_lists(
    scored: ScoredCustomers, lists: EarlierLists, policy: NightPolicy
) -> ScoredCustomers:
    """Scored customers whose contact pressure and follow-ups know of earlier lists."""

    def positions(table: pa.Table) -> pa.Array:
        return pc.index_in(table["customer_id"], value_set=scored.customer_id).combine_chunks()

    as_ghosts = pc.equal(lists.held_out["arm"], "ghost")
    paused = lists.held_out.filter(pc.invert(as_ghosts)).select(_SENT.names)
    left_alone = lists.held_out.filter(as_ghosts).select(_GHOST_COLUMNS)
    sent = pa.concat_tables([lists.sent, paused])
    ghosts = pa.concat_tables([lists.ghosts, left_alone])
    sent_to, ghost = positions(sent), positions(ghosts)
    sent, ghosts = sent.filter(pc.is_valid(sent_to)), ghosts.filter(pc.is_valid(ghost))
    earlier = EarlierRows(
        sent_to=_int64(sent_to.drop_null()),
        channel=_channel_codes(sent, policy),
        sent_at_us=_int64(sent["sent_us"]),
        ghost=_int64(ghost.drop_null()),
        until_us=_int64(ghosts["until_us"]),
    )
    pressure = add_earlier_rows(scored.pressure, earlier, as_of_us=policy.as_of_us)
    steps_of = positions(lists.follow_ups)
    steps = lists.follow_ups.filter(pc.is_valid(steps_of))
    follow_ups = find_running(
        PlannedSteps(
            customer=_int64(steps_of.drop_null()),
            since_us=_int64(steps["as_of_us"]),
            channel=_channel_codes(steps, policy),
            due_us=_int64(steps["due_us"]),
            step=_int64(steps["step"]),
            row_ids=tuple(steps["list_row_id"].to_pylist()),
        ),
        silence_days=scored.silence_days,
        days_since_return=scored.days_since_return,
        unsubscribed_us=scored.pressure.unsubscribed_us,
        follow_up=policy.follow_up,
        as_of_us=policy.as_of_us,
    )
    return replace(scored, pressure=pressure, follow_ups=follow_ups)


def _channel_codes(table: pa.Table, policy: NightPolicy) -> NDArray[np.int64]:
    """Codes of the channels as configured tonight; -1 for one that is no longer."""
    known = pa.array(list(policy.channels), pa.string())
    return _int64(pc.fill_null(pc.index_in(table["channel"], value_set=known), -1))


def _int64(column: Any) -> NDArray[np.int64]:
    values: NDArray[np.int64] = column.cast(pa.int64()).to_numpy(zero_copy_only=False)
    return values


def _listed_rows(warehouse: Warehouse, policy: NightPolicy, *, reach_days: float) -> pa.Table:
    """Listed rows of earlier nights, with their times in us."""
    # A day more, as clocks change and a row may be sent on the day after its list's.
    oldest = policy.day - timedelta(days=math.ceil(reach_days) + 1)
    if not warehouse.has_table(TABLE_NAME):
        return _listed_table([], pa.table({name: [] for name in _LOG_COLUMNS}), policy)
    dataset = warehouse.dataset(TABLE_NAME)
    columns = [name for name in _LOG_COLUMNS if name in dataset.schema.names]
    of_interest = (
        (pads.field("as_of") >= oldest.isoformat())
        & (pads.field("as_of") < policy.day.isoformat())
        & pads.field("arm").is_valid()
    )
    table = dataset.to_table(columns=columns, filter=of_interest)
    days = sorted(set(table["as_of"].to_pylist()))
    return _listed_table(days, table, policy)


def _listed_table(days: Sequence[str], table: pa.Table, policy: NightPolicy) -> pa.Table:
    zone, valid = ZoneInfo(policy.zone), timedelta(days=policy.rules.valid_days)
    dates = [date.fromisoformat(day) for day in days]
    place = pc.index_in(table["as_of"].cast(pa.string()), value_set=pa.array(days, pa.string()))
    begins = pa.array([local_midnight_us(day, zone) for day in dates], pa.int64()).take(place)
    ends = pa.array([local_midnight_us(day + valid, zone) for day in dates], pa.int64()).take(place)
    rank = table["rank"].cast(pa.int64()).cast(pa.string())
    return pa.table(
        {
            "as_of": table["as_of"].cast(pa.string()),
            "customer_id": table["customer_id"].cast(pa.string()),
            "arm": table["arm"].cast(pa.string()),
            "channel": table["channel"].cast(pa.string()),
            "list_row_id": pc.binary_join_element_wise(
                table["list_id"].cast(pa.string()), rank, "/"
            ),
            "as_of_us": begins,
            # Days that an earlier version decided have no times.
            "sent_us": _times_or(table, "send_at_utc", begins),
            "expires_us": _times_or(table, "expires_at", ends),
            # Days decided before there were follow-ups have planned none.
            "follow_up_step": _column_or_null(table, "follow_up_step", pa.int32()),
            "follow_up_channel": _column_or_null(table, "follow_up_channel", pa.string()),
            "follow_up_us": _column_or_null(table, "follow_up_at", TIME).cast(pa.int64()),
        }
    )


def _column_or_null(table: pa.Table, name: str, kind: pa.DataType) -> Any:
    if name not in table.column_names:
        return pa.nulls(table.num_rows, kind)
    return table[name].cast(kind)


def _times_or(table: pa.Table, name: str, default: pa.Array) -> Any:
    if name not in table.column_names:
        return default
    return pc.coalesce(table[name].cast(TIME).cast(pa.int64()), default)


def _reported_contacts(warehouse: Warehouse, *, since_us: Any, policy: NightPolicy) -> pa.Table:
    """Contacts from `since_us` on that were known at the as-of, in whatever version."""
    as_of = pa.scalar(policy.as_of_us, pa.int64()).cast(TIME)
    table = warehouse.dataset("contacts").to_table(
        columns=["customer_id", "channel", "list_row_id", "sent_at"],
        filter=(pads.field("sent_at") >= since_us.cast(TIME))
        & (pads.field("sent_at") < as_of)
        & (pads.field("arrived_at") < as_of),
    )
    sent_us = table["sent_at"].cast(pa.int64())
    return table.drop_columns("sent_at").append_column("sent_us", sent_us)
