"""Reading one source file into DuckDB: raw rows, and the rows that cannot be read."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import duckdb

from features.errors import DataError, describe
from features.ingestion_faults import (
    MAX_UNREADABLE,
    no_rows,
    too_many_unreadable,
    unreadable,
)
from features.ingestion_files import SourceFile
from features.ingestion_json import load_objects, take_keys
from features.ingestion_mapping import RawColumns, name_sql
from features.ingestion_text import (
    CsvLayout,
    check_marks,
    find_codec,
    place_text,
    prepare_csv,
    rewrite_line_ends,
)
from features.ingestion_time import quote
from features.source import AssignmentSource, ContactSource, CustomerSource, EventSource

_RAW = "winback_raw"
_UNDECODABLE = "\ufffd"
_CSV_RULES = {
    "MISSING COLUMNS": "row_wrong_columns",
    "TOO MANY COLUMNS": "row_wrong_columns",
    "UNQUOTED VALUE": "row_bad_quotes",
    "INVALID ENCODING": "row_not_utf8",
}


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A file whose columns are known and whose rows are not read yet."""

    file: SourceFile
    raw: RawColumns
    path: Path
    layout: CsvLayout | None


@dataclass(frozen=True, slots=True)
class RawRows:
    """The rows of one file.

    `relation` is SQL with the raw columns, winback_row (numbers from 1) and winback_hash
    (of the whole raw row). `unreadable` holds (row, rule) of rows that cannot be read; its
    row numbers count all data rows. Where `readable_only`, winback_row counts readable rows.
    """

    relation: str
    rows: int
    unreadable: tuple[tuple[int, str], ...]
    readable_only: bool = False


def open_file(
    connection: duckdb.DuckDBPyConnection,
    file: SourceFile,
    source: EventSource | CustomerSource | ContactSource | AssignmentSource,
    *,
    place: str,
    stage: Path,
) -> OpenedFile:
    """Find out the columns of a file.

    Raises
    ------
    DataError : a fault of the whole file.
    """
    if file.format == "parquet":
        path = stage.with_suffix(".parquet")
        path.symlink_to(file.location.resolve())
        types = _unique(_parquet_types(connection, file, path), file)
        return OpenedFile(file, RawColumns(file.path, types, text=False), path, None)
    if file.format == "json":
        codec = find_codec(source.encoding, place)
        check_marks(file, codec, place)
        path = place_text(file, codec, stage, ".json")
        types = _unique(dict.fromkeys(load_objects(connection, file, path), "VARCHAR"), file)
        hint = "\n  JSON values are text; nested values are JSON text."
        return OpenedFile(file, RawColumns(file.path, types, text=True, hint=hint), path, None)
    layout = prepare_csv(
        file, delimiter=source.delimiter, encoding=source.encoding, place=place, stage=stage
    )
    types = dict.fromkeys(layout.columns, "VARCHAR")
    hint = ""
    if len(types) == 1:
        hint = f"\n  Only one column was found: is {layout.delimiter!r} the right delimiter?"
    if any(_UNDECODABLE in name for name in types):
        hint += f'\n  The header is not valid UTF-8; set encoding = "cp1252" in [{place}].'
    return OpenedFile(file, RawColumns(file.path, types, text=True, hint=hint), layout.path, layout)


def read_rows(
    connection: duckdb.DuckDBPyConnection,
    opened: OpenedFile,
    *,
    needed: Collection[str],
    whole_row: bool,
    encoding: str,
) -> RawRows:
    """Read the needed columns of an opened file.

    Parameters
    ----------
    connection : where tables for the rows are made; the next call replaces them.
    opened : the file.
    needed : columns the expressions use.
    whole_row : whether winback_hash covers all columns or only the needed ones.
    encoding : as configured, for files that must be rewritten.

    Raises
    ------
    DataError : a fault of the whole file.
    """
    columns = [name for name in opened.raw.types if name in needed]
    # Sorted, so that files with another column order give equal hashes.
    hashed = ", ".join(
        name_sql(name) for name in sorted(opened.raw.types if whole_row else columns)
    )
    row_hash = f"hash({hashed})" if hashed else "0::UBIGINT"
    if opened.file.format == "parquet":
        return _read_parquet(connection, opened, columns, row_hash)
    if opened.file.format == "json":
        broken = take_keys(
            connection, opened.file, list(opened.raw.types), columns, row_hash, table=_RAW
        )
        return RawRows(_RAW, _count(connection), tuple((row, "row_not_json") for row in broken))
    return _read_csv(connection, opened, columns, row_hash, encoding)


def _read_csv(
    connection: duckdb.DuckDBPyConnection,
    opened: OpenedFile,
    columns: list[str],
    row_hash: str,
    encoding: str,
) -> RawRows:
    layout = opened.layout
    if layout is None:
        raise ValueError("a CSV file without layout")
    try:
        _load_csv(connection, layout, layout.path, columns, row_hash)
    except duckdb.InvalidInputException:
        # Mixed line ends put DuckDB's parser into an invalid state.
        path = rewrite_line_ends(opened.file, encoding=encoding, place="", stage=layout.path)
        try:
            _load_csv(connection, layout, path, columns, row_hash)
        except duckdb.Error as error:
            raise unreadable(opened.file, error, read=path) from error
    except duckdb.Error as error:
        raise unreadable(opened.file, error, read=layout.path) from error
    rejected = _csv_rejects(connection, opened.file)
    rows = _count(connection)
    if rows + len(rejected) == 0:
        raise no_rows(opened.file)
    names = ", ".join([*map(name_sql, columns), "winback_hash"])
    relation = f"(SELECT rowid + 1 AS winback_row, {names} FROM {_RAW})"
    return RawRows(relation, rows, rejected, readable_only=True)


def _load_csv(
    connection: duckdb.DuckDBPyConnection,
    layout: CsvLayout,
    path: Path,
    columns: list[str],
    row_hash: str,
) -> None:
    for table in (_RAW, "reject_errors", "reject_scans"):
        connection.execute(f"DROP TABLE IF EXISTS {table}")
    struct = ", ".join(f"{quote(name)}: 'VARCHAR'" for name in layout.columns)
    mark = "'\"'" if layout.quoted else "''"
    selected = ", ".join([*map(name_sql, columns), f"{row_hash} AS winback_hash"])
    connection.execute(
        f"CREATE TEMP TABLE {_RAW} AS SELECT {selected} FROM read_csv({quote(str(path))}, "
        f"auto_detect = false, header = true, delim = {quote(layout.delimiter)}, quote = {mark}, "
        f"escape = {mark}, columns = {{{struct}}}, store_rejects = true, "
        f"rejects_limit = {MAX_UNREADABLE})"
    )


def _csv_rejects(
    connection: duckdb.DuckDBPyConnection, file: SourceFile
) -> tuple[tuple[int, str], ...]:
    found = connection.execute(
        "SELECT line - 1, any_value(error_type::VARCHAR), "
        r"bool_or(regexp_matches(rtrim(csv_line, chr(10) || chr(13)), '[\r\n]')) "
        "FROM reject_errors GROUP BY line ORDER BY line"
    ).fetchall()
    if len(found) >= MAX_UNREADABLE:
        raise too_many_unreadable(file)
    swallowed = [
        f"{file.path} row {row}"
        for row, kind, spans_lines in found
        if kind == "LINE SIZE OVER MAXIMUM" or (kind == "UNQUOTED VALUE" and spans_lines)
    ]
    if swallowed:
        raise DataError(
            describe(
                file.path,
                f"{len(swallowed)} quoted values run over the ends of their lines and swallow rows",
                examples=swallowed,
                expected='quotes that are closed, and doubled inside a value ("")',
                fix="correct the quotes, or export the file again; it may also be cut off",
            )
        )
    return tuple((int(row), _CSV_RULES.get(kind, "row_wrong_columns")) for row, kind, _ in found)


def _parquet_types(
    connection: duckdb.DuckDBPyConnection, file: SourceFile, path: Path
) -> dict[str, str]:
    try:
        relation = connection.sql(f"SELECT * FROM read_parquet({quote(str(path))})")
    except duckdb.Error as error:
        raise unreadable(file, error, read=path) from error
    return dict(zip(relation.columns, map(str, relation.types), strict=True))


def _read_parquet(
    connection: duckdb.DuckDBPyConnection, opened: OpenedFile, columns: list[str], row_hash: str
) -> RawRows:
    scan = f"read_parquet({quote(str(opened.path))}, file_row_number = true)"
    selected = [*map(name_sql, columns), f"{row_hash} AS winback_hash"]
    relation = f"(SELECT file_row_number + 1 AS winback_row, {', '.join(selected)} FROM {scan})"
    try:
        rows = connection.execute(f"SELECT count(*) FROM {scan}").fetchall()[0][0]
    except duckdb.Error as error:
        raise unreadable(opened.file, error, read=opened.path) from error
    if rows == 0:
        raise no_rows(opened.file)
    return RawRows(relation, int(rows), ())


def _unique(types: dict[str, str], file: SourceFile) -> dict[str, str]:
    """Refuse names that SQL cannot tell apart."""
    lowered = [name.lower() for name in types]
    repeated = [name for name in types if lowered.count(name.lower()) > 1]
    if repeated:
        raise DataError(
            describe(
                file.path,
                f"{len(repeated)} columns have names that differ only in case",
                examples=repeated,
                expected="names that stay different in lower case",
                fix="rename the columns in the source",
            )
        )
    return types


def _count(connection: duckdb.DuckDBPyConnection) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {_RAW}").fetchall()[0][0])
