"""Text that a spreadsheet would run as a formula, made harmless."""

import pyarrow as pa
import pyarrow.compute as pc

# Spreadsheets skip blanks and invisible characters before a formula, and East Asian ones
# read the full-width signs as plain ones.
_FORMULA_START = r"^(?:[\t\r\n]|[\p{Z}\p{Cc}\p{Cf}]*[=+\-@＝＋－＠﹦﹢﹣﹫])"


def neutralise(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """Prefix text that a spreadsheet would run as a formula with an apostrophe.

    That is text which begins with one of = + - @, in plain or full width, blanks and
    invisible characters before it not counted, or with tab, carriage return or line feed.
    Nulls stay null.
    """
    risky = pc.match_substring_regex(column, _FORMULA_START)
    quoted = pc.binary_join_element_wise("'", column, "")
    return pc.if_else(pc.fill_null(risky, False), quoted, column)


def neutralise_text(text: str) -> str:
    """The same for one text: a header, a label, a line of the read-me."""
    [safe] = neutralise(pa.array([text], pa.string())).to_pylist()
    return str(safe)
