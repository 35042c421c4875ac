"""Configured SQL expressions as syntax trees: what they call, read, and may not hold."""

import json
from collections.abc import Iterator
from typing import Any

import duckdb

_POSITIONS = ("query_location", "query_location_length")


class ExpressionError(Exception):
    """Why one expression cannot be used."""


def parse_expression(connection: duckdb.DuckDBPyConnection, expression: str) -> Any:
    """The syntax tree of `SELECT (expression)`.

    Nothing is bound here, so a file that the text names is not opened.

    Raises
    ------
    ExpressionError : it is not one expression over columns. Subqueries and whatever else
        could read a file or table of its own are refused.
    """
    if not expression.strip():
        raise ExpressionError("not a SQL expression: it is blank")
    if "\0" in expression:
        raise ExpressionError("not one SQL expression: it holds a NUL character")
    document = _parse(connection, f"SELECT ({expression})")
    if document["error"]:
        raise ExpressionError(f"not a SQL expression: {document['error_message']}")
    if len(document["statements"]) != 1 or len(select_list(document)) != 1:
        raise ExpressionError("not one SQL expression")
    if any(_nodes(document, "SUBQUERY")):
        raise ExpressionError("holds a subquery; expected an expression over the raw columns only")
    # A bracket closed too early and a comment can smuggle in a FROM.
    if _frame(document) != _frame(_parse(connection, "SELECT (1)")):
        raise ExpressionError("not one SQL expression: it goes on as a query")
    return document


def expression_sql(connection: duckdb.DuckDBPyConnection, tree: Any) -> str:
    """The SQL text of a syntax tree, in brackets."""
    text = connection.execute("SELECT json_deserialize_sql(?::JSON)", [json.dumps(tree)])
    return f"({str(text.fetchall()[0][0]).removeprefix('SELECT ')})"


def select_list(tree: Any) -> list[Any]:
    """The expressions of a parsed SELECT; empty for other queries."""
    return list(tree["statements"][0]["node"].get("select_list", []))


def references(tree: Any) -> Iterator[Any]:
    """The column references of a syntax tree."""
    return _nodes(tree, "COLUMN_REF")


def calls(tree: Any) -> Iterator[Any]:
    """The function calls of a syntax tree."""
    return _nodes(tree, "FUNCTION")


def shorten(text: str, *, limit: int) -> str:
    """A text that fits an error message: one of more than `limit` characters loses its middle."""
    if len(text) <= limit:
        return text
    half = limit // 2
    left_out = len(text) - 2 * half
    return f"{text[:half]} ... {left_out:,} characters ... {text[-half:]}"


def toml_line(key: str, expression: str) -> str:
    """The line of winback.toml that sets a key to an expression."""
    if "\n" not in expression and "\\" not in expression and '"' not in expression:
        return f'{key} = "{expression}"'
    if "\n" not in expression and "'" not in expression:
        return f"{key} = '{expression}'"
    return f"{key} = {json.dumps(expression, ensure_ascii=False)}"


def _parse(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    text = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchall()[0][0]
    return json.loads(text)


def _frame(tree: Any) -> Any:
    """A parsed statement without its select list and positions."""
    node = tree["statements"][0]["node"]
    frame = {key: value for key, value in node.items() if key != "select_list"}
    table = frame.get("from_table") or {}
    frame["from_table"] = {k: v for k, v in table.items() if k not in _POSITIONS}
    return frame


def _nodes(tree: Any, kind: str) -> Iterator[Any]:
    # Not recursive: a sum of many terms is nested deeper than Python likes.
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if node.get("type") == kind:
                yield node
            waiting += reversed(node.values())
        elif isinstance(node, list):
            waiting += reversed(node)
