"""Whether the assignments of imported experiments can prove anything."""

from collections.abc import Iterable
from typing import Any

import duckdb

from features.ingestion_duplicates import DROPPED
from features.ingestion_stage import STAGED
from features.ingestion_summary import ExperimentCount

_STORED = "winback_assignments"


def count_experiments(
    connection: duckdb.DuckDBPyConnection, stored: Any | None
) -> tuple[ExperimentCount, ...]:
    """Assignments of every experiment that this ingestion adds to, stored ones included.

    Parameters
    ----------
    connection : holds the staged rows, duplicates marked.
    stored : pyarrow dataset of the table, null while it is empty.
    """
    if stored is not None:
        connection.register(_STORED, stored)
    columns = "experiment, channel, propensity"
    new = (
        f"SELECT {columns} FROM {STAGED} WHERE rule = 0 "
        f"AND rowid NOT IN (SELECT staged FROM {DROPPED})"
    )
    before = f"UNION ALL SELECT {columns} FROM {_STORED}" if stored is not None else ""
    found = connection.execute(
        "SELECT experiment, count(*), count(*) FILTER (channel IS NULL), "
        f"count(*) FILTER (propensity IS NULL) FROM ({new} {before}) "
        f"WHERE experiment IN (SELECT experiment FROM ({new})) GROUP BY experiment "
        "ORDER BY experiment"
    ).fetchall()
    if stored is not None:
        connection.unregister(_STORED)
    return tuple(ExperimentCount(*row) for row in found)


def experiment_notes(counts: Iterable[ExperimentCount]) -> list[str]:
    """What keeps an experiment from proving an effect, as sentences."""
    notes = []
    for one in counts:
        rows = f"{one.rows:,} {'assignment' if one.rows == 1 else 'assignments'}"
        if one.controls == 0:
            notes.append(
                f'Experiment "{one.experiment}" has no control among {rows}: without customers '
                "who were assigned no contact (channel null) no effect of contact can be "
                "measured from it, and it is left out of what effects are learnt from."
            )
        if one.without_propensity:
            notes.append(
                f'Experiment "{one.experiment}": {one.without_propensity:,} of {rows} without a '
                "propensity, which would have to be estimated and proves less than a known one."
            )
    return notes
