"""Binding the configured SQL expressions to the raw columns of one file."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import duckdb

from features.errors import DataError, describe

FieldKind = Literal["text", "time", "number", "flag"]

_RAW_TYPES = ("VARCHAR", "DOUBLE", "BIGINT")
_MAX_COMBINATIONS = 243
_FRACTIONS = ("FLOAT", "DOUBLE", "DECIMAL")
_TIMES = ("DATE", "TIMESTAMP", "VARCHAR", '"NULL"')
_PLAIN_WITH_BRACKETS = ("DECIMAL", "ENUM")


@dataclass(frozen=True, slots=True)
class Field:
    """One value a source must or may deliver: its name in errors, kind and expression."""

    name: str
    kind: FieldKind
    expression: str


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
            bound.append(_bind(connection, field, raw))
        except _BindError as fault:
            faults.append(f"{place}.{field.name} = {field.expression!r}: {fault}")
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


class _BindError(Exception):
    """Why one expression cannot be bound."""


def _bind(connection: duckdb.DuckDBPyConnection, field: Field, raw: RawColumns) -> BoundField:
    tree = _parse(connection, field.expression)
    known = {name.lower(): name for name in raw.types}
    references = [node for node in _references(tree) if node["column_names"][-1].lower() in known]
    used = list(dict.fromkeys(known[node["column_names"][-1].lower()] for node in references))
    if field.kind == "time" and any(map(_gives_utc_without_zone, _calls(tree))):
        raise _BindError(
            "gives UTC without saying so, which would be read as local time: write "
            "to_timestamp(x) for seconds since 1970, to_timestamp(x / 1000) for milliseconds"
        )
    first_fault = ""
    for types in _type_choices(len(used), text=raw.text):
        sql = _with_types(connection, tree, dict(zip(used, types, strict=True)), known)
        try:
            kind = str(connection.sql(f"SELECT {sql} FROM winback_probe").types[0])
            _check_type(field, kind)
            connection.sql(f"SELECT TRY({sql}) FROM winback_probe")
        except (duckdb.BinderException, duckdb.CatalogException) as error:
            first_fault = first_fault or str(error).splitlines()[0]
            continue
        return BoundField(field, sql, kind, frozenset(used))
    unknown = [
        node["column_names"][-1]
        for node in _references(tree)
        if node["column_names"][-1].lower() not in known
    ]
    if unknown:
        raise _BindError(f"no column {', '.join(dict.fromkeys(unknown))}")
    raise _BindError(first_fault)


def _parse(connection: duckdb.DuckDBPyConnection, expression: str) -> Any:
    text = connection.execute(
        "SELECT json_serialize_sql(?::VARCHAR)", [f"SELECT ({expression})"]
    ).fetchall()[0][0]
    document = json.loads(text)
    if not expression.strip():
        raise _BindError("not a SQL expression: it is blank")
    if document["error"]:
        raise _BindError(f"not a SQL expression: {document['error_message']}")
    if len(document["statements"]) != 1 or len(_select_list(document)) != 1:
        raise _BindError("not one SQL expression")
    return document


def _select_list(document: Any) -> list[Any]:
    node = document["statements"][0]["node"]
    return list(node.get("select_list", []))


def _nodes(node: Any, kind: str) -> Iterator[Any]:
    if isinstance(node, dict):
        if node.get("type") == kind:
            yield node
        for value in node.values():
            yield from _nodes(value, kind)
    elif isinstance(node, list):
        for value in node:
            yield from _nodes(value, kind)


def _references(tree: Any) -> Iterator[Any]:
    return _nodes(tree, "COLUMN_REF")


def _calls(tree: Any) -> Iterator[Any]:
    return _nodes(tree, "FUNCTION")


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
        column: _parse(connection, f"CAST({name_sql(column)} AS {kind})")
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
            return _select_list(casts[column])[0] if column in casts else node
        return {key: rewrite(value) for key, value in node.items()}

    rewritten = json.dumps(rewrite(tree) if casts else tree)
    sql = connection.execute("SELECT json_deserialize_sql(?::JSON)", [rewritten]).fetchall()[0][0]
    return f"({str(sql).removeprefix('SELECT ')})"


def _gives_utc_without_zone(call: Any) -> bool:
    name, n_arguments = call["function_name"], len(call.get("arguments", ()))
    return name in ("epoch_ms", "make_timestamp_ms", "make_timestamp_ns") or (
        name == "make_timestamp" and n_arguments == 1
    )


def _check_type(field: Field, kind: str) -> None:
    """Refuse value types that would be read wrongly in silence."""
    nested = "(" in kind and not kind.startswith(_PLAIN_WITH_BRACKETS)
    if nested or kind.endswith("]") or kind in ("BLOB", "BIT"):
        raise _BindError(f"gives {kind}; expected one plain value per row")
    if field.kind == "text" and kind.startswith(_FRACTIONS):
        raise _BindError(
            f"gives {kind}; expected text or whole numbers, as 13085.0 is not 13085: "
            "write CAST(... AS BIGINT)::VARCHAR"
        )
    if field.kind == "time" and not kind.startswith(_TIMES):
        raise _BindError(
            f"gives {kind}; expected a time, a date or text: write to_timestamp(x) for "
            "seconds since 1970, to_timestamp(x / 1000) for milliseconds"
        )
    if field.kind == "number" and kind.startswith(("DATE", "TIME", "BOOLEAN", "INTERVAL")):
        raise _BindError(f"gives {kind}; expected a number")
    if field.kind == "flag" and kind.startswith(("DATE", "TIME", "INTERVAL")):
        raise _BindError(f"gives {kind}; expected true or false")
