from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake.exceptions import DeltaError

from features import warehouse as warehouse_module
from features.bucket import bucket_of
from features.contract import EVENTS
from features.errors import ArtifactError, DataError
from features.warehouse import Warehouse

N_BUCKETS = 4


def event_rows(ids: list[str], *, day: int = 1) -> Any:
    moment = datetime(2026, 1, day, 10, 30, 0, 123456, tzinfo=UTC)
    rows = [
        {
            "bucket": bucket_of(name, n_buckets=N_BUCKETS),
            "customer_id": name,
            "occurred_at": moment,
            "arrived_at": moment,
            "event_type": "visit",
        }
        for name in ids
    ]
    return pa.Table.from_pylist(rows, schema=EVENTS.schema)


def make(root: str) -> Warehouse:
    return Warehouse.open(root, n_buckets=N_BUCKETS, create=True)


@pytest.fixture(params=["", "file://"], ids=["folder", "url"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"{request.param}{tmp_path}/shop's [1] ü"


def test_rows_come_back_from_a_folder_and_from_a_url(root: str) -> None:
    warehouse = make(root)
    assert warehouse.append("events", event_rows(["a", "b", "c"])) == 1
    stored = warehouse.dataset("events").to_table().to_pylist()
    assert {row["customer_id"] for row in stored} == {"a", "b", "c"}
    assert Warehouse.open(root, n_buckets=N_BUCKETS).versions()["events"] == 1


def test_stats_come_from_the_log(root: str) -> None:
    warehouse = make(root)
    warehouse.append("events", event_rows(["a", "b"], day=1))
    warehouse.append("events", event_rows(["a"], day=9))
    stats = warehouse.table_stats("events")
    assert (stats.version, stats.rows) == (2, 3)
    assert stats.first == datetime(2026, 1, 1, 10, 30, 0, 123456, tzinfo=UTC)
    assert stats.last == datetime(2026, 1, 9, 10, 30, 0, 123456, tzinfo=UTC)
    assert stats.bytes > 0
    assert warehouse.table_stats("customers").rows == 0
    assert warehouse.table_stats("customers").first is None


def test_files_hold_one_bucket_in_sort_order(tmp_path: Path) -> None:
    warehouse = make(str(tmp_path / "w"))
    names = [str(number) for number in range(200)]
    warehouse.append("events", event_rows(names[::-1]))
    seen: list[str] = []
    for bucket in range(N_BUCKETS):
        (file,) = warehouse.files("events", bucket=bucket)
        ids = pq.ParquetFile(file).read().column("customer_id").to_pylist()
        assert ids == sorted(ids)
        assert {bucket_of(name, n_buckets=N_BUCKETS) for name in ids} == {bucket}
        seen += ids
    assert sorted(seen) == sorted(names)


def test_text_is_dictionary_encoded_except_ids_that_never_repeat(tmp_path: Path) -> None:
    warehouse = make(str(tmp_path / "w"))
    warehouse.append("events", event_rows(["a"]))
    meta = pq.ParquetFile(warehouse.files("events")[0]).metadata.row_group(0)
    encodings = {
        meta.column(i).path_in_schema: meta.column(i).encodings for i in range(meta.num_columns)
    }
    assert "RLE_DICTIONARY" in encodings["customer_id"]
    assert "RLE_DICTIONARY" not in encodings["event_id"]


def test_an_append_with_a_known_digest_does_nothing(tmp_path: Path) -> None:
    warehouse = make(str(tmp_path / "w"))
    assert warehouse.append("events", event_rows(["a"]), source_digest="x") == 1
    assert warehouse.append("events", event_rows(["a"]), source_digest="x") is None
    assert warehouse.table_stats("events").rows == 1


def test_an_append_without_rows_still_leaves_its_mark(tmp_path: Path) -> None:
    warehouse = make(str(tmp_path / "w"))
    warehouse.append("events", iter(()), source_digest="x", transactions=["y"])
    assert warehouse.has_transaction("events", "y")
    assert warehouse.files("events") == []


def test_old_versions_stay_readable(tmp_path: Path) -> None:
    warehouse = make(str(tmp_path / "w"))
    warehouse.append("events", event_rows(["a"]))
    warehouse.append("events", event_rows(["b"]))
    assert len(warehouse.files("events", version=1)) == 1
    assert len(warehouse.files("events")) == 2
    with pytest.raises(ArtifactError, match="version 9"):
        warehouse.files("events", version=9)


def test_batches_may_be_streamed_but_not_out_of_order(tmp_path: Path) -> None:
    warehouse = make(str(tmp_path / "w"))
    table = event_rows([str(number) for number in range(50)])
    ordered = table.sort_by([(name, "ascending") for name in EVENTS.sort_key])
    warehouse.append("events", iter(ordered.to_batches(max_chunksize=7)))
    assert warehouse.table_stats("events").rows == 50
    assert len(warehouse.files("events")) == N_BUCKETS
    with pytest.raises(ValueError, match="partition"):
        warehouse.append("events", iter(ordered.slice(0).to_batches(max_chunksize=7)[::-1]))
    assert warehouse.table_stats("events").rows == 50


def test_a_derived_partition_is_replaced_alone(tmp_path: Path) -> None:
    warehouse = make(str(tmp_path / "w"))
    for day, values in (("2026-01-01", [1, 2]), ("2026-01-02", [3]), ("2026-01-01", [4])):
        rows = pa.table({"as_of": [day] * len(values), "x": values})
        warehouse.replace_partition("decisions", rows, column="as_of", value=day)
    rows = warehouse.dataset("decisions").to_table().sort_by("x").to_pylist()
    assert rows == [{"as_of": "2026-01-02", "x": 3}, {"as_of": "2026-01-01", "x": 4}]


def test_a_derived_table_gains_columns_that_are_null_in_the_rows_before(tmp_path: Path) -> None:
    warehouse = make(str(tmp_path / "w"))
    old = pa.table({"as_of": ["2026-01-01"], "x": [1]})
    warehouse.replace_partition("decisions", old, column="as_of", value="2026-01-01")
    new = pa.table({"as_of": ["2026-01-02"], "x": [2], "y": ["a"]})
    warehouse.replace_partition("decisions", new, column="as_of", value="2026-01-02")
    rows = warehouse.dataset("decisions").to_table().sort_by("x")
    assert rows.select(["x", "y"]).to_pylist() == [{"x": 1, "y": None}, {"x": 2, "y": "a"}]
    warehouse.replace_partition("decisions", old, column="as_of", value="2026-01-01")
    assert warehouse.dataset("decisions").to_table().num_rows == 2


def test_the_number_of_buckets_is_fixed(tmp_path: Path) -> None:
    make(str(tmp_path / "w"))
    with pytest.raises(DataError, match=r"storage.buckets: is 5.*Fix: set storage.buckets = 4"):
        Warehouse.open(str(tmp_path / "w"), n_buckets=5)


def test_a_missing_warehouse_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"no warehouse here.*winback ingest"):
        Warehouse.open(str(tmp_path / "none"), n_buckets=4)
    assert not (tmp_path / "none").exists()


def test_another_folder_is_not_taken_for_a_warehouse(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "letters.txt").write_text("x", encoding="utf-8")
    with pytest.raises(ArtifactError, match="is not a winback warehouse"):
        make(str(tmp_path / "w"))
    assert [path.name for path in (tmp_path / "w").iterdir()] == ["letters.txt"]


def test_a_file_in_its_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "w").write_text("x", encoding="utf-8")
    with pytest.raises(ArtifactError, match="is not a winback warehouse"):
        make(str(tmp_path / "w"))


def test_a_warehouse_that_lost_a_table_says_which(tmp_path: Path) -> None:
    make(str(tmp_path / "w"))
    for path in sorted((tmp_path / "w" / "contacts").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    with pytest.raises(ArtifactError, match="no table contacts"):
        Warehouse.open(str(tmp_path / "w"), n_buckets=N_BUCKETS)
    assert make(str(tmp_path / "w")).versions()["contacts"] == 0


def test_a_foreign_delta_table_is_refused(tmp_path: Path) -> None:
    from deltalake import write_deltalake

    write_deltalake(str(tmp_path / "w" / "events"), pa.table({"x": [1]}))
    with pytest.raises(ArtifactError, match="winback did not make"):
        make(str(tmp_path / "w"))


def refuse(*_: Any, **__: Any) -> None:
    raise DeltaError("Generic LocalFileSystem error: Unable to open file: Permission denied.")


def test_a_warehouse_that_may_not_be_written_is_no_bug(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A night on a read-only warehouse ended as a bug, with exit code 1."""
    warehouse = make(str(tmp_path / "w"))
    rows = pa.table({"as_of": ["2026-01-01"], "x": [1]})
    monkeypatch.setattr(warehouse_module, "write_deltalake", refuse)
    fault = r"table decisions: cannot be written: .*Permission denied\. Expected .*Fix: correct"
    with pytest.raises(ArtifactError, match=fault):
        warehouse.replace_partition("decisions", rows, column="as_of", value="2026-01-01")
    monkeypatch.setattr(warehouse_module.DeltaTable, "create_write_transaction", refuse)
    with pytest.raises(ArtifactError, match="table events: cannot be written"):
        warehouse.append("events", event_rows(["a"]))
    monkeypatch.setattr(warehouse_module.DeltaTable, "delete", refuse)
    with pytest.raises(ArtifactError, match="table events: cannot be written"):
        warehouse.delete_rows("events", "bucket = 1")
    monkeypatch.setattr(warehouse_module.DeltaTable, "create", refuse)
    with pytest.raises(ArtifactError, match="table events: cannot be written"):
        make(str(tmp_path / "other"))


def test_a_file_in_place_of_a_derived_table_is_named(tmp_path: Path) -> None:
    warehouse = make(str(tmp_path / "w"))
    (tmp_path / "w" / "decisions").write_text("x", encoding="utf-8")
    rows = pa.table({"as_of": ["2026-01-01"], "x": [1]})
    with pytest.raises(ArtifactError, match=r"cannot be reached: .*Not a directory"):
        warehouse.replace_partition("decisions", rows, column="as_of", value="2026-01-01")


def test_a_fault_of_the_batches_is_not_one_of_the_table(tmp_path: Path) -> None:
    def batches() -> Iterator[Any]:
        yield event_rows(["a"])
        raise OSError("the source is gone")

    with pytest.raises(OSError, match="the source is gone"):
        make(str(tmp_path / "w")).append("events", batches())


def test_an_object_store_that_cannot_be_reached_is_told_without_colours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`winback status` without credentials ended as a bug, with terminal codes in its text."""

    def fail(uri: str) -> bool:
        raise OSError("\x1b[31mGeneric S3 error\x1b[0m:\n  no answer of http://me:secret@host/x.")

    monkeypatch.setattr(warehouse_module.DeltaTable, "is_deltatable", fail)
    for call in (
        lambda: Warehouse.open("s3://nobucket/x", n_buckets=4),
        lambda: Warehouse.exists("s3://nobucket/x"),
    ):
        with pytest.raises(ArtifactError) as caught:
            call()
        text = str(caught.value)
        assert text.startswith(
            "s3://nobucket/x: cannot be reached: Generic S3 error: no answer of http://host/x. "
        )
        assert "\x1b" not in text
        assert caught.value.exit_code == 4


def test_a_table_that_goes_away_while_it_is_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = make(str(tmp_path / "w"))

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("\x1b[31mtimed out\x1b[0m")

    monkeypatch.setattr(warehouse_module, "DeltaTable", fail)
    with pytest.raises(ArtifactError, match="cannot be read at its latest version: timed out"):
        warehouse.files("events")
