"""The warehouse: Delta tables, bucketed by customer, read as sorted Parquet files."""

import fcntl
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.fs as pafs
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.fs import DeltaStorageHandler

from features.contract import TABLES, TableContract
from features.errors import ArtifactError, describe
from features.warehouse_faults import (
    absent,
    cause_of,
    changing,
    check_buckets,
    check_new_place,
    incomplete,
    reaching,
)
from features.warehouse_files import PartitionWriter

_BUCKETS_KEY = "winback.buckets"
METADATA_KEY = "winback"
"""Where a commit says which ingestion it belongs to."""


@dataclass(frozen=True, slots=True)
class TableStats:
    """What one table holds; `first` and `last` span its time column, null when empty."""

    name: str
    version: int
    rows: int
    files: int
    bytes: int
    partitions: int
    first: datetime | None
    last: datetime | None


class Warehouse:
    """A folder or object-store URL of Delta tables with a fixed number of buckets.

    Every method reads the current state of the tables; nothing is cached. Open one with
    `Warehouse.open`. Design: docs/adr/0002-delta-warehouse-customer-buckets.md.
    """

    def __init__(self, root: str, n_buckets: int) -> None:
        self.root = root
        self.n_buckets = n_buckets

    @classmethod
    def open(cls, root: str, *, n_buckets: int, create: bool = False) -> "Warehouse":
        """Open the warehouse at `root`, and with `create` make it if nothing is there.

        Parameters
        ----------
        root : a local folder, or any URL that deltalake takes.
        n_buckets : the configured number of buckets; fixed when the warehouse is made.
        create : make missing tables.

        Raises
        ------
        ArtifactError : there is no warehouse, something else is in its place, or the place
            cannot be reached.
        DataError : the warehouse was made with another number of buckets.
        """
        warehouse = cls(root, n_buckets)
        present = [name for name in TABLES if warehouse.has_table(name)]
        if not present:
            check_new_place(root)
            if not create:
                raise absent(root)
        for name in present:
            stored = warehouse._delta(name).metadata().configuration.get(_BUCKETS_KEY)
            check_buckets(root, name, stored, n_buckets)
        missing = [name for name in TABLES if name not in present]
        lost = [name for name in missing if not TABLES[name].added_later]
        if lost and not create:
            raise incomplete(root, lost)
        if not create:
            return warehouse
        for name in missing:
            warehouse._create(TABLES[name])
        return warehouse

    @staticmethod
    def exists(root: str) -> bool:
        """Whether a warehouse, or a part of one, has been made at `root`."""
        return any(_is_table(root, name) for name in TABLES)

    def has_table(self, name: str) -> bool:
        """Whether the table is there; contract tables are, but for those added later."""
        return _is_table(self.root, name)

    def table_version(self, name: str) -> int | None:
        """Current Delta version of a table, null if the table does not exist."""
        return int(self._delta(name).version()) if self.has_table(name) else None

    def versions(self) -> dict[str, int]:
        """Current Delta version of each contract table."""
        return {
            name: int(self._delta(name).version())
            for name, contract in TABLES.items()
            if not (contract.added_later and not self.has_table(name))
        }

    def files(
        self, name: str, *, bucket: int | None = None, version: int | None = None
    ) -> list[str]:
        """Paths (local) or URLs of a table's data files, in name order.

        Parameters
        ----------
        name : the table.
        bucket : only this bucket's files.
        version : as of this Delta version; null means now.

        Raises
        ------
        ArtifactError : no such table or version.
        """
        if self._is_not_made_yet(name):
            return []
        table = self._delta(name, version=version)
        filters = None if bucket is None else [("bucket", "=", str(bucket))]
        uris = table.file_uris(file_pruning_predicate=filters)
        if "://" in self.root:
            return sorted(uris)
        return sorted(unquote(uri.removeprefix("file://")) for uri in uris)

    def table_stats(self, name: str) -> TableStats:
        """Rows, files, bytes and time span, from the Delta log alone."""
        if self._is_not_made_yet(name):
            return TableStats(name, 0, 0, 0, 0, 0, None, None)
        table = self._delta(name)
        actions = pa.table(table.get_add_actions(flatten=True)).to_pylist()
        time = TABLES[name].time if name in TABLES else None
        first = [a[f"min.{time}"] for a in actions if a.get(f"min.{time}") is not None]
        last = [a[f"max.{time}"] for a in actions if a.get(f"max.{time}") is not None]
        return TableStats(
            name=name,
            version=int(table.version()),
            rows=sum(a["num_records"] or 0 for a in actions),
            files=len(actions),
            bytes=sum(a["size_bytes"] for a in actions),
            partitions=len({a.get("partition.bucket") for a in actions}),
            first=min(first, default=None),
            last=max(last, default=None),
        )

    def has_transaction(self, name: str, digest: str) -> bool:
        """Whether a commit of this table carried `digest` as application transaction."""
        return bool(self.known_transactions(name, [digest]))

    def known_transactions(self, name: str, digests: Sequence[str]) -> set[str]:
        """Those of the digests that commits of this table have carried."""
        if self._is_not_made_yet(name):
            return set()
        table = self._delta(name)
        return {digest for digest in digests if table.transaction_version(digest) is not None}

    def append(
        self,
        name: str,
        batches: Any,
        *,
        source_digest: str | None = None,
        transactions: Sequence[str] = (),
        metadata: str | None = None,
    ) -> int | None:
        """Commit rows to a contract table as one Delta transaction.

        Parameters
        ----------
        name : one of the contract tables.
        batches : a pyarrow Table (is sorted here), or an iterable of tables or record
            batches that are already in the table's sort order.
        source_digest : application transaction that makes the append idempotent.
        transactions : further application transactions that the commit carries.
        metadata : text stored with the commit under the key "winback".

        Returns
        -------
        The new version, or null if a commit with `source_digest` was there already.

        Raises
        ------
        ArtifactError : the table cannot be written.
        """
        contract = TABLES[name]
        if source_digest is not None and self.has_transaction(name, source_digest):
            return None
        if self._is_not_made_yet(name):
            self._create(contract)
        table = self._delta(name)
        writer = PartitionWriter(
            contract,
            filesystem=self._filesystem(name),
            file_stem=f"part-{secrets.token_hex(8)}",
        )
        for batch in _in_order(batches, contract):
            # Only the writing: a fault of whoever makes the batches has another place.
            with changing(self.root, name):
                writer.write(batch)
        marks = [source_digest, *transactions] if source_digest else list(transactions)
        with changing(self.root, name):
            table.create_write_transaction(
                list(writer.close()),
                mode="append",
                schema=contract.schema,
                partition_by=list(contract.partition_by),
                commit_properties=CommitProperties(
                    custom_metadata={METADATA_KEY: metadata} if metadata else None,
                    app_transactions=[Transaction(app_id=mark, version=1) for mark in marks],
                ),
            )
        return self.table_version(name)

    def replace_partition(self, name: str, table: Any, *, column: str, value: str) -> int:
        """Replace the rows of a derived table where `column` equals `value`, in one commit.

        Parameters
        ----------
        name : a derived table; it is made on first use, partitioned by `column`.
        table : pyarrow Table with all its rows having `column` = `value`.
        column : partition column, a string.
        value : the partition.

        Returns
        -------
        The new version.

        Raises
        ------
        ArtifactError : the table cannot be written.
        """
        quoted = value.replace("'", "''")
        known = self.has_table(name)
        with changing(self.root, name):
            if known:
                write_deltalake(
                    self._uri(name),
                    table,
                    mode="overwrite",
                    predicate=f"{column} = '{quoted}'",
                    # Columns that a later version added: null in the rows of earlier days.
                    schema_mode="merge",
                )
            else:
                write_deltalake(self._uri(name), table, mode="append", partition_by=[column])
        return int(self._delta(name).version())

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep other ingestions out while rows are compared and written.

        A lock on a file in the warehouse's folder, released when the process ends however
        it ends. A warehouse at a URL is not locked.

        Raises
        ------
        ArtifactError : another process holds it.
        """
        if "://" in self.root:
            yield
            return
        with (Path(self.root) / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ArtifactError(
                    describe(
                        self.root,
                        "another process is writing to the warehouse",
                        expected="one ingestion at a time",
                        fix="wait until it has ended, and run the command again",
                    )
                ) from error
            yield

    def dataset(self, name: str) -> Any:
        """A table as a pyarrow dataset, wherever it is stored; partition columns included.

        Not `DeltaTable.to_pyarrow_dataset`: that takes a column without statistics for
        one without nulls, so filters on it lose rows.
        """
        if self._is_not_made_yet(name):
            return pads.dataset(TABLES[name].schema.empty_table())
        table = self._delta(name)
        schema = pa.schema(table.schema().to_arrow())
        paths = pa.table(table.get_add_actions()).column("path").to_pylist()
        if not paths:
            return pads.dataset(schema.empty_table())
        partitions = [schema.field(column) for column in table.metadata().partition_columns]
        return pads.dataset(
            [unquote(path) for path in paths],
            schema=schema,
            format="parquet",
            filesystem=self._filesystem(name),
            partitioning=pads.partitioning(pa.schema(partitions), flavor="hive"),
        )

    def commits(self, name: str, *, limit: int) -> list[Mapping[str, Any]]:
        """The latest commits of a table, newest first."""
        return list(self._delta(name).history(limit=limit))

    def delete_rows(self, name: str, predicate: str) -> None:
        """Delete the rows of a table for which the SQL predicate holds, in one commit."""
        table = self._delta(name)
        with changing(self.root, name):
            table.delete(predicate)

    def _is_not_made_yet(self, name: str) -> bool:
        return name in TABLES and TABLES[name].added_later and not self.has_table(name)

    def _uri(self, name: str) -> str:
        return _join(self.root, name)

    def _delta(self, name: str, *, version: int | None = None) -> DeltaTable:
        try:
            return DeltaTable(self._uri(name), version=version)
        except TableNotFoundError as error:
            raise incomplete(self.root, [name]) from error
        except (DeltaError, OSError) as error:
            asked = "its latest version" if version is None else f"version {version}"
            raise ArtifactError(
                describe(
                    f"{self.root}, table {name}",
                    f"cannot be read at {asked}: {cause_of(error)}",
                    expected="a readable Delta table",
                    fix="check the version with `winback status`, or restore the folder",
                )
            ) from error

    def _filesystem(self, name: str) -> pafs.FileSystem:
        if "://" in self.root:
            return pafs.PyFileSystem(DeltaStorageHandler(self._uri(name)))
        return pafs.SubTreeFileSystem(self._uri(name), pafs.LocalFileSystem())

    def _create(self, contract: TableContract) -> None:
        with changing(self.root, contract.name):
            DeltaTable.create(
                self._uri(contract.name),
                schema=contract.schema,
                mode="ignore",
                partition_by=list(contract.partition_by),
                configuration={_BUCKETS_KEY: str(self.n_buckets)},
                raise_if_key_not_exists=False,
            )


def _join(root: str, name: str) -> str:
    return f"{root.rstrip('/')}/{name}"


def _is_table(root: str, name: str) -> bool:
    with reaching(root):
        return bool(DeltaTable.is_deltatable(_join(root, name)))


def _in_order(batches: Any, contract: TableContract) -> Iterable[Any]:
    if not isinstance(batches, pa.Table):
        return batches  # type: ignore[no-any-return]
    keys = [(column, "ascending") for column in contract.sort_key]
    return [batches.select(contract.schema.names).sort_by(keys)]
