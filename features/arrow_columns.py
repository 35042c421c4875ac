"""Arrow columns as the flat arrays of a history."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.history import NO_CODE, NO_TIME
from features.kernels.columns import list_rows, pick_rows, translate_codes

_TIME = pa.timestamp("us", tz="UTC")


def time_values(column: Any) -> NDArray[np.int64]:
    """Microseconds since 1970-01-01 UTC, NO_TIME where null; shape (n_rows,)."""
    whole = column.cast(_TIME).cast(pa.int64())
    return _joined(whole.fill_null(NO_TIME) if whole.null_count else whole)


def _joined(column: Any) -> NDArray[Any]:
    """The column in one array, without copying if it is in one piece."""
    chunks = [chunk.to_numpy(zero_copy_only=True) for chunk in column.chunks]
    if len(chunks) == 1:
        return chunks[0]  # type: ignore[no-any-return]
    if not chunks:
        return np.empty(0, dtype=column.type.to_pandas_dtype())
    return np.concatenate(chunks)


def _parts(chunk: Any, dtype: Any) -> tuple[NDArray[Any], NDArray[np.uint8], int]:
    """Values, validity bitmap (empty without nulls) and the bitmap's shift of one array."""
    bitmap, data = chunk.buffers()
    values = _read_only(data, dtype)[chunk.offset : chunk.offset + len(chunk)]
    return values, _read_only(bitmap if chunk.null_count else None, np.uint8), chunk.offset


def _read_only(buffer: Any, dtype: Any) -> NDArray[Any]:
    """A view that is never writable, so that numba sees one type of array."""
    view = np.empty(0, dtype=dtype) if buffer is None else np.frombuffer(buffer, dtype=dtype)
    view.flags.writeable = False
    return view


def encoded(column: Any) -> Any:
    """The column as dictionary codes, with one dictionary for all its chunks."""
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    return column.unify_dictionaries() if column.num_chunks > 1 else column


def words_of(column: Any) -> Any:
    """The dictionary of an `encoded` column as an Arrow string array."""
    if column.num_chunks == 0:
        return pa.array([], pa.string())
    return column.chunk(0).dictionary.cast(pa.string())


def translated(column: Any, table: NDArray[np.int32], dtype: Any = np.int32) -> NDArray[Any]:
    """Codes of an `encoded` column mapped through `table`, NO_CODE where null.

    `table` has one entry per word of the column's dictionary.
    """
    if len(table) == 0:
        return np.full(len(column), NO_CODE, dtype=dtype)
    out = np.empty(len(column), dtype=dtype)
    row = 0
    for chunk in column.chunks:
        place = out[row : row + len(chunk)]
        values, valid, shift = _parts(chunk.indices.cast(pa.int32()), np.int32)
        translate_codes(values, valid, shift, table, place)
        row += len(chunk)
    return out


def codes_of(column: Any) -> NDArray[np.int32]:
    """Codes of an `encoded` column as they are, NO_CODE where null; shape (n_rows,)."""
    if column.null_count == 0 and column.num_chunks == 1:
        return _joined(pa.chunked_array([column.chunk(0).indices.cast(pa.int32())]))
    return translated(column, np.arange(len(words_of(column)), dtype=np.int32))


def picked_money(column: Any, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Amounts of some rows, NaN where null; `rows` ascend; shape (n_picked,)."""
    chunks = column.cast(pa.float64()).chunks
    return _picked(chunks, rows, np.empty(len(rows), dtype=np.float64), np.nan)


def picked_codes(column: Any, rows: NDArray[np.int64]) -> NDArray[np.int32]:
    """Codes of some rows of an `encoded` column, NO_CODE where null; `rows` ascend."""
    chunks = [chunk.indices.cast(pa.int32()) for chunk in column.chunks]
    return _picked(chunks, rows, np.empty(len(rows), dtype=np.int32), np.int32(NO_CODE))


def _picked(
    chunks: Sequence[Any], rows: NDArray[np.int64], out: NDArray[Any], missing: Any
) -> NDArray[Any]:
    start = 0
    for chunk in chunks:
        first, last = np.searchsorted(rows, (start, start + len(chunk)))
        values, valid, shift = _parts(chunk, out.dtype)
        pick_rows(values, valid, shift, rows[first:last] - start, missing, out[first:last])
        start += len(chunk)
    return out


def rows_with(
    column: Any | None, event_type: NDArray[np.int16], marked: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Rows of a marked type and rows with a value in `column`, ascending; shape (n_rows,).

    Rows whose type is NO_CODE are left out. `marked` has shape (n_event_types,).
    """
    lengths = [len(event_type)] if column is None else [len(chunk) for chunk in column.chunks]
    rows = np.empty(len(event_type) + 1, dtype=np.int64)
    listed = start = 0
    for number, length in enumerate(lengths):
        valid, shift, kinds = _read_only(None, np.uint8), 0, marked
        if column is not None:
            codes = column.chunk(number).indices
            _, valid, shift = _parts(codes, np.uint8)
            kinds = np.ones_like(marked) if codes.null_count == 0 else marked
        place = rows[listed : listed + length + 1]
        found = list_rows(kinds, event_type[start : start + length], valid, shift, place)
        place[:found] += start
        listed += found
        start += length
    return rows[:listed].copy()


def positions_in(words: Any, known: Sequence[str] | Any) -> NDArray[np.int32]:
    """Position of each word in `known`, NO_CODE for one that is not there."""
    values = known if isinstance(known, pa.Array) else pa.array(known, pa.string())
    found = pc.index_in(words, value_set=values)
    return found.fill_null(NO_CODE).to_numpy(zero_copy_only=False).astype(np.int32)  # type: ignore[no-any-return]


def ranks(words: Any) -> NDArray[np.int32]:
    """Rank of each distinct word in byte order; shape (n_words,)."""
    order = pc.sort_indices(words).to_numpy()
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return rank


def ascends(words: Any) -> bool:
    """Whether each word is greater than the one before."""
    if len(words) < 2:
        return True
    return bool(pc.all(pc.less(words.slice(0, len(words) - 1), words.slice(1))).as_py())
