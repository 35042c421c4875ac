"""Reading the histories of a bucket's customers from the warehouse."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from features.arrow_columns import time_values
from features.contract import TABLES
from features.history import History
from features.history_tables import (
    CONTACT_COLUMNS,
    EVENT_COLUMNS,
    PROFILE_COLUMNS,
    attribute_column,
    history_from_tables,
)
from features.spec import FeatureSpec
from features.warehouse import Warehouse

__all__ = ["HistoryReader", "history_from_tables", "learn_vocabulary", "read_history"]

_COLUMNS = {
    "events": (EVENT_COLUMNS, ("customer_id", "event_type", "order_id", "category")),
    "contacts": (CONTACT_COLUMNS, ("customer_id", "channel")),
    "customers": (PROFILE_COLUMNS, ("customer_id",)),
}
"""Columns read from each table, and which of them are dictionary-encoded."""

MAX_VOCABULARY = 255
MIN_CUSTOMERS = 10
"""An attribute value that fewer customers share is not kept: it would tell of them where models
are logged."""


class HistoryReader:
    """Reads the buckets of a warehouse as it was when the reader was made.

    The tables' files are listed once, so that all buckets come from the same versions
    and the Delta log is not parsed anew for each of them.

    Parameters
    ----------
    warehouse : an open warehouse.
    spec : gives event types, channels and attribute values their codes.
    versions : Delta version of each table, to reproduce an earlier read; null means now.
    offers : names that offers of contacts get their codes by; empty leaves them unread.

    Raises
    ------
    ArtifactError : a table or version is missing.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        *,
        spec: FeatureSpec,
        versions: Mapping[str, int] | None = None,
        offers: tuple[str, ...] = (),
    ) -> None:
        self.spec = spec
        self.offers = offers
        self._files = {name: _bucket_files(warehouse, name, versions) for name in _COLUMNS}

    def read(self, bucket: int) -> History:
        """One bucket's events, contacts and customer records; safe to call from threads."""
        return history_from_tables(
            bucket,
            spec=self.spec,
            events=self.read_table("events", bucket),
            contacts=self.read_table("contacts", bucket),
            profiles=self.read_table("customers", bucket),
            offers=self.offers,
        )

    def read_table(self, name: str, bucket: int) -> Any:
        """The columns of one table that histories need, decoded and no more."""
        columns, words = _COLUMNS[name]
        if not self.spec.attributes:
            columns = tuple(column for column in columns if column != "attributes")
        if name == "contacts" and self.offers:
            columns, words = (*columns, "offer"), (*words, "offer")
        return read_columns(name, self._files[name][bucket], columns=columns, words=words)


def read_history(
    warehouse: Warehouse,
    bucket: int,
    *,
    spec: FeatureSpec,
    versions: Mapping[str, int] | None = None,
) -> History:
    """Read one bucket; for many buckets make one `HistoryReader`, whose parameters these are."""
    return HistoryReader(warehouse, spec=spec, versions=versions).read(bucket)


def _bucket_files(
    warehouse: Warehouse, name: str, versions: Mapping[str, int] | None
) -> dict[int, list[str]]:
    version = None if versions is None else versions.get(name)
    files: dict[int, list[str]] = {bucket: [] for bucket in range(warehouse.n_buckets)}
    for file in warehouse.files(name, version=version):
        files[int(file.rsplit("/bucket=", 1)[1].split("/", 1)[0])].append(file)
    return files


def read_columns(
    name: str, files: list[str], *, columns: tuple[str, ...], words: tuple[str, ...] = ()
) -> Any:
    """Some columns of a table's files as one Arrow table, `words` dictionary-encoded.

    Decoding uses the calling thread alone: buckets are what runs in parallel.
    """
    tables = []
    for file in files:
        if "://" in file:
            filesystem, path = pafs.FileSystem.from_uri(file)
            source = filesystem.open_input_file(path)
        else:
            source = file
        with pq.ParquetFile(source, memory_map=True, read_dictionary=list(words)) as parquet:
            tables.append(parquet.read(list(columns), use_threads=False))
    if not tables:
        schema = TABLES[name].file_schema
        return pa.schema([schema.field(column) for column in columns]).empty_table()
    return pa.concat_tables(tables) if len(tables) > 1 else tables[0]


def learn_vocabulary(
    warehouse: Warehouse,
    spec: FeatureSpec,
    as_of_us: int,
    *,
    versions: Mapping[str, int] | None = None,
) -> FeatureSpec:
    """Fix the attribute values known at training.

    Of each attribute the `MAX_VOCABULARY` values of most customers are kept (ties by name),
    in sorted order, if at least `MIN_CUSTOMERS` customers had them in record versions that
    changed and arrived before the as-of.

    Parameters
    ----------
    warehouse : an open warehouse.
    spec : names the attributes; its vocabulary is replaced.
    as_of_us : UTC instant in microseconds.
    versions : as in `HistoryReader`.
    """
    version = None if versions is None else versions.get("customers")
    files = warehouse.files("customers", version=version) if spec.attributes else []
    if not files:
        return spec.with_vocabulary(tuple(() for _ in spec.attributes))
    columns = ("customer_id", "changed_at", "arrived_at", "attributes")
    table = read_columns("customers", files, columns=columns)
    visible = (time_values(table.column("changed_at")) < as_of_us) & (
        time_values(table.column("arrived_at")) < as_of_us
    )
    table = table.filter(pa.array(visible))
    return spec.with_vocabulary(tuple(_shared_values(table, name) for name in spec.attributes))


def _shared_values(table: pa.Table, name: str) -> tuple[str, ...]:
    pairs = pa.table({"customer": table["customer_id"], "value": attribute_column(table, name)})
    counted = pairs.drop_null().group_by("value").aggregate([("customer", "count_distinct")])
    values, customers = counted["value"].to_pylist(), counted["customer_count_distinct"].to_pylist()
    order = sorted(zip((-n for n in customers), values, strict=True))
    shared = [value for n, value in order if -n >= MIN_CUSTOMERS]
    return tuple(sorted(shared[:MAX_VOCABULARY]))
