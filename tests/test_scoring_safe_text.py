"""No text that a spreadsheet would run as a formula is left as it is."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.safe_text import neutralise, neutralise_text

SIGNS = "=+-@＝＋－＠"


@pytest.mark.parametrize(
    "text",
    [
        *(f"{sign}1+1" for sign in SIGNS),
        '=HYPERLINK("http://x.example","click")',
        "  =1+1",
        "\u00a0=1+1",
        "\u3000＝1+1",
        "\ufeff@SUM(A1)",
        "\u200b-2+3",
        "\x00=1",
        "\x0b\x0c+1",
        "\tabc",
        "\rabc",
        "\nabc",
        "\r\n=1",
        "-",
    ],
)
def test_formulas_get_an_apostrophe(text: str) -> None:
    assert neutralise_text(text) == f"'{text}"


@pytest.mark.parametrize(
    "text", ["", "abc", "007", "1=1", "a-b", " plain", "'=1", "e-mail", "📞 =", "退订", "1-2"]
)
def test_other_text_stays(text: str) -> None:
    assert neutralise_text(text) == text


@given(st.text(max_size=8), st.sampled_from(SIGNS), st.text(max_size=8))
def test_what_is_left_begins_no_formula(blank: str, sign: str, rest: str) -> None:
    safe = neutralise_text(blank + sign + rest)
    seen = safe.lstrip(" \u00a0\u3000\ufeff\u200b\x00")
    assert not seen or seen[0] not in SIGNS
    assert safe.endswith(blank + sign + rest)


def test_nulls_and_order_are_kept() -> None:
    column = pa.chunked_array([pa.array(["=1", None]), pa.array(["x"])])
    assert neutralise(column).to_pylist() == ["'=1", None, "x"]
