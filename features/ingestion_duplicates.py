"""Rows that are there already: within the source, and in the warehouse."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from features.ingestion_stage import STAGED, StagePlan, order_columns

DROPPED = "winback_dropped"
"""Table of the rowids of staged rows that are not stored, one row each."""

_STORED = "winback_stored"
_SEEN = "winback_seen"


@dataclass(frozen=True, slots=True)
class DuplicateCounts:
    """How many staged rows are duplicates.

    `repeats_dropped`, a part of `within_source`, and `repeats_kept` are rows without event_id
    that equal another row of the source, by the policy that applied.
    """

    within_source: int
    in_warehouse: int
    repeats_dropped: int
    repeats_kept: int


def find_duplicates(
    connection: duckdb.DuckDBPyConnection, plan: StagePlan, stored: Any | None, *, conflict: int
) -> DuplicateCounts:
    """Mark the rows that must not be stored again.

    Events: the same event_id is kept once, the row that comes first by its values; without
    an event_id, identical raw rows of one source are repeats, dropped or kept as configured,
    and, where they are dropped, so are rows equal to a stored one in every contract column
    but arrived_at. Customers and contacts: a row equal to what is stored is dropped, one
    that differs is a new version. Two rows of one source that say different things about
    one customer at one time are rejected, both. Assignments are facts that never change: an
    equal row is dropped, one that differs under the same assignment_id is rejected.

    Parameters
    ----------
    connection : holds the staged rows.
    plan : the plan of this ingestion.
    stored : pyarrow dataset of the table, null while it is empty.
    conflict : rule code of customer rows that contradict each other.
    """
    connection.execute(f"CREATE TEMP TABLE {DROPPED} (staged BIGINT, stored BOOLEAN)")
    if stored is not None:
        connection.register(_STORED, stored)
    dropped, kept = 0, 0
    if plan.kind == "events":
        dropped, kept = _event_duplicates(connection, plan, has_stored=stored is not None)
    elif plan.kind == "customers":
        _customer_duplicates(connection, plan, conflict, has_stored=stored is not None)
    elif plan.kind == "assignments":
        _assignment_duplicates(connection, plan, conflict, has_stored=stored is not None)
    else:
        _contact_duplicates(connection, plan, has_stored=stored is not None)
    if stored is not None:
        connection.unregister(_STORED)
    within, before = connection.execute(
        f"SELECT count(*) FILTER (NOT stored), count(*) FILTER (stored) FROM {DROPPED}"
    ).fetchall()[0]
    return DuplicateCounts(int(within), int(before), dropped, kept)


def _event_duplicates(
    connection: duckdb.DuckDBPyConnection, plan: StagePlan, *, has_stored: bool
) -> tuple[int, int]:
    """Numbers of repeats that were dropped and kept."""
    columns = staged_names(plan)
    _drop_repeats(connection, ("event_id",), columns, "event_id IS NOT NULL")
    if has_stored:
        _drop_where(
            connection,
            f"event_id IS NOT NULL AND event_id IN (SELECT event_id FROM {_STORED} "
            f"WHERE event_id IN (SELECT event_id FROM {STAGED} WHERE rule = 0))",
        )
    key = ("hash", "customer_id", "occurred_at_us", "event_type")
    if plan.terms.events.repeated_rows == "keep":
        repeats = connection.execute(
            f"SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM {STAGED} "
            f"WHERE rule = 0 AND event_id IS NULL GROUP BY {', '.join(key)})"
        ).fetchall()
        return 0, int(repeats[0][0])
    before = _count_dropped(connection)
    _drop_repeats(connection, key, columns, "event_id IS NULL")
    dropped = _count_dropped(connection) - before
    if has_stored:
        compared = [name for name in columns if name not in ("arrived_at_us", "event_id")]
        _drop_equal(connection, plan, compared, "event_id IS NULL")
    return dropped, 0


def _customer_duplicates(
    connection: duckdb.DuckDBPyConnection, plan: StagePlan, conflict: int, *, has_stored: bool
) -> None:
    columns = staged_names(plan)
    content = [name for name in columns if name not in ("arrived_at_us", "changed_at_us")]
    key = ("customer_id", "changed_at_us")
    _drop_repeats(connection, (*key, *content), columns, "true")
    connection.execute(
        f"UPDATE {STAGED} SET rule = {conflict} WHERE rule = 0 AND ({', '.join(key)}) IN "
        f"(SELECT ({', '.join(key)}) FROM {STAGED} WHERE rule = 0 "
        f"AND rowid NOT IN (SELECT staged FROM {DROPPED}) "
        f"GROUP BY {', '.join(key)} HAVING count(*) > 1)"
    )
    connection.execute(
        f"DELETE FROM {DROPPED} WHERE staged IN (SELECT rowid FROM {STAGED} WHERE rule <> 0)"
    )
    if not has_stored:
        return
    _drop_equal(connection, plan, [*key, *content], "change_given")
    _make_seen(connection, plan, last_only=True)
    equal = " AND ".join(f"s.{name} IS NOT DISTINCT FROM t.{name}" for name in content)
    _drop_matching(connection, f"s.customer_id = t.customer_id AND {equal}", "NOT change_given")
    # A further version of a known record changes and arrives now, also in a back-fill.
    _date_further_versions(connection, plan, "customer_id")


def _contact_duplicates(
    connection: duckdb.DuckDBPyConnection, plan: StagePlan, *, has_stored: bool
) -> None:
    columns = staged_names(plan)
    content = [name for name in columns if name != "arrived_at_us"]
    _drop_repeats(connection, content, columns, "true")
    # Of several reports on one contact that arrive together, the fullest one counts.
    latest = "greatest(delivered_at_us, opened_at_us, clicked_at_us, unsubscribed_at_us)"
    _drop_repeats(
        connection,
        ("contact_id", "arrived_at_us"),
        columns,
        "true",
        first=f"{latest} DESC NULLS LAST, outcome IS NULL, cost IS NULL",
    )
    if has_stored:
        _drop_equal(connection, plan, content, "true")
        _make_seen(connection, plan, last_only=False)
        _date_further_versions(connection, plan, "contact_id")


def _assignment_duplicates(
    connection: duckdb.DuckDBPyConnection, plan: StagePlan, conflict: int, *, has_stored: bool
) -> None:
    columns = staged_names(plan)
    content = [name for name in columns if name != "arrived_at_us"]
    _drop_repeats(connection, content, columns, "true")
    if has_stored:
        _drop_equal(connection, plan, content, "true")
    left = f"FROM {STAGED} WHERE rule = 0 AND rowid NOT IN (SELECT staged FROM {DROPPED})"
    faulty = f"SELECT assignment_id {left} GROUP BY assignment_id HAVING count(*) > 1"
    if has_stored:
        # What is left does not equal the stored row of its id.
        known = f"SELECT assignment_id FROM {_SEEN}"
        faulty = f"{faulty} UNION ALL SELECT assignment_id {left} AND assignment_id IN ({known})"
    connection.execute(
        f"UPDATE {STAGED} SET rule = {conflict} WHERE rule = 0 AND assignment_id IN ({faulty}) "
        f"AND rowid NOT IN (SELECT staged FROM {DROPPED} WHERE stored)"
    )
    connection.execute(
        f"DELETE FROM {DROPPED} WHERE staged IN (SELECT rowid FROM {STAGED} WHERE rule <> 0)"
    )


def staged_names(plan: StagePlan) -> list[str]:
    """The staged value columns as they are named in the staging table."""
    return [f"{name}_us" if kind == "time" else name for name, kind in plan.columns.items()]


def _drop_repeats(
    connection: duckdb.DuckDBPyConnection,
    key: Sequence[str],
    columns: Sequence[str],
    condition: str,
    *,
    first: str = "",
) -> None:
    """Keep one row per key: the first by its values, so that row order never matters."""
    usable = (
        f"rule = 0 AND {condition} AND rowid NOT IN (SELECT staged FROM {DROPPED})"
        if _count_dropped(connection)
        else f"rule = 0 AND {condition}"
    )
    names = ", ".join(key)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE winback_repeated AS SELECT {names} FROM {STAGED} "
        f"WHERE {usable} GROUP BY {names} HAVING count(*) > 1"
    )
    same = " AND ".join(f"s.{name} IS NOT DISTINCT FROM r.{name}" for name in key)
    prefixed = ", ".join(f"s.{name}" for name in key)
    order = order_columns([f"s.{name}" for name in columns])
    connection.execute(
        f"INSERT INTO {DROPPED} SELECT id, false FROM (SELECT s.rowid AS id, "
        f"row_number() OVER (PARTITION BY {prefixed} ORDER BY {first + ', ' if first else ''}"
        f"{order}, s.file, s.row) AS place FROM {STAGED} s "
        f"SEMI JOIN winback_repeated r ON {same} WHERE {usable.replace('rowid', 's.rowid')}) "
        "WHERE place > 1"
    )
    connection.execute("DROP TABLE winback_repeated")


def _drop_where(connection: duckdb.DuckDBPyConnection, condition: str) -> None:
    connection.execute(
        f"INSERT INTO {DROPPED} SELECT rowid, true FROM {STAGED} WHERE rule = 0 "
        f"AND rowid NOT IN (SELECT staged FROM {DROPPED}) AND {condition}"
    )


def _drop_equal(
    connection: duckdb.DuckDBPyConnection,
    plan: StagePlan,
    compared: Sequence[str],
    condition: str,
) -> None:
    """Drop rows that equal a stored row in all of the compared columns."""
    _make_seen(connection, plan, last_only=False)
    same = " AND ".join(f"s.{name} IS NOT DISTINCT FROM t.{name}" for name in compared)
    _drop_matching(connection, same, condition)


def _drop_matching(connection: duckdb.DuckDBPyConnection, same: str, condition: str) -> None:
    connection.execute(
        f"INSERT INTO {DROPPED} SELECT s.rowid, true FROM {STAGED} s SEMI JOIN {_SEEN} t "
        f"ON {same} WHERE s.rule = 0 AND {condition} "
        f"AND s.rowid NOT IN (SELECT staged FROM {DROPPED})"
    )


def _make_seen(connection: duckdb.DuckDBPyConnection, plan: StagePlan, *, last_only: bool) -> None:
    """Copy the stored rows that can match staged ones, in the staged columns' form."""
    values = []
    for name, kind in plan.columns.items():
        if kind == "time":
            values.append(f"epoch_us({name}) AS {name}_us")
        else:
            values.append(f"{_stored_value(name, plan)} AS {name}")
    columns = ", ".join(values)
    if plan.kind == "events":
        low, high = connection.execute(
            f"SELECT min(occurred_at_us), max(occurred_at_us) FROM {STAGED} WHERE rule = 0"
        ).fetchall()[0]
        # On the bare column, so that files of other times are not even decoded.
        first, last = (f"make_timestamp({us or 0})::TIMESTAMPTZ" for us in (low, high))
        condition = f"occurred_at BETWEEN {first} AND {last} AND event_id IS NULL"
    else:
        key = {"customers": "customer_id", "contacts": "contact_id"}.get(plan.kind, "assignment_id")
        condition = f"{key} IN (SELECT {key} FROM {STAGED} WHERE rule = 0)"
    last = (
        "QUALIFY row_number() OVER "
        "(PARTITION BY customer_id ORDER BY changed_at DESC, arrived_at DESC) = 1"
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {_SEEN} AS SELECT {columns} FROM {_STORED} "
        f"WHERE {condition} {last if last_only else ''}"
    )


def _stored_value(name: str, plan: StagePlan) -> str:
    for column, names in (("flags", plan.terms.flags), ("attributes", plan.terms.attributes)):
        for configured, staged in names.items():
            if staged == name:
                quoted = configured.replace("'", "''")
                return f"{column}['{quoted}']"
    return name


def _date_further_versions(
    connection: duckdb.DuckDBPyConnection, plan: StagePlan, key: str
) -> None:
    now = plan.terms.now_us
    known = f"{key} IN (SELECT {key} FROM {_SEEN})"
    connection.execute(
        f"UPDATE {STAGED} SET arrived_at_us = {now} WHERE NOT arrival_given AND {known}"
    )
    if plan.kind == "customers":
        connection.execute(
            f"UPDATE {STAGED} SET changed_at_us = {now} WHERE NOT change_given AND {known}"
        )


def _count_dropped(connection: duckdb.DuckDBPyConnection) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {DROPPED}").fetchall()[0][0])
