"""Policies written by hand: "sms/none where silence_days >= 60", over a table of known columns."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.errors import MAX_EXAMPLES, UsageError, describe
from features.ingestion_expression import (
    ExpressionError,
    calls,
    expression_sql,
    parse_expression,
    references,
    shorten,
)
from pipelines.config_faults import nearest_name
from training.effect_sample import NO_CONTACT

Columns = Mapping[str, NDArray[Any]]

_CLAUSE = re.compile(r"^\s*(?P<action>[a-z0-9_]+(?:/[a-z0-9_]+)?)\s*(?:where\b(?P<condition>.*))?$")
_BOUNDARY = re.compile(r";(?=\s*[a-z0-9_]+(?:/[a-z0-9_]+)?\s*(?:where\b|;|$))")
_NODES = frozenset(
    {
        "BETWEEN",
        "CASE",
        "CAST",
        "COLUMN_REF",
        "COMPARISON",
        "CONJUNCTION",
        "CONSTANT",
        "FUNCTION",
        "OPERATOR",
        "TYPE",
    }
)
"""Kinds of expression that look at one row at a time and at nothing else."""

_FORM = '"sms/none where silence_days >= 60"; clauses are parted by semicolons'


@dataclass(frozen=True, slots=True)
class Clause:
    """An action for the rows that meet a condition; without one, for all."""

    action: str
    condition: str | None


@dataclass(frozen=True, slots=True)
class Rule:
    """A policy written by hand: each row gets the action of the first clause it meets."""

    text: str
    clauses: tuple[Clause, ...]


def parse_rule(text: str, *, actions: tuple[str, ...]) -> Rule:
    """Read a rule.

    Parameters
    ----------
    text : clauses parted by semicolons, each "ACTION" or "ACTION where CONDITION".
    actions : names of the known actions, "none" left out.

    Raises
    ------
    UsageError : it is not of that form, or names an action that is not configured.
    """
    clauses = []
    for part in _BOUNDARY.split(text):
        found = _CLAUSE.match(part.replace("\n", " "))
        if found is None:
            raise _fault(text, f"no clause: {shorten(part.strip(), limit=80)!r}")
        name, condition = found["action"], found["condition"]
        if name != "none" and name not in actions:
            hint = nearest_name(name, actions)
            raise UsageError(
                describe(
                    "--rule",
                    f"no action {name}; {hint}".rstrip("; ").rstrip("? "),
                    expected=f"none or one of {', '.join(actions)}",
                    fix="name a configured channel/offer",
                )
            )
        if condition is not None and not condition.strip():
            raise _fault(text, f"{name} has no condition after where")
        clauses.append(Clause(name, condition))
    return Rule(" ".join(text.split()), tuple(clauses))


def apply_rule(rule: Rule, columns: Columns, *, actions: tuple[str, ...]) -> NDArray[np.int16]:
    """The action of each row: the first clause whose condition is true, else no contact.

    A condition that is unknown (a missing value in it) is not met, as in SQL.

    Parameters
    ----------
    columns : what conditions may read, each of shape (n,); NaN and None are missing.
    actions : names of the actions in order.

    Returns
    -------
    Codes, shape (n,): `NO_CONTACT` or a place in `actions`.

    Raises
    ------
    UsageError : a condition is no expression over these columns alone, row by row, or is
        neither true nor false.
    """
    n_rows = len(next(iter(columns.values())))
    action = np.full(n_rows, NO_CONTACT, dtype=np.int16)
    undecided = np.ones(n_rows, dtype=np.bool_)
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SET enable_external_access = false")
        connection.register("logged", _table(columns))
        for clause in rule.clauses:
            met = undecided.copy()
            if clause.condition is not None:
                met &= _evaluate(connection, clause.condition, tuple(columns), rule)
            action[met] = NO_CONTACT if clause.action == "none" else actions.index(clause.action)
            undecided &= ~met
    return action


def _table(columns: Columns) -> pa.Table:
    types = {name: pa.string() for name, of in columns.items() if of.dtype == object}
    return pa.table(
        {
            name: pa.array(of, types.get(name, pa.float64()), from_pandas=True)
            for name, of in columns.items()
        }
    )


def _evaluate(
    connection: duckdb.DuckDBPyConnection, condition: str, columns: tuple[str, ...], rule: Rule
) -> NDArray[np.bool_]:
    try:
        tree = parse_expression(connection, condition)
        _check_tree(connection, tree, columns)
        sql = expression_sql(connection, tree)
        kind = str(connection.sql(f"SELECT {sql} AS met FROM logged LIMIT 0").types[0])
    except ExpressionError as fault:
        raise _fault(rule.text, shorten(str(fault), limit=300)) from fault
    except RecursionError as fault:
        raise _fault(rule.text, "a condition is nested too deeply") from fault
    except duckdb.Error as fault:
        raise _fault(rule.text, shorten(str(fault).splitlines()[0], limit=300)) from fault
    if kind != "BOOLEAN":
        raise _fault(rule.text, f"a condition gives {kind}, not true or false")
    try:
        met = connection.sql(f"SELECT coalesce({sql}, false) AS met FROM logged").fetchnumpy()
    except duckdb.Error as fault:
        # DuckDB's own text would show the value it stumbled over.
        raise _fault(rule.text, "a condition cannot be computed for every row") from fault
    return np.asarray(met["met"], dtype=np.bool_)


def _check_tree(connection: duckdb.DuckDBPyConnection, tree: Any, columns: tuple[str, ...]) -> None:
    """Refuse what reads other than the row's own columns, or changes from call to call."""
    strange = sorted(
        {kind.lower() for kind in _kinds(tree["statements"][0]["node"]["select_list"])}
        - {kind.lower() for kind in _NODES}
    )
    if strange:
        raise ExpressionError(f"holds {', '.join(strange)}; expected comparisons of columns")
    known = {name.lower() for name in columns}
    paths = [node["column_names"] for node in references(tree)]
    unknown = [".".join(path) for path in paths if len(path) > 1 or path[0].lower() not in known]
    if unknown:
        listing = ", ".join(dict.fromkeys(unknown[:MAX_EXAMPLES]))
        raise ExpressionError(f"no column {listing}; there are {', '.join(columns)}")
    for call in calls(tree):
        name = call["function_name"]
        found = connection.execute(
            "SELECT bool_and(function_type = 'scalar' AND stability = 'CONSISTENT') "
            "FROM duckdb_functions() WHERE function_name = ?",
            [name.lower()],
        ).fetchall()[0][0]
        if not found:
            raise ExpressionError(f"calls {name}, which does not decide from the row alone")


def _kinds(tree: Any) -> Iterator[str]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if isinstance(node.get("class"), str):
                yield node["class"]
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _fault(text: str, fault: str) -> UsageError:
    return UsageError(
        describe(
            f"--rule {shorten(text, limit=120)!r}", fault, expected=_FORM, fix="correct the rule"
        )
    )
