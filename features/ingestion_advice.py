"""What to write instead where values of a usual form are rejected, without showing any."""

from collections.abc import Iterator, Mapping

import duckdb

from features.ingestion_expression import toml_line
from features.ingestion_mapping import BoundField, name_sql
from features.ingestion_stage import STAGED, StagePlan
from features.ingestion_time import quote
from features.ingestion_values import tried_sql

_LONGEST = 160
_THOUSANDS = r"[+-]?\d{1,3}(\.\d{3})+(,\d+)?"
# Not 1,234: three digits after a comma may as well be a thousand.
_DECIMAL_COMMA = r"[+-]?(\d+,(\d{1,2}|\d{4,})|(0|\d{4,}),\d+|\d{1,3}(\.\d{3})+,\d+)"


def advise(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    bound: Mapping[str, BoundField],
    plan: StagePlan,
    *,
    file: int,
) -> dict[int, str]:
    """Lines of winback.toml that would let most of the rejected values of one file in.

    Parameters
    ----------
    connection : holds the staged rows.
    relation, bound : what was staged, as in `stage_rows`.
    plan : the plan of this ingestion.
    file : number of the file.

    Returns
    -------
    Advice by rule code, for decimal commas and for other words than yes and no.
    """
    advice: dict[int, str] = {}
    for code, name in _failed_values(connection, plan, file):
        if plan.columns[name] == "number":
            text = _decimal_comma(connection, relation, name, bound[name], (file, code))
        else:
            text = _other_words(connection, name, bound[name], (file, code))
        if text:
            advice[code] = text
    return advice


def _failed_values(
    connection: duckdb.DuckDBPyConnection, plan: StagePlan, file: int
) -> Iterator[tuple[int, str]]:
    """Codes of the rules by which values were rejected as no number or flag; their columns."""
    names = {
        f"{name}_failed": name for name, kind in plan.columns.items() if kind in ("number", "flag")
    }
    found = connection.execute(
        f"SELECT DISTINCT rule FROM {STAGED} WHERE rule > 0 AND file = {file} ORDER BY rule"
    ).fetchall()
    for (code,) in found:
        name = names.get(plan.rules[code - 1].condition)
        if name is not None:
            yield code, name


def _decimal_comma(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    name: str,
    field: BoundField,
    rejected: tuple[int, int],
) -> str:
    if field.type == "VARCHAR":
        tried = tried_sql(relation, {name: field}, {name: "number"})
        values = f"SELECT winback_row, t_{name}.v AS v FROM ({tried})"
        replaced = _point_for_comma(connection, values, _shown(field), rejected)
        key = field.field.key
        return f"decimal comma? write {toml_line(key, replaced)}" if replaced else ""
    for column in sorted(field.columns):  # the expression computes with them
        plain = column if column.isidentifier() and column.isascii() else name_sql(column)
        values = f"SELECT winback_row, {name_sql(column)}::VARCHAR AS v FROM {relation}"
        replaced = _point_for_comma(connection, values, plain, rejected)
        if replaced:
            return f"decimal comma? write {replaced}::DOUBLE in place of {plain}"
    return ""


def _point_for_comma(
    connection: duckdb.DuckDBPyConnection, values: str, shown: str, rejected: tuple[int, int]
) -> str:
    """The SQL that makes most of the rejected values numbers; empty if they have no comma."""
    file, code = rejected
    rows, fit, thousands = connection.execute(
        "SELECT count(*) FILTER (rejected), "
        f"count(*) FILTER (rejected AND regexp_full_match(v, {quote(_DECIMAL_COMMA)})), "
        # Also accepted ones: where commas are decimal, 1.234 was taken for less than two.
        f"count(*) FILTER (regexp_full_match(v, {quote(_THOUSANDS)})) "
        "FROM (SELECT trim(v) AS v, winback_row IN "
        f"(SELECT row FROM {STAGED} WHERE file = {file} AND rule = {code}) AS rejected "
        f"FROM ({values}))"
    ).fetchall()[0]
    if 2 * fit <= rows:
        return ""
    without_thousands = f"replace({shown}, '.', '')" if thousands else shown
    return f"replace({without_thousands}, ',', '.')"


def _other_words(
    connection: duckdb.DuckDBPyConnection, name: str, field: BoundField, rejected: tuple[int, int]
) -> str:
    file, code = rejected
    failed, known = connection.execute(
        f"SELECT count(*) FILTER (rule = {code}), count({name}) FROM {STAGED} WHERE file = {file}"
    ).fetchall()[0]
    # Among known words an odd one is a slip, and comparing would read the known ones as false.
    if field.type != "VARCHAR" or failed <= known:
        return ""
    line = toml_line(field.field.key, f"lower(trim({_shown(field)})) = 'ja'")
    return f"other words? write {line}, with the word for true; all others are then false"


def _shown(field: BoundField) -> str:
    expression = field.field.expression.strip()
    return expression if len(expression) <= _LONGEST else "..."
