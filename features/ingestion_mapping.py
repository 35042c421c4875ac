"""Binding the configured SQL expressions to the raw columns of one file."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Literal

import duckdb

from features.errors import DataError, describe
from features.ingestion_expression import (
    ExpressionError,
    calls,
    expression_sql,
    parse_expression,
    references,
    select_list,
    shorten,
    toml_line,
)

FieldKind = Literal["text", "time", "number", "flag", "shares"]

_RAW_TYPES = ("VARCHAR", "DOUBLE", "BIGINT")
_MAX_COMBINATIONS = 243
_FRACTIONS = ("FLOAT", "DOUBLE", "DECIMAL")
_TIMES = ("DATE", "TIMESTAMP", "VARCHAR", '"NULL"')
SHARES_TYPES = ("MAP(", "STRUCT(", "JSON", "VARCHAR", '"NULL"')
_PLAIN_WITH_BRACKETS = ("DECIMAL", "ENUM")


@dataclass(frozen=True, slots=True)
class Field:
    """One value a source must or may deliver: its name in errors, kind and expression."""

    name: str
    kind: FieldKind
    expression: str

    @property
    def key(self) -> str:
        """The last part of the name, as it is written in its section of winback.toml."""
        return self.name.removeprefix("flags.").removeprefix("attributes.")


@dataclass(frozen=True, slots=True)
class BoundField:
    """A field whose expression is known to work on a file's columns.

    `sql` is the expression, with text cells cast to numbers where it needs them; `type` its
    DuckDB type; `columns` the raw columns it reads.
    """

    field: Field
    sql: str
    type: str
    columns: frozenset[str]


@dataclass(frozen=True, slots=True)
class RawColumns:
    """The columns of one file; in a `text` file all of them are VARCHAR."""

    path: str
    types: dict[str, str]
    text: bool
    hint: str = ""


def bind_fields(
    connection: duckdb.DuckDBPyConnection, fields: Sequence[Field], raw: RawColumns, *, place: str
) -> list[BoundField]:
    """Bind every expression, or report all that cannot be bound.

    In text files a cell is text. Where an expression does not accept text, the fewest
    columns that make it work are read as numbers, so `Quantity * Price` needs no casts and
    `customer_id` keeps its leading zeros.

    Parameters
    ----------
    connection : an open DuckDB connection; an empty table is made and dropped.
    fields : what to bind.
    raw : the file's columns.
    place : configuration section, for errors.

    Raises
    ------
    DataError : columns that do not exist, SQL faults, or values of a wrong type.
    """
    columns = ", ".join(f"{name_sql(name)} {kind}" for name, kind in raw.types.items())
    connection.execute(f"CREATE OR REPLACE TEMP TABLE winback_probe ({columns})")
    bound: list[BoundField] = []
    faults: list[str] = []
    for field in fields:
        try:
            bound.append(_bind_or_refuse(connection, field, raw))
        except ExpressionError as fault:
            shown, why = repr(field.expression), str(fault)
            faults.append(
                f"{place}.{field.name} = {shorten(shown, limit=160)}: {shorten(why, limit=400)}"
            )
    connection.execute("DROP TABLE winback_probe")
    if faults:
        listing = "\n".join(f"  {fault}" for fault in faults)
        available = ", ".join(raw.types)
        raise DataError(
            f"{raw.path}: {len(faults)} of {len(fields)} expressions do not fit the file.\n"
            f"{listing}\n  Columns of the file: {available}.{raw.hint}\n"
            f"Fix: correct [{place}] in winback.toml."
        )
    return bound


def check_time_format(
    connection: duckdb.DuckDBPyConnection, time_format: str | None, *, place: str
) -> None:
    """Make sure that a strptime pattern is one.

    Raises
    ------
    DataError : it is not.
    """
    try:
        connection.execute("SELECT try_strptime('', ?)", [time_format or "%Y"]).fetchall()
    except duckdb.Error as error:
        raise DataError(
            describe(
                f"{place}.time_format",
                f"{time_format!r} is no pattern: {str(error).splitlines()[0]}",
                expected='a strptime pattern such as "%d/%m/%Y %H:%M"',
                fix="correct the key",
            )
        ) from error


def name_sql(name: str) -> str:
    """A quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _bind_or_refuse(
    connection: duckdb.DuckDBPyConnection, field: Field, raw: RawColumns
) -> BoundField:
    try:
        return _bind(connection, field, raw)
    except RecursionError:
        raise ExpressionError(
            "is nested too deeply; expected at most about a hundred terms"
        ) from None
    except ExpressionError:
        line = _quoted_name(connection, field, raw)
        if line is None:
            raise
        raise ExpressionError(f"there is a column of that name: write {line}") from None


def _quoted_name(
    connection: duckdb.DuckDBPyConnection, field: Field, raw: RawColumns
) -> str | None:
    """The line with the column's name in quotes, if the expression is a name and that works."""
    known = {name.lower(): name for name in raw.types}
    name = known.get(field.expression.strip().lower())
    if name is None:
        return None
    try:
        _bind(connection, replace(field, expression=name_sql(name)), raw)
    except ExpressionError:
        return None
    return toml_line(field.key, name_sql(name))


def _bind(connection: duckdb.DuckDBPyConnection, field: Field, raw: RawColumns) -> BoundField:
    tree = parse_expression(connection, field.expression)
    known = {name.lower(): name for name in raw.types}
    named = [node["column_names"][-1] for node in references(tree)]
    used = list(dict.fromkeys(known[name.lower()] for name in named if name.lower() in known))
    if field.kind == "time" and any(map(_gives_utc_without_zone, calls(tree))):
        raise ExpressionError(
            "gives UTC without saying so, which would be read as local time: write "
            "to_timestamp(x) for seconds since 1970, to_timestamp(x / 1000) for milliseconds"
        )
    first_fault = ""
    for types in _type_choices(len(used), text=raw.text):
        try:
            sql = _with_types(connection, tree, dict(zip(used, types, strict=True)), known)
            kind = str(connection.sql(f"SELECT {sql} FROM winback_probe").types[0])
            _check_type(field, kind)
            # Run, not only bound: constant patterns are compiled when the query starts. The
            # table is empty, so what DuckDB says cannot hold a value.
            connection.execute(f"SELECT TRY({sql}) FROM winback_probe").fetchall()
        except duckdb.Error as error:
            first_fault = first_fault or str(error).splitlines()[0]
            continue
        return BoundField(field, sql, kind, frozenset(used))
    unknown = [name for name in named if name.lower() not in known]
    if unknown:
        raise ExpressionError(f"no column {', '.join(dict.fromkeys(unknown))}")
    raise ExpressionError(first_fault)


def _type_choices(n_columns: int, *, text: bool) -> list[tuple[str, ...]]:
    as_is = ("VARCHAR",) * n_columns
    if not text:
        return [as_is]
    if len(_RAW_TYPES) ** n_columns > _MAX_COMBINATIONS:
        return [as_is, ("DOUBLE",) * n_columns]
    choices = list(product(_RAW_TYPES, repeat=n_columns))
    return sorted(choices, key=lambda c: (sum(t != "VARCHAR" for t in c), c.count("BIGINT")))


def _with_types(
    connection: duckdb.DuckDBPyConnection, tree: Any, types: dict[str, str], known: dict[str, str]
) -> str:
    """The expression as SQL, with casts around the columns that are read as numbers."""
    casts = {
        column: parse_expression(connection, f"CAST({name_sql(column)} AS {kind})")
        for column, kind in types.items()
        if kind != "VARCHAR"
    }

    def rewrite(node: Any) -> Any:
        if isinstance(node, list):
            return [rewrite(value) for value in node]
        if not isinstance(node, dict):
            return node
        if node.get("type") == "COLUMN_REF":
            column = known.get(node["column_names"][-1].lower())
            return select_list(casts[column])[0] if column in casts else node
        return {key: rewrite(value) for key, value in node.items()}

    return expression_sql(connection, rewrite(tree) if casts else tree)


def _gives_utc_without_zone(call: Any) -> bool:
    name, n_arguments = call["function_name"], len(call.get("arguments", ()))
    return name in ("epoch_ms", "make_timestamp_ms", "make_timestamp_ns") or (
        name == "make_timestamp" and n_arguments == 1
    )


def _check_type(field: Field, kind: str) -> None:
    """Refuse value types that would be read wrongly in silence."""
    if field.kind == "shares":
        if not kind.startswith(SHARES_TYPES):
            raise ExpressionError(
                f"gives {kind}; expected text with a JSON object, or a map such as "
                "MAP {'none': 0.5, 'sms/none': 0.5}"
            )
        return
    nested = "(" in kind and not kind.startswith(_PLAIN_WITH_BRACKETS)
    if nested or kind.endswith("]") or kind in ("BLOB", "BIT"):
        raise ExpressionError(f"gives {kind}; expected one plain value per row")
    if field.kind == "text" and kind.startswith(_FRACTIONS):
        raise ExpressionError(
            f"gives {kind}; expected text or whole numbers, as 13085.0 is not 13085: "
            "write CAST(... AS BIGINT)::VARCHAR"
        )
    if field.kind == "time" and not kind.startswith(_TIMES):
        raise ExpressionError(
            f"gives {kind}; expected a time, a date or text: write to_timestamp(x) for "
            "seconds since 1970, to_timestamp(x / 1000) for milliseconds"
        )
    if field.kind == "number" and kind.startswith(("DATE", "TIME", "BOOLEAN", "INTERVAL")):
        raise ExpressionError(f"gives {kind}; expected a number")
    if field.kind == "flag" and kind.startswith(("DATE", "TIME", "INTERVAL")):
        raise ExpressionError(f"gives {kind}; expected true or false")
