"""Writing the Parquet files of one commit: sorted, one run per partition, with statistics."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from features.contract import TableContract

ROW_GROUP_ROWS = 1_000_000
"""Large row groups decode fastest; a bucket is read whole anyway."""

_DICTIONARY_BYTES = 32 * 1024 * 1024


@dataclass(slots=True)
class _OpenFile:
    """The file of the partition being written, and what its statistics need."""

    partition: int | None
    path: str
    writer: Any
    pending: list[Any]
    pending_rows: int
    rows: int
    first: datetime | None
    last: datetime | None


class PartitionWriter:
    """Writes a stream of batches, grouped by partition, as one file per partition.

    Nothing is visible to readers until the add actions of `close` are committed; files of a
    writer that never commits are orphans that Delta's vacuum removes.

    Parameters
    ----------
    contract : the table; at most one partition column, an integer.
    filesystem : where the table's root is "".
    file_stem : part of every file name, unique per commit.
    """

    def __init__(
        self,
        contract: TableContract,
        *,
        filesystem: pafs.FileSystem,
        file_stem: str,
    ) -> None:
        self._contract = contract
        self._filesystem = filesystem
        self._file_stem = file_stem
        self._open: _OpenFile | None = None
        self._actions: list[AddAction] = []
        self.rows = 0

    def write(self, batch: Any) -> None:
        """Write one table or record batch whose partitions do not go down.

        Raises
        ------
        ValueError : a partition that is already finished comes again (a bug of the caller).
        """
        table = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
        for partition, part in _split(table, self._contract):
            self._switch_to(partition)
            self._add(part)

    def close(self) -> list[AddAction]:
        """Finish the last file; returns the add actions of all of them."""
        self._finish()
        return self._actions

    def _switch_to(self, partition: int | None) -> None:
        if self._open is not None:
            if self._open.partition == partition:
                return
            if partition is not None and partition < (self._open.partition or 0):
                raise ValueError(f"partition {partition} after {self._open.partition}")
            self._finish()
        folder = "" if partition is None else f"{self._contract.partition_by[0]}={partition}/"
        path = f"{folder}{self._file_stem}.parquet"
        if folder:
            self._filesystem.create_dir(folder.rstrip("/"), recursive=True)
        writer = pq.ParquetWriter(
            path,
            self._contract.file_schema,
            filesystem=self._filesystem,
            compression="snappy",
            use_dictionary=_dictionary_columns(self._contract),
            dictionary_pagesize_limit=_DICTIONARY_BYTES,
            write_statistics=True,
        )
        self._open = _OpenFile(partition, path, writer, [], 0, 0, None, None)

    def _add(self, part: Any) -> None:
        file = self._open
        if file is None or part.num_rows == 0:
            return
        file.pending.append(part.select(self._contract.file_schema.names))
        file.pending_rows += part.num_rows
        file.rows += part.num_rows
        self.rows += part.num_rows
        if self._contract.time is not None:
            span = pc.min_max(part.column(self._contract.time)).as_py()
            if span["min"] is not None:
                file.first = min(file.first or span["min"], span["min"])
                file.last = max(file.last or span["max"], span["max"])
        if file.pending_rows >= ROW_GROUP_ROWS:
            self._flush(file)

    def _flush(self, file: _OpenFile) -> None:
        if file.pending:
            table = pa.concat_tables(file.pending).cast(self._contract.file_schema)
            file.writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
            file.pending, file.pending_rows = [], 0

    def _finish(self) -> None:
        file = self._open
        if file is None:
            return
        self._flush(file)
        file.writer.close()
        values = {}
        if file.partition is not None:
            values = {self._contract.partition_by[0]: str(file.partition)}
        written = self._filesystem.get_file_info(file.path)
        self._actions.append(
            AddAction(
                path=file.path,
                size=written.size,
                partition_values=values,
                modification_time=written.mtime_ns // 1_000_000,
                data_change=True,
                stats=_statistics(file, self._contract.time),
            )
        )
        self._open = None


def _dictionary_columns(contract: TableContract) -> list[str]:
    return [
        field.name
        for field in contract.file_schema
        if pa.types.is_string(field.type) and field.name not in contract.plain
    ]


def _split(table: Any, contract: TableContract) -> Iterator[tuple[int | None, Any]]:
    if not contract.partition_by:
        yield None, table
        return
    runs = pc.run_end_encode(table.column(contract.partition_by[0]).combine_chunks())
    chunks = runs.chunks if isinstance(runs, pa.ChunkedArray) else [runs]
    start = 0
    for chunk in chunks:
        base = start
        ends, values = chunk.run_ends.to_pylist(), chunk.values.to_pylist()
        for end, value in zip(ends, values, strict=True):
            yield value, table.slice(start, base + end - start)
            start = base + end


def _statistics(file: _OpenFile, time: str | None) -> str:
    statistics: dict[str, Any] = {"numRecords": file.rows}
    if time is not None and file.first is not None and file.last is not None:
        statistics["minValues"] = {time: _instant(file.first)}
        statistics["maxValues"] = {time: _instant(file.last)}
        statistics["nullCount"] = {time: 0}
    return json.dumps(statistics)


def _instant(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
