"""From raw cells to typed values: every expression is tried, and a failure is noted.

The layers are nested queries because DuckDB evaluates a repeated expression repeatedly once
the optimizer that would join them is off (it breaks TRY, see features.ingestion).
"""

from collections.abc import Mapping

from features.ingestion_mapping import BoundField
from features.ingestion_time import has_zone_sql, is_zoned, naive_sql, zoned_sql

_BLANKS = ("' '", "chr(9)", "chr(10)", "chr(13)", "chr(160)")
_TRUE = "('true', 't', 'yes', 'y', '1', '1.0')"
_FALSE = "('false', 'f', 'no', 'n', '0', '0.0')"
SHARES_SQL = "MAP(VARCHAR, DOUBLE)"
_NULLS = {
    "text": "NULL::VARCHAR",
    "number": "NULL::DOUBLE",
    "flag": "NULL::BOOLEAN",
    "shares": f"NULL::{SHARES_SQL}",
}


def values_sql(
    relation: str, bound: dict[str, BoundField], columns: dict[str, str], time_format: str | None
) -> str:
    """The query that evaluates all expressions over the raw rows `where` keeps.

    Parameters
    ----------
    relation : SQL of the raw rows with winback_row and winback_hash.
    bound : bound fields by staged column; columns without a field become null.
    columns : staged columns and their kinds.
    time_format : strptime pattern of text times.

    Returns
    -------
    SQL with winback_row, winback_hash, where_failed, and per column `c` of kind text, number
    or flag `c` and `c_failed`; per time that is bound `c_local`, `c_zoned` and `c_failed`.
    """
    return _typed(
        _zoned(_trimmed(tried_sql(relation, bound, columns), bound, columns), bound, columns),
        bound,
        columns,
        time_format,
    )


def tried_sql(relation: str, bound: Mapping[str, BoundField], columns: Mapping[str, str]) -> str:
    """The innermost query: t_c is null where the expression of c fails, else {v: value}."""
    tried = [
        f"TRY({{'v': {_cast(bound[name], kind)}}}) AS t_{name}"
        for name, kind in columns.items()
        if name in bound
    ]
    keep, where = "", "false AS where_failed"
    if "where" in bound:
        condition = f"TRY({{'v': CAST({bound['where'].sql} AS BOOLEAN)}})"
        tried.append(f"{condition} AS t_where")
        keep, where = "WHERE t_where IS NULL OR t_where.v", "t_where IS NULL AS where_failed"
    inner = f"SELECT winback_row, winback_hash, {', '.join(tried)} FROM {relation}"
    return f"SELECT *, {where} FROM ({inner}) {keep}"


def _trimmed(query: str, bound: dict[str, BoundField], columns: dict[str, str]) -> str:
    """Unpack: c_given is the value, without blanks around text."""
    unpacked = []
    for name, kind in columns.items():
        if name in bound:
            value = f"t_{name}.v"
            given = _trim(value) if _is_text(bound[name], kind) else value
            unpacked.append(f"{given} AS {name}_given, t_{name} IS NULL AS {name}_broken")
    return f"SELECT winback_row, winback_hash, where_failed, {', '.join(unpacked)} FROM ({query})"


def _zoned(query: str, bound: dict[str, BoundField], columns: dict[str, str]) -> str:
    """Tell text times with a zone from those without."""
    marks = [
        f", {has_zone_sql(f'{name}_given')} AS {name}_has_zone"
        for name, kind in columns.items()
        if kind == "time" and name in bound and bound[name].type == "VARCHAR"
    ]
    return f"SELECT *{''.join(marks)} FROM ({query})" if marks else query


def _typed(
    query: str, bound: dict[str, BoundField], columns: dict[str, str], time_format: str | None
) -> str:
    """Convert to the contract's types; what cannot be converted has failed."""
    values, checks = [], []
    for name, kind in columns.items():
        given, failed = f"{name}_given", f"{name}_broken AS {name}_failed"
        if name not in bound:
            if kind != "time":
                values.append(f"{_NULLS[kind]} AS {name}")
                checks.append(f"{name}, false AS {name}_failed")
            continue
        values.append(f"{name}_broken")
        if kind == "time":
            values.append(f"{naive_sql(given, bound[name].type, time_format)} AS {name}_local")
            values.append(f"{zoned_sql(given, bound[name].type, time_format)} AS {name}_zoned")
            values.append(f"{given} IS NOT NULL AS {name}_is_given")
            unparsable = f"({name}_is_given AND {name}_local IS NULL AND {name}_zoned IS NULL)"
            checks.append(f"{name}_local, {name}_zoned")
            failed = f"{name}_broken OR {unparsable} AS {name}_failed"
        elif kind == "text":
            values.append(f"{given} AS {name}")
            checks.append(name)
        else:
            values.append(f"{_converted(given, kind)} AS {name}")
            values.append(f"{given} IS NOT NULL AS {name}_is_given")
            checks.append(name)
            failed = f"{name}_broken OR ({name}_is_given AND {name} IS NULL) AS {name}_failed"
        checks.append(failed)
    keep = "winback_row, winback_hash, where_failed"
    typed = f"SELECT {keep}, {', '.join(values)} FROM ({query})"
    return f"SELECT {keep}, {', '.join(checks)} FROM ({typed})"


def _cast(field: BoundField, kind: str) -> str:
    if _is_text(field, kind):
        return f"CAST({field.sql} AS VARCHAR)"
    if kind == "number":
        return f"CAST({field.sql} AS DOUBLE)"
    if kind == "shares":
        # A struct, as Parquet and nested JSON give it, becomes a map by way of its JSON.
        is_map = field.type.startswith("MAP(")
        return f"CAST({field.sql} AS {SHARES_SQL})" if is_map else f"to_json({field.sql})::VARCHAR"
    # Null, dates and every precision of TIMESTAMP, but a time with its zone keeps it.
    target = "TIMESTAMPTZ" if is_zoned(field.type) else "TIMESTAMP"
    return f"CAST({field.sql} AS {target})"


def _is_text(field: BoundField, kind: str) -> bool:
    return kind in ("text", "flag") or field.type == "VARCHAR"


def _trim(value: str) -> str:
    # trim with a set of characters is slow, so it runs only where it has work.
    ends = " OR ".join(f"suffix({value}, {blank})" for blank in _BLANKS)
    trimmed = f"nullif(trim({value}, {' || '.join(_BLANKS)}), '')"
    needed = f"{value} < '!' OR prefix({value}, chr(160)) OR {ends}"
    return f"CASE WHEN {needed} THEN {trimmed} ELSE {value} END"


def _converted(given: str, kind: str) -> str:
    if kind == "number":
        return _number(given)
    return _flag(given) if kind == "flag" else _shares(given)


def _number(given: str) -> str:
    return f"TRY_CAST({given} AS DOUBLE)"


def _shares(given: str) -> str:
    """A map sorted by its keys, so that the order in which a source lists them is nothing."""
    # Of a map the cast to JSON is not needed, but it is cheap and one way serves all.
    read = f"TRY_CAST(TRY_CAST({given} AS JSON) AS {SHARES_SQL})"
    return f"map_from_entries(list_sort(map_entries({read})))"


def _flag(given: str) -> str:
    return (
        f"CASE WHEN lower({given}) IN {_TRUE} THEN true "
        f"WHEN lower({given}) IN {_FALSE} THEN false END"
    )
