"""Reading JSON lines without losing a line."""

import codecs
from pathlib import Path

import duckdb

from features.errors import DataError, describe
from features.ingestion_faults import (
    MAX_UNREADABLE,
    cut_off,
    no_rows,
    too_many_unreadable,
    unreadable,
)
from features.ingestion_files import SourceFile
from features.ingestion_mapping import name_sql
from features.ingestion_text import open_bytes
from features.ingestion_time import quote

_OBJECTS = "winback_objects"
_HEAD_BYTES = 4096


def load_objects(connection: duckdb.DuckDBPyConnection, file: SourceFile, path: Path) -> list[str]:
    """Load the lines of a JSON file into a table; a line that is no JSON becomes null.

    Returns
    -------
    All keys of the objects, in name order.

    Raises
    ------
    DataError : no row, no object, an array, or a file that is cut off.
    """
    connection.execute(f"DROP TABLE IF EXISTS {_OBJECTS}")
    try:
        if _is_array(file):
            # DuckDB reads an array that is cut off without a word.
            raise DataError(
                describe(
                    file.path,
                    "the file is one JSON array",
                    expected="JSON lines: one object per line",
                    fix="convert it, for example with `jq -c '.[]'`",
                )
            )
        connection.execute(
            f"CREATE TEMP TABLE {_OBJECTS} AS SELECT json FROM read_json_objects("
            f"{quote(str(path))}, format = 'newline_delimited', ignore_errors = true)"
        )
    except EOFError as error:
        raise cut_off(file, "its gzip stream ends early") from error
    except duckdb.Error as error:
        raise unreadable(file, error, read=path) from error
    keys = connection.execute(
        f"SELECT DISTINCT unnest(json_keys(json)) AS key FROM {_OBJECTS} "
        "WHERE json_type(json) = 'OBJECT' ORDER BY key"
    ).fetchall()
    last_is_broken = connection.execute(
        f"SELECT json IS NULL FROM {_OBJECTS} ORDER BY rowid DESC LIMIT 1"
    ).fetchall()
    if not last_is_broken:
        raise no_rows(file)
    if last_is_broken[0][0] and not file.gzipped and not file.ends_with_newline:
        raise cut_off(file, "its last line is half a JSON object")
    if not keys:
        raise DataError(
            describe(
                file.path,
                "no line is a JSON object",
                expected='one object per line, such as {"customer_id": "17"}',
                fix="export the file as JSON lines",
            )
        )
    return [key for (key,) in keys]


def _is_array(file: SourceFile) -> bool:
    with open_bytes(file) as stream:
        return stream.read(_HEAD_BYTES).removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"["


def take_keys(
    connection: duckdb.DuckDBPyConnection,
    file: SourceFile,
    keys: list[str],
    columns: list[str],
    row_hash: str,
    *,
    table: str,
) -> list[int]:
    """Make `table` of the loaded objects: one text column per key, winback_row, winback_hash.

    Returns
    -------
    Rows that are no object, counted from 1 like winback_row.
    """
    paths = ", ".join(quote('$."' + key.replace('"', '\\"') + '"') for key in keys)
    listed = ", ".join(f"x[{number}] AS {name_sql(key)}" for number, key in enumerate(keys, 1))
    names = ", ".join([*map(name_sql, columns), f"{row_hash} AS winback_hash"])
    connection.execute(f"DROP TABLE IF EXISTS {table}")
    connection.execute(
        f"CREATE TEMP TABLE {table} AS SELECT winback_row, {names} FROM (SELECT winback_row, "
        f"{listed} FROM (SELECT rowid + 1 AS winback_row, json_extract_string(json, [{paths}]) "
        f"AS x FROM {_OBJECTS} WHERE json_type(json) = 'OBJECT'))"
    )
    broken = connection.execute(
        f"SELECT rowid + 1 FROM {_OBJECTS} "
        f"WHERE json_type(json) IS DISTINCT FROM 'OBJECT' ORDER BY 1 LIMIT {MAX_UNREADABLE}"
    ).fetchall()
    connection.execute(f"DROP TABLE {_OBJECTS}")
    if len(broken) >= MAX_UNREADABLE:
        raise too_many_unreadable(file)
    return [int(row) for (row,) in broken]
