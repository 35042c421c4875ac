"""Rejected values of a usual form are told with the line to write, and the line works."""

import tomllib
from pathlib import Path

import pytest
from ingest_home import ingest_text, stored

from features.source import CustomerSource, EventSource

EVENTS = "Kunde;Datum;Betrag;Menge;Betrag EUR\n"
FLAGS = "Kunde;Sperre;Mail ok\n"


def sales(home: Path, amount: str, *amounts: str) -> tuple[str, list[float | None]]:
    """What the first reject means, and the amounts stored, in the order of their rows."""
    home.mkdir()
    source = EventSource("Kunde", "Datum", "'order'", amount=amount)
    rows = "".join(f"{n};2026-01-02;{one};2;{one}\n" for n, one in enumerate(amounts))
    summary = ingest_text(home, EVENTS + rows, events=source)
    meaning = summary.rejects[0].meaning if summary.rejects else ""
    return meaning, [row["amount"] for row in stored(home)]


@pytest.mark.parametrize(
    ("expression", "amounts", "replaced", "expected"),
    [
        ("Betrag", ("12,50", "0,125", "-"), "replace(Betrag, ',', '.')", [12.5, 0.125]),
        (
            "Betrag",
            ("12,50", "1.234,5"),
            "replace(replace(Betrag, '.', ''), ',', '.')",
            [12.5, 1234.5],
        ),
        (
            "Betrag",
            ("12,50", "1.234"),  # the second is a number, but not the one that is meant
            "replace(replace(Betrag, '.', ''), ',', '.')",
            [12.5, 1234.0],
        ),
        ('"Betrag EUR"', ("3,5",), "replace(\"Betrag EUR\", ',', '.')", [3.5]),
    ],
)
def test_a_decimal_comma_is_told_with_the_line_that_reads_it(
    expression: str,
    amounts: tuple[str, ...],
    replaced: str,
    expected: list[float],
    tmp_path: Path,
) -> None:
    meaning, _ = sales(tmp_path / "a", expression, *amounts)
    assert meaning.startswith("not a number; decimal comma? write amount = ")
    assert tomllib.loads(meaning.partition("write ")[2]) == {"amount": replaced}
    assert sales(tmp_path / "b", replaced, *amounts)[1] == expected


def test_a_decimal_comma_in_a_computed_column_is_told_with_the_column(tmp_path: Path) -> None:
    for name, expression in (("a", "Menge * Betrag"), ("c", 'Menge * "Betrag EUR"')):
        column = expression.removeprefix("Menge * ")
        meaning, _ = sales(tmp_path / name, expression, "12,50", "0,5")
        replaced = f"replace({column}, ',', '.')::DOUBLE"
        assert meaning == f"not a number; decimal comma? write {replaced} in place of {column}"
        mended = expression.replace(column, replaced)
        assert sales(tmp_path / f"{name}-mended", mended, "12,50", "0,5")[1] == [25.0, 1.0]


@pytest.mark.parametrize(
    "amounts", [("many", "few"), ("12,50", "few", "many"), ("1,234", "5,678"), ("1,234.50",)]
)
def test_other_values_that_are_no_numbers_are_no_decimal_commas(
    amounts: tuple[str, ...], tmp_path: Path
) -> None:
    assert sales(tmp_path / "a", "Betrag", *amounts)[0] == "not a number"


def customers(home: Path, text: str, source: CustomerSource) -> dict[str, str]:
    home.mkdir()
    summary = ingest_text(home, FLAGS + text, kind="customers", customers=source)
    return {reject.column: reject.meaning for reject in summary.rejects}


def test_words_that_are_not_english_are_told_with_the_line_that_reads_them(tmp_path: Path) -> None:
    source = CustomerSource("Kunde", do_not_contact="Sperre")
    text = "1;Ja;\n2;nein;\n3; ja;\n4;;\n"
    (meaning,) = customers(tmp_path / "a", text, source).values()
    line = "do_not_contact = \"lower(trim(Sperre)) = 'ja'\""
    assert f"; other words? write {line}, with the word for true" in meaning
    mended = CustomerSource("Kunde", **tomllib.loads(line))
    assert customers(tmp_path / "b", text, mended) == {}
    flags = [row["do_not_contact"] for row in stored(tmp_path / "b", "customers")]
    assert sorted(flags, key=str) == [False, None, True, True]


def test_a_flag_is_told_by_its_key_and_with_quoted_names(tmp_path: Path) -> None:
    source = CustomerSource("Kunde", flags={"email_ok": '"Mail ok"'})
    (meaning,) = customers(tmp_path / "a", "1;;oui\n2;;non\n", source).values()
    assert 'write email_ok = "lower(trim(\\"Mail ok\\")) = \'ja\'",' in meaning
    assert "oui" not in meaning


def test_one_odd_word_among_known_ones_is_no_reason_to_compare(tmp_path: Path) -> None:
    source = CustomerSource("Kunde", do_not_contact="Sperre")
    words = ("yes", "Y", "TRUE", "t", "1", "no", "n", "False", "f", "0")
    text = "".join(f"{n};{word};\n" for n, word in enumerate(words)) + "x;perhaps;\n"
    (meaning,) = customers(tmp_path / "a", text, source).values()
    assert "other words" not in meaning
    assert len(stored(tmp_path / "a", "customers")) == len(words)
