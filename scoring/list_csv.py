"""A table as CSV: for any tool, safe to open in a spreadsheet."""

import io
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from scoring.export_plan import Delimiter, Encoding
from scoring.safe_text import neutralise, neutralise_text

_TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def render_csv(
    table: pa.Table,
    *,
    columns: Mapping[str, str] | None = None,
    delimiter: Delimiter = ",",
    encoding: Encoding = "utf-8",
) -> bytes:
    """The rows as text: times in UTC with Z, null as nothing, text in quotes.

    Parameters
    ----------
    columns : what is shown, in order, by its name in the table with its name in the file;
        null means all columns as they are. A column the table lacks, as those of an
        earlier schema version do, is empty.
    """
    shown = {name: name for name in table.column_names} if columns is None else columns
    text = pa.table(
        [_as_text(column_or_null(table, name)) for name in shown],
        # Names of a file may be anything, so they are written apart from the values.
        names=[str(place) for place in range(len(shown))],
    )
    sink = io.BytesIO()
    sink.write(f"{delimiter.join(_quoted(name) for name in shown.values())}\n".encode())
    options = pacsv.WriteOptions(include_header=False, quoting_style="needed", delimiter=delimiter)
    pacsv.write_csv(text, sink, options)
    content = sink.getvalue()
    return content if encoding == "utf-8" else content.decode().encode(encoding)


def column_or_null(table: pa.Table, name: str) -> pa.ChunkedArray:
    """A column, or nulls in its place."""
    if name in table.column_names:
        return table[name]
    return pa.chunked_array([pa.nulls(table.num_rows, pa.string())])


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_timestamp(column.type):
        seconds = column.cast(pa.timestamp("s", tz="UTC"), safe=False)
        return pc.strftime(seconds, format=_TIME_FORMAT)
    return neutralise(column) if pa.types.is_string(column.type) else column


def _quoted(name: str) -> str:
    return '"' + neutralise_text(name).replace('"', '""') + '"'
