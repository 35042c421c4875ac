import tomllib
from collections.abc import Sequence

import duckdb
import pytest

from features.errors import DataError
from features.ingestion_mapping import (
    BoundField,
    Field,
    FieldKind,
    RawColumns,
    bind_fields,
    name_sql,
)

TEXT_COLUMNS = ("Quantity", "Price", "Invoice", "Customer ID", 'we"ird', "ts")


def raw(text: bool = True, **types: str) -> RawColumns:
    return RawColumns("in.csv", types or dict.fromkeys(TEXT_COLUMNS, "VARCHAR"), text)


def bind(fields: Sequence[Field], columns: RawColumns) -> list[BoundField]:
    with duckdb.connect() as connection:
        return bind_fields(connection, fields, columns, place="sources.events")


@pytest.mark.parametrize(
    ("kind", "expression", "type_name", "columns"),
    [
        ("number", "Quantity * Price", "DOUBLE", {"Quantity", "Price"}),
        ("number", "Quantity", "VARCHAR", {"Quantity"}),
        ("text", "quantity", "VARCHAR", {"Quantity"}),
        ("text", '"Customer ID"', "VARCHAR", {"Customer ID"}),
        ("text", '"we""ird"', "VARCHAR", {'we"ird'}),
        ("text", "CAST(Invoice AS BIGINT)::VARCHAR", "VARCHAR", {"Invoice"}),
        ("text", "'order'", "VARCHAR", set()),
        ("text", "Invoice || '-' || Quantity", "VARCHAR", {"Invoice", "Quantity"}),
        ("time", "to_timestamp(ts)", "TIMESTAMP WITH TIME ZONE", {"ts"}),
        ("time", "ts::TIMESTAMP AT TIME ZONE 'UTC'", "TIMESTAMP WITH TIME ZONE", {"ts"}),
        ("flag", "Quantity > 0", "BOOLEAN", {"Quantity"}),
        ("flag", "Invoice LIKE 'C%' AND Quantity < 0", "BOOLEAN", {"Invoice", "Quantity"}),
        ("text", "list_transform([Invoice], lambda x: x || '!')[1]", "VARCHAR", {"Invoice"}),
        ("number", "NULL", '"NULL"', set()),
    ],
)
def test_text_is_read_as_numbers_only_where_sql_needs_it(
    kind: FieldKind,
    expression: str,
    type_name: str,
    columns: set[str],
) -> None:
    (bound,) = bind([Field("x", kind, expression)], raw())
    assert bound.type == type_name
    assert bound.columns == columns


def test_native_types_are_never_cast() -> None:
    columns = raw(text=False, Quantity="INTEGER", Price="DECIMAL(9,2)")
    (bound,) = bind([Field("amount", "number", "Quantity * Price")], columns)
    assert "CAST" not in bound.sql
    assert bound.type.startswith("DECIMAL")


@pytest.mark.parametrize(
    ("kind", "expression", "fault"),
    [
        ("number", "Quantiti * Preis", "no column Quantiti, Preis"),
        ("text", "Invoice ||", "not a SQL expression"),
        ("text", "", "not a SQL expression"),
        ("text", "1) FROM x; SELECT (2", "not one SQL expression"),
        ("text", "Invoice, Price", "one plain value"),
        ("text", "[Invoice]", "one plain value"),
        ("text", "Quantity * 2", "13085.0 is not 13085"),
        ("time", "Quantity * 2", "to_timestamp"),
        ("time", "epoch_ms(ts)", "read as local time"),
        ("time", "make_timestamp(ts)", "read as local time"),
        ("number", "Quantity > 1", "expected a number"),
        ("number", "ts::TIMESTAMP", "expected a number"),
        ("flag", "ts::TIMESTAMP", "expected true or false"),
        ("number", "nofunction(Quantity)", "nofunction"),
        ("number", "sum(Quantity)", "sum"),
        ("number", "random()", "volatile"),
        ("number", "(SELECT 1)", "subquery"),
        ("number", "row_number() OVER ()", "window"),
        ("text", "regexp_replace(Invoice, '(', '')", "missing ): ("),
        ("text", "strptime(Invoice, '%Q')", "format specifier %Q"),
        ("number", "$1", "parameters: 1"),
        ("text", "*", "STAR"),
    ],
)
def test_what_cannot_work_is_said_before_any_row_is_read(
    kind: FieldKind, expression: str, fault: str
) -> None:
    with pytest.raises(DataError) as raised:
        bind([Field("x", kind, expression)], raw())
    message = str(raised.value)
    assert fault in message
    assert f"sources.events.x = {expression!r}" in message
    assert "Columns of the file: Quantity, Price, Invoice, Customer ID" in message


def test_all_faults_are_told_at_once() -> None:
    fields = [Field("a", "text", "nope"), Field("b", "text", "Invoice"), Field("c", "text", "nix")]
    with pytest.raises(DataError, match="2 of 3 expressions") as raised:
        bind(fields, raw())
    assert "no column nope" in str(raised.value)
    assert "no column nix" in str(raised.value)


@pytest.mark.parametrize(
    ("column", "expression", "line"),
    [
        ("Kunde seit", "Kunde seit", "x = '\"Kunde seit\"'"),
        ("Kunde seit", " kunde SEIT ", "x = '\"Kunde seit\"'"),
        ("Kunden-Nr.", "Kunden-Nr.", "x = '\"Kunden-Nr.\"'"),
        ("Group", "group", "x = '\"Group\"'"),
        ("Kunde's Nr", "Kunde's Nr", 'x = "\\"Kunde\'s Nr\\""'),
    ],
)
def test_a_bare_name_that_sql_cannot_read_is_told_with_its_quotes(
    column: str, expression: str, line: str
) -> None:
    columns = RawColumns("in.csv", {column: "VARCHAR", "other": "VARCHAR"}, text=True)
    with pytest.raises(DataError) as raised:
        bind([Field("x", "time", expression)], columns)
    assert f"there is a column of that name: write {line}\n" in str(raised.value)
    written = tomllib.loads(line)["x"]
    (bound,) = bind([Field("x", "time", written)], columns)
    assert bound.columns == {column}


def test_quotes_are_not_advised_where_they_do_not_help() -> None:
    columns = raw(text=False, ts="BIGINT")
    with pytest.raises(DataError, match="to_timestamp") as raised:
        bind([Field("x", "time", "ts")], columns)
    assert "of that name" not in str(raised.value)


def test_names_are_quoted() -> None:
    assert name_sql('a"b') == '"a""b"'


def test_a_nul_character_in_an_expression_is_refused() -> None:
    for expression in ("Invoice\0", "'\0'"):
        with pytest.raises(DataError, match=r"sources.events.x = .*: not one SQL expression"):
            bind([Field("x", "text", expression)], raw())


@pytest.mark.parametrize(
    ("kind", "expression", "fault"),
    [
        ("flag", "Invoice IN (SELECT column0 FROM read_csv('/etc/passwd'))", "holds a subquery"),
        ("flag", "(SELECT count(*) FROM '/etc/hostname') > 0", "holds a subquery"),
        ("flag", "EXISTS (FROM '/etc/hostname')", "holds a subquery"),
        ("text", "ARRAY(SELECT content FROM read_text('/etc/hostname'))[1]", "holds a subquery"),
        ("text", "read_text('/etc/hostname')", "is a table function"),
        ("text", "Invoice) FROM '/etc/hostname' --", "goes on as a query"),
        ("text", "Invoice) FROM read_csv('/etc/passwd') WHERE (true", "goes on as a query"),
        ("text", "Invoice) WHERE (true", "goes on as a query"),
        ("text", "Invoice) ORDER BY (1", "goes on as a query"),
        ("text", "Invoice) UNION SELECT (column0) FROM read_csv('/etc/passwd') --", "not one SQL"),
        ("text", "1); COPY (SELECT 1) TO '/tmp/x.csv'; SELECT (1", "not a SQL expression"),
    ],
)
def test_an_expression_that_reads_a_file_is_refused_unread(
    kind: FieldKind, expression: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bound(*_: object) -> str:
        raise AssertionError("the expression was bound, which opens the files it names")

    if "table function" not in fault:
        monkeypatch.setattr("features.ingestion_mapping.expression_sql", bound)
    with pytest.raises(DataError, match=r"sources.events.x = ") as raised:
        bind([Field("x", kind, expression)], raw())
    assert fault in str(raised.value)


def test_an_expression_of_thousands_of_terms_is_shortened_in_the_error() -> None:
    for count, fault in ((3000, "Max expression depth"), (700, "nested too deeply")):
        with pytest.raises(DataError, match=fault) as raised:
            bind([Field("x", "text", f"[{' || '.join(['Invoice'] * count)}]")], raw())
        assert "characters ..." in str(raised.value)
        assert len(str(raised.value)) < 800


def test_a_sum_of_a_hundred_terms_is_bound() -> None:
    (bound,) = bind([Field("x", "number", " + ".join(["Quantity"] * 100))], raw())
    assert bound.columns == {"Quantity"}
