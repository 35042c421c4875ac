"""Finding the expression that stops the evaluation of all rows."""

from collections.abc import Mapping

import duckdb

from features.errors import DataError
from features.ingestion_expression import shorten
from features.ingestion_faults import unreadable
from features.ingestion_mapping import BoundField
from features.ingestion_read import OpenedFile
from features.ingestion_values import tried_sql


def evaluation_fault(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    bound: Mapping[str, BoundField],
    columns: Mapping[str, str],
    *,
    opened: OpenedFile,
    place: str,
) -> DataError | None:
    """Why the mapped rows of a file could not be computed, if the file or the mapping is it.

    An expression that fails on a row rejects the row, as long as DuckDB's TRY can stop the
    failure; an unknown time zone, for one, it cannot stop. DuckDB's own words are left out,
    as they quote values.

    Parameters
    ----------
    connection, relation, bound, columns : what was evaluated, as in `values_sql`.
    opened : the file.
    place : configuration section, for errors.
    """
    try:
        connection.execute(f"SELECT bit_xor(winback_hash) FROM {relation}").fetchall()
    except duckdb.Error as error:
        return unreadable(opened.file, error, read=opened.path)
    faulty: list[str] = []
    for name, field in bound.items():
        kinds = {name: columns[name]} if name in columns else {}
        query = tried_sql(relation, {name: field}, kinds)
        try:
            connection.execute(f"SELECT count(t_{name}) FROM ({query})").fetchall()
        except duckdb.Error:
            shown = shorten(repr(field.field.expression), limit=160)
            faulty.append(f"  {place}.{field.field.name} = {shown}")
    if not faulty:
        return None
    listing = "\n".join(faulty)
    return DataError(
        f"{opened.file.path}: {len(faulty)} of {len(bound)} expressions fail on a row in a way "
        f"that stops the reading of all rows.\n{listing}\n"
        "Expected expressions that give a value or null on every row; a time zone from a column, "
        "for one, has to be known. "
        f"Fix: guard the expression with CASE WHEN in [{place}], or correct the file."
    )
